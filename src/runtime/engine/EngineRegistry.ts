/**
 * What a host can run, by the input of a process: engines by kind and version, tools by id, turns of child sessions. What
 * they require is already provided.
 *
 * Invariant: work that an outside system owns is never run here, whatever its input.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import * as Layer from "effect/Layer"
import * as Output from "../../model/AwaitOutput.ts"
import { EngineMissing, InputInvalid } from "../../model/errors.ts"
import { messageOf } from "../../model/Failure.ts"
import type { Taking } from "../../model/json.ts"
import { copyOf } from "../../model/json.ts"
import type { PreparedToolCall, ProcessIdentity, ProcessInput, Registration } from "../../model/Registration.ts"
import { engineOf } from "../../model/Registration.ts"
import { Limits } from "../../operations/checks.ts"
import type { Chart, ChartOf } from "../../operations/decisions/chartStep.ts"
import * as Arguments from "../arguments.ts"
import type { ChartBody } from "../body/chart.ts"
import type { ProjectionsService } from "../HostServices.ts"
import { Projections } from "../HostServices.ts"
import type { Body, Runnable } from "./Engine.ts"
import { nameOf } from "./Engine.ts"
import type { SessionRunner } from "./SessionTurn.ts"
import * as SessionTurn from "./SessionTurn.ts"
import type { RunnableTool } from "./Tool.ts"

/** A body that is ready to run, and what its engine says of it. Units: milliseconds. */
export interface Ready {
  readonly run: Body<never>
  /** What performs the actions of the chart that is its body, in place of `run`. */
  readonly chart?: ChartBody<never> | undefined
  readonly passivateAfterMs?: number | undefined
}

/** How many bodies of one kind may work at once. */
export interface Limit {
  readonly name: string
  readonly concurrency: number
}

/** What a host can run. */
export class Engines extends Context.Tag("holdfast/runtime/Engines")<
  Engines,
  {
    /** Whether this host has what a process asks for: its engine in its version or one that accepts it, its tool, sessions. */
    readonly has: (registration: Registration) => boolean

    /**
     * Finds what runs a process and decodes its payload.
     *
     * Fails with `EngineMissing` or `InputInvalid`: the row stays as it is, and runs where it can.
     */
    readonly prepare: (registration: Registration) => Effect.Effect<Ready, EngineMissing | InputInvalid>

    /**
     * Judges a registration for a start, and says what the process will be known by.
     *
     * An engine may be named by its kind alone where it is in one version. Fails with `EngineMissing` or `InputInvalid`: it is
     * not registered. Work that is not run here is not judged.
     */
    readonly admit: (registration: Registration) => Effect.Effect<ProcessIdentity, EngineMissing | InputInvalid>

    /** The chart that is the body of a process, where this host has it. */
    readonly chartOf: ChartOf

    /** What the tool of a call declares that it appends; `undefined` where it declares nothing, or is not here. */
    readonly eventTypesOf: (call: PreparedToolCall) => Registration["eventTypes"] | undefined

    /** The kinds that may not take all slots of the host. */
    readonly limits: ReadonlyArray<Limit>

    /** The limit that a process falls under, by name. */
    readonly limitOf: (registration: Registration) => string | undefined
  }
>() {}

/** What a host can run besides its engines. */
export interface MoreToRun<R> {
  readonly tools?: ReadonlyArray<RunnableTool<R>>
  readonly sessions?: SessionRunner<R>
}

/**
 * Registers what a host can run; the layer requires the union of what that requires.
 *
 * Fails with `InputInvalid` for a name given twice, a version that two engines accept, or a concurrency that is no count.
 */
export const layer = <R>(
  engines: ReadonlyArray<Runnable<R>>,
  more: MoreToRun<R> = {}
): Layer.Layer<Engines, InputInvalid, R> =>
  Layer.effect(
    Engines,
    Effect.gen(function* () {
      const { tools = [], sessions } = more
      yield* Arguments.refusing(() => Effect.succeed(check(engines, tools, sessions)))
      const projections = yield* Projections
      const limits = yield* Limits
      const runners = new Map<string, Runner<R>>()
      const all = withParts(engines)
      const accepted = yield* Arguments.refusing(() => Effect.succeed(acceptedBy(all)))
      const add = (field: string, name: string, runner: Runner<R>) =>
        Effect.gen(function* () {
          if (runners.has(name)) return yield* new InputInvalid({ field, problem: `has \`${name}\` twice` })
          const { concurrency = 1 } = runner
          if (!(Number.isSafeInteger(concurrency) && concurrency >= 1)) {
            const problem = "must be a whole number of at least 1"
            return yield* new InputInvalid({ field: `${field}/${name}/concurrency`, problem })
          }
          runners.set(name, runner)
        })
      for (const engine of all) yield* add("engines", nameOf(engine.kind, engine.version), ofEngine(engine, limits))
      for (const tool of tools) yield* add("tools", `tool:${tool.id}`, ofTool(tool, projections))
      if (sessions !== undefined) yield* add("sessions", sessionTurns, ofSessions(sessions))
      runners.set(notHere, nothingToRun)

      const context = yield* Effect.context<R>()
      // A body has a fiber of its own: what it is given need never be taken back.
      const provided = FiberRef.update(FiberRef.currentContext, (before) => Context.merge(before, context))
      const provide =
        <Given, A, E>(body: (given: Given) => Effect.Effect<A, E, R>): ((given: Given) => Effect.Effect<A, E>) =>
        (given) =>
          Effect.zipRight(provided, body(given) as Effect.Effect<A, E>) // R is in the fiber's context now
      /** What a process is run by, under its own name. */
      const runnerNameOf = (registration: Registration): string => {
        const asked = askedNameOf(registration)
        return accepted.get(asked) ?? asked
      }
      const find = (registration: Registration): Effect.Effect<Runner<R>, EngineMissing | InputInvalid> => {
        if (registration.disposition === "externally_owned") return Effect.fail(mustNotRun)
        const runner = runners.get(runnerNameOf(registration))
        return runner === undefined ? Effect.fail(new EngineMissing(engineOf(registration))) : Effect.succeed(runner)
      }

      /** A start may name its engine by kind alone: then it is the one of that kind here, in whatever version. */
      const findToStart = (registration: Registration): ReturnType<typeof find> => {
        const { kind, version } = engineOf(registration)
        if (registration.input._tag !== "Engine" || version !== "") return find(registration)
        const versions = all.filter((engine) => engine.kind === kind).map((engine) => engine.version)
        if (versions.length > 1) {
          const problem = `is here in versions ${versions.join(", ")}: name one in the identity's definition`
          return Effect.fail(new InputInvalid({ field: `engine \`${kind}\``, problem }))
        }
        const definition = { kind, version: versions[0] ?? "" }
        return find({ ...registration, identity: { ...registration.identity, definition } })
      }

      return Engines.of({
        has: (registration) =>
          registration.disposition !== "externally_owned" && runners.has(runnerNameOf(registration)),
        prepare: (registration) =>
          Effect.flatMap(find(registration), (runner) =>
            // A chart has taken its input when it began, perhaps in an earlier version.
            runner.body === undefined
              ? Effect.map(
                  runner.prepare(registration.input),
                  (body): Ready => ({
                    run: provide(body),
                    passivateAfterMs: runner.passivateAfterMs
                  })
                )
              : Effect.succeed<Ready>({ run: noCode, chart: provide(runner.body) })
          ),
        admit: (registration) =>
          registration.input._tag === "External"
            ? Effect.succeed(registration.identity)
            : Effect.flatMap(findToStart(registration), (runner) =>
                Effect.zipRight(
                  runner.prepare(registration.input),
                  Effect.map(runner.admit?.(registration) ?? Effect.succeed(registration.identity), (identity) =>
                    accepted.has(askedNameOf(registration))
                      ? inVersion(identity, engineOf(registration).version)
                      : identity
                  )
                )
              ),
        chartOf: (registration) =>
          registration.input._tag === "Engine" ? runners.get(runnerNameOf(registration))?.chart : undefined,
        eventTypesOf: ({ toolId }) => runners.get(`tool:${toolId}`)?.eventTypes,
        limits: [...runners].flatMap(([name, { concurrency }]) =>
          concurrency === undefined ? [] : [{ name, concurrency }]
        ),
        limitOf: (registration) => {
          const name = runnerNameOf(registration)
          return runners.get(name)?.concurrency === undefined ? undefined : name
        }
      })
    })
  )

const noCode: Body<never> = () => Effect.dieMessage("a machine has no body of code")

/** A start that names an accepted version is known by that: repeated after a deploy, it is the same start. */
const inVersion = (identity: ProcessIdentity, version: string): ProcessIdentity => ({
  ...identity,
  definition: { ...(identity.definition as Readonly<Record<string, unknown>>), version } // an engine's is a record
})

/**
 * Checks what a host can run. Engines, tools and runners are known by what they have, whichever copy of the library declared
 * them. Throws `InputInvalid`.
 */
export const check = (
  engines: ReadonlyArray<object>,
  tools: ReadonlyArray<object>,
  sessions: object | undefined
): void => {
  Arguments.list("engines", engines, (field, engine) => {
    const known = Arguments.like(field, "an engine, as Engine.make declares it", engine, {
      kind: "string",
      version: "string",
      disposition: "string",
      admit: "function",
      prepare: "function"
    })
    if ("accepts" in known) Arguments.texts(`${field}/accepts`, known.accepts as ReadonlyArray<string>) // checked here
    return known
  })
  Arguments.list("tools", tools, (field, tool) =>
    Arguments.like(field, "a tool, as Tool.make declares it", tool, {
      id: "string",
      name: "string",
      disposition: "string",
      prepare: "function"
    })
  )
  if (sessions === undefined) return
  const runner = { create: "function", openTurn: "function", runTurn: "function", close: "function" } as const
  Arguments.like("sessions", "a runner of sessions", sessions, runner)
}

/** Engines with those that they need beside them, which are given once however many need them. */
const withParts = <R>(engines: ReadonlyArray<Runnable<R>>): ReadonlyArray<Runnable<R>> => {
  const given = new Set(engines)
  const needed = new Set<Runnable<R>>()
  const add = ({ parts = [] }: Runnable<R>): void => {
    for (const part of parts) {
      if (given.has(part) || needed.has(part)) continue
      needed.add(part)
      add(part)
    }
  }
  for (const engine of engines) add(engine)
  return [...engines, ...needed]
}

/**
 * The own name of the engine that accepts a version, by the name that it would have in that version. The engine that has a
 * version itself runs it. Throws `InputInvalid` where two accept the same.
 */
const acceptedBy = <R>(engines: ReadonlyArray<Runnable<R>>): ReadonlyMap<string, string> => {
  const own = new Set(engines.map(({ kind, version }) => nameOf(kind, version)))
  const accepted = new Map<string, string>()
  for (const { kind, version, accepts = [] } of engines) {
    const by = nameOf(kind, version)
    for (const name of accepts.map((other) => nameOf(kind, other)).filter((other) => !own.has(other))) {
      const rival = accepted.get(name)
      if (rival !== undefined) {
        const problem = `has \`${rival}\` and \`${by}\`, which both accept \`${name}\``
        throw new InputInvalid({ field: "engines", problem })
      }
      accepted.set(name, by)
    }
  }
  return accepted
}

/** The charts of engines, and of those that they need beside them. */
export const allCharts = <R>(engines: ReadonlyArray<Runnable<R>>): ReadonlyArray<Chart> =>
  withParts(engines).flatMap(({ chart }) => (chart === undefined ? [] : [chart]))

/** Finds the chart of a process among engines. */
export const chartsOf = <R>(engines: ReadonlyArray<Runnable<R>>): ChartOf => {
  const all = withParts(engines)
  const charts = new Map(
    all.flatMap(({ kind, version, chart }) => (chart === undefined ? [] : [[nameOf(kind, version), chart] as const]))
  )
  if (charts.size === 0) return () => undefined
  const accepted = acceptedBy(all)
  return (registration) => {
    if (registration.input._tag !== "Engine") return undefined
    const asked = askedNameOf(registration)
    return charts.get(accepted.get(asked) ?? asked)
  }
}

/** What runs the processes of one name. */
interface Runner<R> extends Pick<Runnable<R>, "passivateAfterMs" | "body" | "chart"> {
  readonly concurrency?: number | undefined
  readonly eventTypes?: Registration["eventTypes"] | undefined
  readonly prepare: (input: ProcessInput) => Effect.Effect<Body<R>, InputInvalid>
  /** @default every registration is admitted under its own identity */
  readonly admit?: (registration: Registration) => Effect.Effect<ProcessIdentity, InputInvalid>
}

const sessionTurns = "session_turn"
const notHere = "external"

/** The name of what a process asks for. */
const askedNameOf = (registration: Registration): string => {
  const { kind, version } = engineOf(registration)
  switch (registration.input._tag) {
    case "Engine":
      return nameOf(kind, version)
    case "ToolCall":
      return kind
    case "SessionTurn":
      return sessionTurns
    case "External":
      return notHere
  }
}

const ofEngine = <R>(engine: Runnable<R>, limits: Taking): Runner<R> => ({
  concurrency: engine.concurrency,
  passivateAfterMs: engine.passivateAfterMs,
  ...(engine.body === undefined ? {} : { body: engine.body }),
  ...(engine.chart === undefined ? {} : { chart: engine.chart.under(limits) }),
  prepare: (input) => (input._tag === "Engine" ? engine.prepare(input.payload) : Effect.fail(otherInput)),
  admit: ({ input }) => (input._tag === "Engine" ? engine.admit(input.payload) : Effect.fail(otherInput))
})

const ofTool = <R>(tool: RunnableTool<R>, { materialize }: ProjectionsService): Runner<R> => ({
  concurrency: tool.concurrency,
  eventTypes: tool.eventTypes,
  prepare: (input) => {
    if (input._tag !== "ToolCall") return Effect.fail(otherInput)
    const call = copyOf(input.call)
    if (tool.projection === "keep_references") return tool.prepare(call)
    return materialize(call.args).pipe(
      Effect.catchAllDefect((defect) => {
        const problem = `could not be materialised: ${messageOf(defect)}`
        return Effect.fail(new InputInvalid({ field: `args of tool \`${tool.name}\``, problem }))
      }),
      Effect.flatMap((args) => tool.prepare({ ...call, args }))
    )
  }
})

const ofSessions = <R>(sessions: SessionRunner<R>): Runner<R> => ({
  prepare: (input) =>
    input._tag === "SessionTurn" ? Effect.succeed(SessionTurn.bodyOf(sessions, copyOf(input))) : Effect.fail(otherInput)
})

/** External work that was registered as if it could run fails with this output. */
const nothingToRun: Runner<never> = {
  prepare: () =>
    Effect.succeed(() =>
      Effect.succeed(
        Output.failure("internal", "external_process_not_executable", "external work is not executed by a host")
      )
    )
}

const mustNotRun = new InputInvalid({ field: "disposition", problem: "is externally-owned and must not be executed" })

const otherInput = new InputInvalid({ field: "input", problem: "is of another kind than its name" })
