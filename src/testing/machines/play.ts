/**
 * A script played on a durable process, held step by step against XState's own actor.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { AnyEventObject, AnyStateMachine } from "xstate"
import type { ChartState, ChartTransition } from "../../../machines/chart/state.ts"
import { transitioned } from "../../../machines/chart/state.ts"
import { lifecycleOf } from "../../../machines/process/lifecycle.ts"
import { signalNameOf } from "../../model/ids.ts"
import { jsonEquals } from "../../model/json.ts"
import type { ProcessEvent } from "../../model/ProcessEvent.ts"
import { verify } from "../../operations/verify.ts"
import type { MachineEngine } from "../../runtime/engine/fromMachine.ts"
import type { MachineOptions } from "../../runtime/engine/MachineOptions.ts"
import { schemaOf } from "../../runtime/engine/MachineOptions.ts"
import type { ProcessRow } from "../../store/Decision.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import type { Database } from "../bodies/World.ts"
import type * as TestHost from "../TestHost.ts"
import * as Drives from "./drive.ts"
import { Broken, id } from "./drive.ts"
import type { Models } from "./models.ts"
import * as Oracle from "./oracle.ts"
import type { Script } from "./script.ts"

/** Plays a script, in memory unless an empty database is given. Throws `Broken`. */
export const play = <Machine extends AnyStateMachine, R, World>(
  given: MachineEngine<Machine, R>,
  models: Models<AnyStateMachine, World>,
  script: Script,
  database?: Database
): Effect.Effect<void> =>
  Effect.scoped(
    Effect.gen(function* () {
      let world = models.world
      const recorded = new Set<string>()
      const options = given.options as MachineOptions<AnyStateMachine, never> // its machine is any, and models require nothing
      const driven = yield* Drives.make(
        given,
        models,
        {
          before: (name, { idempotencyKey }) => {
            if (!recorded.has(idempotencyKey)) return
            throw new Broken(`the action \`${name}\` (${idempotencyKey}) ran again after it was recorded`)
          },
          perform: (name, call) => {
            const own = models.actions?.[name]
            if (own !== undefined) world = own(world as World, call) // a world of the models
          }
        },
        database
      )
      const { host } = driven
      const judge = judging(given, options, models, script.input, host)

      const look = Effect.gen(function* () {
        const log = yield* host.log(id)
        for (const { eventType, payload } of log) {
          if (eventType !== "machine.acted") continue
          const { revision, index } = payload as { readonly revision: number; readonly index: number } // written by the library
          recorded.add(`${id}:${revision}:${index}`)
        }
        const row = yield* host.row(id)
        if (row === undefined) return
        const state = lifecycleOf(row.snapshot)
        if (state === "failed" && !driven.hasFailed()) {
          const { output } = row.snapshot.context
          throw new Broken(
            `the process failed: ${output?._tag === "Failure" ? output.message : JSON.stringify(output)}`
          )
        }
        if (row.backOff !== undefined) throw new Broken(row.backOff.problem)
        yield* judge(log, row, world)
      })

      yield* driven.run(script, look)
      yield* host.restart()
      yield* host.settle
      yield* look
      const { differences } = yield* Effect.orDie(
        Effect.provideService(verify({ machines: [given] }), ProcessStore, host.store)
      )
      const [difference] = differences
      if (difference === undefined) return
      const { field, stored, folded } = difference
      const values = `${JSON.stringify(stored)} is stored, and ${JSON.stringify(folded)} is what the log folds to`
      throw new Broken(`the log, taken anew by the machine, says another thing at ${field}: ${values}`)
    })
  )

/** Holds the log against XState, as far as it has come. */
const judging = <World>(
  { machine, view }: Pick<MachineEngine<AnyStateMachine, never>, "machine" | "view">,
  options: MachineOptions<AnyStateMachine, never>,
  models: Models<AnyStateMachine, World>,
  input: unknown,
  host: TestHost.TestHost
) => {
  let oracle: Oracle.Oracle | undefined
  let chart: ChartState | undefined
  let expected = models.world
  let seen = 0
  const acts = new Map<string, Oracle.Act>()
  const encode = options.context === undefined ? json : Schema.encodeUnknownSync(schemaOf(options.context))

  return (log: ReadonlyArray<ProcessEvent>, row: ProcessRow, world: World | undefined) =>
    Effect.gen(function* () {
      for (const event of log.slice(seen)) {
        if (event.eventType === "machine.acted") {
          const { revision, index, failure } = event.payload as { revision: number; index: number; failure?: unknown } // as above
          const act = acts.get(`${revision}:${index}`)
          if (act === undefined)
            throw new Broken(`an action of revision ${revision} is recorded twice, or XState has none`)
          acts.delete(`${revision}:${index}`)
          const model = models.actions?.[act.name]
          if (failure === undefined && model !== undefined) {
            expected = model(expected as World, { ...act, idempotencyKey: `${id}:${revision}:${index}` }) // a world of the models
          }
        }
        if (event.eventType === "machine.sent") sentLater(oracle, event)
        if (event.eventType !== "machine.transitioned") continue
        const step = event.payload as ChartTransition // written by the library
        const at = `on \`${step.event.type}\` in ${JSON.stringify(step.from ?? "the beginning")}`
        const took = log.find(({ sequence }) => sequence === step.took)
        const before = chart
        chart = transitioned(chart, step)
        oracle ??= Oracle.make(machine, id, input, event.occurredAtMs)
        const now =
          took === undefined
            ? oracle.begin()
            : step.event.type === "timer.cancelled"
              ? oracle.seen()
              : yield* taken(oracle, took, event.occurredAtMs, before, host, log)
        const isEnded = now.status !== "active"
        same(at, "state", now.value, step.to)
        same(at, "context", encode(now.context), chart.context)
        same(at, "end", isEnded, step.end !== undefined)
        const asked = step.effects.flatMap((effect, index) => (effect.do === "act" ? [{ ...effect, index }] : []))
        same(
          at,
          "actions",
          now.acts.map(({ name, params }) => ({ name, params: json(params) })),
          asked.map(({ name, params = null }) => ({ name, params }))
        )
        const messages = step.effects.flatMap((effect) => (effect.do === "send" ? [effect] : []))
        same(
          at,
          "message",
          now.sent,
          messages.flatMap(({ to, event }) => (isForeign(to) ? [{ to, event }] : []))
        )
        if (!isEnded) same(at, "new actors", now.started, startedIn(before, chart))
        now.acts.forEach((act, nth) => acts.set(`${step.revision}:${asked[nth]?.index}`, act))
        for (const [name, holds] of Object.entries(models.invariants ?? {})) {
          if (!holds({ value: now.value, context: now.context as never })) {
            // of the machine that the invariants are for
            throw new Broken(`the invariant "${name}" does not hold in ${JSON.stringify(now.value)} ${at}`)
          }
        }
      }
      seen = log.length
      const { chart: stored } = row.snapshot.context
      same("at rest", "stored state", stored?.value ?? null, chart?.value ?? null)
      if (stored === undefined || stored.actions.length > 0 || lifecycleOf(row.snapshot) !== "running") return
      same("at rest", "world", expected ?? null, world ?? null)
      if (isStuck(stored) && view.chart.accepts(stored).length === 0) {
        throw new Broken(`nothing moves it any more in ${JSON.stringify(stored.value)}: no event, no time, no actor`)
      }
      const due = oracle?.nextMs()
      if (host.isAlive() && due !== undefined && due < host.nowMs()) {
        throw new Broken(`a timer that was due at ${due} did not fire by ${host.nowMs()}`)
      }
    })
}

/** The actors that a chart has now, and had not before, by their ids in order. */
const startedIn = (before: ChartState | undefined, { children }: ChartState): ReadonlyArray<string> => {
  const earlier = new Set(Object.values(before?.children ?? {}).map(({ process }) => process))
  return Object.entries(children)
    .flatMap(([actor, { process }]) =>
      earlier.has(process) ? [] : [/^\d+\.\d+$/.test(actor) ? Oracle.unnamed : actor]
    )
    .sort()
}

/** Whether a chart that has come to rest waits for events from outside alone. */
const isStuck = ({ end, timers, children, inputs }: ChartState): boolean =>
  end === undefined && inputs === 0 && timers.length === 0 && Object.keys(children).length === 0

/** Whether a process is neither the one that is checked nor its child: it is there by its id alone. */
const isForeign = (process: string): boolean => process !== id && !process.startsWith(`${id}/`)

/** Lets XState send to another process what the process sent when its timer fired. */
const sentLater = (oracle: Oracle.Oracle | undefined, { payload, occurredAtMs }: ProcessEvent): void => {
  const { event, to } = payload as { readonly event: AnyEventObject; readonly to: string } // written by the library
  const own = oracle?.fire(occurredAtMs)
  if (oracle === undefined || own === undefined)
    throw new Broken(`the process sent \`${event.type}\` to ${to}, which XState does not do at this time`)
  const at = `that was delayed and is for ${to}`
  same(at, "message", own, event)
  same(at, "message", oracle.seen().sent, isForeign(to) ? [{ to, event }] : [])
}

/** Whether a child had ended by itself before the chart left its state: XState's machine has its end in the mailbox then. */
const hadEnded = (child: string, { sequence }: ProcessEvent, log: ReadonlyArray<ProcessEvent>): boolean =>
  log.some(
    (event) =>
      event.eventType === "machine.transitioned" &&
      event.sequence > sequence &&
      (event.payload as ChartTransition).effects.some((effect) => effect.do === "stop" && effect.process === child) // as above
  )

/** Lets XState take what the process took. */
const taken = (
  oracle: Oracle.Oracle,
  input: ProcessEvent,
  atMs: number,
  chart: ChartState | undefined,
  host: TestHost.TestHost,
  log: ReadonlyArray<ProcessEvent>
) =>
  Effect.gen(function* () {
    const { eventType, payload } = input
    const name = signalNameOf(eventType)
    if (name !== undefined) return oracle.send({ ...(payload as object), type: name }, atMs) // an object: see `Signal`
    if (eventType === "process.child_ended") {
      const { child_id: childId } = payload as { readonly child_id: string } // written by the library
      const [actor] = Object.entries(chart?.children ?? {}).find(([, child]) => child.process === childId) ?? []
      const output = (yield* host.row(childId))?.snapshot.context.output
      const end = output?._tag === "Success" ? { output: output.value } : { error: output }
      if (actor === undefined) {
        if (!hadEnded(childId, input, log)) return oracle.seen()
        const actorId = childId.slice(`${id}/`.length).replace(/:\d+$/, "")
        return oracle.send(
          { type: `xstate.${"output" in end ? "done" : "error"}.actor.${actorId}`, actorId, ...end },
          atMs
        )
      }
      if (!oracle.children().includes(actor)) throw new Broken(`the actor \`${actor}\` ended, and XState has none`)
      oracle.endChild(actor, end, atMs)
      return oracle.seen()
    }
    const { event, timer } = payload as { readonly event: AnyEventObject; readonly timer?: string } // as above
    if (event.type.startsWith("error.action.")) return oracle.send(event, atMs)
    const own = timer === undefined ? oracle.takeOwn(atMs) : oracle.fire(atMs)
    if (own === undefined)
      throw new Broken(`the process took \`${event.type}\`, which XState does not have at this time`)
    same("by itself", "event", own.type, event.type)
    return oracle.seen()
  })

const same = (at: string, what: string, xstate: unknown, process: unknown): void => {
  if (jsonEquals(json(xstate), json(process))) return
  throw new Broken(
    `another ${what} ${at}: XState has ${JSON.stringify(xstate)}, the process ${JSON.stringify(process)}`
  )
}

const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value ?? null, asStored))

/** An actor in a context is stored by its id. */
const asStored = (_key: string, value: unknown): unknown =>
  typeof value === "object" && value !== null && "sessionId" in value && "getSnapshot" in value && "id" in value
    ? { xstate$$type: 1, id: value.id }
    : value
