/**
 * A machine as a chart: its values as JSON and back, by the schemas of its engine, and the checks of what cannot be durable.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { AnyMachineSnapshot, AnyStateMachine } from "xstate"
import { acceptedIn, structureOf, structureRule } from "../../../machines/chart/definition.ts"
import type { Asked } from "../../../machines/chart/faults.ts"
import { impureIn, whyNoRest } from "../../../machines/chart/faults.ts"
import type { Macrostep, RawEffect } from "../../../machines/chart/macrostep.ts"
import * as Macrosteps from "../../../machines/chart/macrostep.ts"
import type { ChartPlace } from "../../../machines/chart/scope.ts"
import type { ChartEvent, ChartState, PendingAction } from "../../../machines/chart/state.ts"
import { InputInvalid } from "../../model/errors.ts"
import { describe } from "../../model/Failure.ts"
import type { Taking } from "../../model/json.ts"
import { canonicalText, copyOf, hashOf, snapshot, withAdvice } from "../../model/json.ts"
import { Limits } from "../../operations/checks.ts"
import type { Chart } from "../../operations/decisions/chartStep.ts"
import type { ProcessRow } from "../../store/Decision.ts"
import type { Performer, Performers } from "../body/chart.ts"
import type { ExecutionContext } from "../body/ExecutionContext.ts"
import { withDelays } from "./delays.ts"
import { check } from "./durability.ts"
import type { Runnable } from "./Engine.ts"
import * as Engines from "./Engine.ts"
import type { Action, Actor, MachineOptions, SchemaFor } from "./MachineOptions.ts"
import { schemaOf } from "./MachineOptions.ts"
import { decoderOf, encodingOf } from "./outcomes.ts"
import type { AnySignal, Signal } from "./Signal.ts"
import type { Startable } from "./Startable.ts"
import { registrationOf } from "./Startable.ts"

/** A chart, what performs its actions, and the engines of its actors. */
export interface ChartParts<R> {
  readonly chart: Chart
  readonly performers: Performers<R>
  readonly parts: ReadonlyArray<Runnable<R>>
  /** A stored state as the program knows it. Throws `InputInvalid` for one that its machine or schemas do not have. */
  readonly read: (row: ProcessRow, state: ChartState) => ReadState
}

/** A stored state: XState's snapshot of it, and the output that it ended with. */
export interface ReadState {
  readonly snapshot: AnyMachineSnapshot
  readonly output?: unknown
}

/** What a chart is made of besides its machine. */
export interface ChartOptions<R> extends Omit<MachineOptions<AnyStateMachine, R>, "events"> {
  readonly kind: string
  readonly signals: ReadonlyArray<Signal<string, unknown>>
}

/** Makes the chart of a machine. Throws `InputInvalid` for what cannot be durable. */
export const chartOf = <R>(given: AnyStateMachine, options: ChartOptions<R>): ChartParts<R> => {
  const { version, signals } = options
  const machine = withDelays(given)
  check(machine, options)
  const actors = actorsOf(options)
  const structure = structureOf(machine)
  const definition = { id: machine.id, version, hash: hashOf(structure) }
  const events = new Map(signals.map((signal) => [signal.signal as string, signal]))
  const of = `machine \`${machine.id}\``
  const context = codecOf("context", of, options.context)
  const output = codecOf("output", of, options.output)
  const input = codecOf("input", of, options.input)

  /** An event as the machine has it: its fields as their schemas decode them. */
  const decodeEvent = ({ src, ...event }: ChartEvent): ChartEvent => {
    const { type, ...fields } = event
    const signal = events.get(type)
    if (signal !== undefined) return { ...(now(signal.decode(fields)) as object), type }
    const actor = typeof src === "string" ? actors.get(src) : undefined
    return actor !== undefined && type.startsWith("xstate.done.actor.")
      ? { ...event, output: now(actor.decodeSuccess(event.output)) }
      : event
  }

  const sent = (event: ChartEvent, taking: Taking): ChartEvent =>
    json(`event \`${event.type}\``, event, taking) as ChartEvent // an object with a type

  const encodeEffect = (effect: RawEffect, taking: Taking): RawEffect => {
    switch (effect.do) {
      case "act":
        return {
          ...effect,
          context: context.encode(effect.context, taking),
          params:
            effect.params === undefined ? undefined : json(`params of action \`${effect.name}\``, effect.params, taking)
        }
      case "arm":
      case "send":
      case "emit":
        return { ...effect, event: sent(effect.event, taking) }
      case "log":
        return { ...effect, value: json("what is logged", effect.value, taking) }
      default:
        return effect
    }
  }

  const encoded = (step: Macrostep, taking: Taking): Macrostep => ({
    ...step,
    context: context.encode(step.context, taking),
    ...(step.end === undefined
      ? {}
      : {
          end:
            step.end.status === "done"
              ? { status: "done", output: output.encode(step.end.output, taking) }
              : { status: "error", error: reported(step.end.error, taking) }
        }),
    effects: step.effects.map((effect) => encodeEffect(effect, taking))
  })

  /** Guards and assigns must be pure: in development each macrostep is taken twice, and must come to the same. */
  const agreed = (asked: Asked, take: () => Macrostep): Macrostep => {
    const step = take()
    if (!isDeveloping) return step
    const again = take()
    const differing = (["value", "context", "effects", "end"] as const).find(
      (part) => comparable(step[part]) !== comparable(again[part])
    )
    if (differing === undefined) return step
    const { type } = asked().event
    const impure = impureIn(machine, asked, comparable)
    const cause = impure === undefined ? "" : `: ${impure} gives another answer each time`
    throw new InputInvalid({
      field: `machine \`${machine.id}\``,
      problem: `is impure: event \`${type}\` taken twice in state ${JSON.stringify(step.value)} gave another ${differing}${cause}. Take time and chance from events or input, and act in actions`
    })
  }

  const viewOf = (row: ProcessRow, state: ChartState): AnyMachineSnapshot =>
    Macrosteps.view(machine, state, context.decode(state.context), placeOf(row))

  const chartUnder = (taking: Taking): Chart => ({
    under: chartUnder,
    kind: options.kind,
    definition,
    body: canonicalText({
      ...definition,
      rule: structureRule,
      structure,
      events: Object.fromEntries(signals.map(({ signal, type }) => [signal, type.payloadSchema.schema]))
    }),
    eventTypes: signals.map(({ type }) => type),
    migrates: Object.keys(options.migrate ?? {}),
    migrate: (row, state) => {
      const migrate = options.migrate?.[state.definition.version]
      if (migrate === undefined) {
        const problem = `has no migration from version ${state.definition.version}`
        throw new InputInvalid({ field: `machine \`${machine.id}\``, problem })
      }
      const { value, context: migrated, history = {}, cancel = {} } = migrate(copyOf(state), placeOf(row))
      const { timers = [], children = [] } = cancel
      const kept = Object.fromEntries(Object.entries(state.children).filter(([id]) => !children.includes(id)))
      const legal = Macrosteps.view(
        machine,
        { value, history, children: kept },
        context.decode(context.encode(migrated, taking)),
        placeOf(row)
      )
      // XState fills in a region that is missing, and says nothing of it.
      if (canonicalText(legal.value) !== canonicalText(value)) {
        const problem = `became ${JSON.stringify(value)}, which is no state of version ${version}: ${JSON.stringify(legal.value)} is`
        throw new InputInvalid({ field: `migration of machine \`${machine.id}\``, problem })
      }
      const restless = whyNoRest(legal)
      if (restless !== undefined) {
        const problem = `became ${JSON.stringify(value)}, which ${restless}`
        throw new InputInvalid({ field: `migration of machine \`${machine.id}\``, problem })
      }
      const taken = new Set<string>(machine.events) // XState's own events among them
      return {
        step: {
          value,
          context: context.encode(migrated, taking),
          history,
          handled: true,
          effects: [
            ...timers.map((id) => ({ do: "disarm", id }) as const),
            ...children.map((id) => ({ do: "stop", id }) as const)
          ]
        },
        unknown: {
          timers: state.timers.flatMap(({ id, event }) => (timers.includes(id) || taken.has(event.type) ? [] : [id])),
          children: Object.entries(kept).flatMap(([id, { src }]) => (actors.has(src) ? [] : [id]))
        }
      }
    },
    begin: (row) =>
      agreed(
        () => ({ context: undefined, event: { type: "xstate.init", input: input.decode(payloadOf(row)) } }),
        () => encoded(Macrosteps.begin(machine, input.decode(payloadOf(row)), placeOf(row)), taking)
      ),
    take: (row, state, event) => {
      const asked = () => ({ context: context.decode(state.context), event: decodeEvent(event) })
      return agreed(asked, () => {
        const { context: before, event: decoded } = asked()
        return encoded(Macrosteps.take(machine, state, before, decoded, placeOf(row)), taking)
      })
    },
    can: (row, state, event) => viewOf(row, state).can(decodeEvent(event)),
    accepts: ({ value }) => acceptedIn(structure, value, [...events.keys()]),
    performs: (action) => Object.hasOwn(options.actions ?? {}, action),
    isDetached: (action) => isDetached(options.actions?.[action]),
    sourceOf: (kind) => [...actors].find(([, actor]) => actor.kind === kind)?.[0],
    child: (row, src, given, id) => {
      const actor = actors.get(src)
      if (actor === undefined) {
        throw new InputInvalid({ field: `actors of machine \`${machine.id}\``, problem: `has no \`${src}\`` })
      }
      const { provenance, envRef } = row.base.registration
      const { wakeTarget } = row.snapshot.context
      const parentId = row.base.registration.id
      const spec = {
        id,
        payload: given,
        provenance: { originator: provenance.originator, causedBy: { _tag: "Process", processId: parentId } },
        parent: { processId: parentId, closePolicy: "cancel" },
        ...(wakeTarget === null ? {} : { wakeTarget })
      } as const
      const environment = envRef === undefined ? [] : [Effect.succeed(envRef)]
      return now(Effect.either(registrationOf(actor, spec, ...environment)), taking)
    }
  })

  const performer = (action: Action<AnyStateMachine, unknown, R>): Performer<R> => {
    const { run, retry, onFailure = "fail" } = typeof action === "function" ? { run: action } : action
    return {
      onFailure,
      run: (pending: PendingAction, seen, work) => {
        const effect = run({ context: context.decode(seen), event: decodeEvent(pending.event) }, pending.params, work)
        return retry === undefined ? effect : Effect.retry(effect, retry)
      }
    }
  }
  return {
    chart: chartUnder({}),
    performers: new Map(
      Object.entries(options.actions ?? {}).flatMap(([name, action]) =>
        action === undefined ? [] : [[name, performer(action)] as const]
      )
    ),
    parts: partsOf(actors),
    read: (row, state) => ({
      snapshot: viewOf(row, state),
      ...(state.end?.status === "done" ? { output: output.decode(state.end.output ?? null) } : {})
    })
  }
}

/** Stored values and the machine's own. Both directions throw `InputInvalid`. */
interface Codec {
  readonly encode: (value: unknown, taking: Taking) => unknown
  readonly decode: (stored: unknown) => unknown
}

const codecOf = (what: string, of: string, schema: SchemaFor<unknown> | undefined): Codec => {
  if (schema === undefined) {
    return { encode: (value, taking) => json(`${what} of ${of}`, value, taking), decode: copyOf }
  }
  const encode = encodingOf([what, of], schemaOf(schema))
  const decode = decoderOf([what, of], schemaOf(schema))
  return {
    encode: (value, taking) => {
      const encoded = encode(value, taking)
      const isKept = Either.isEither(encoded) && Either.isRight(encoded)
      return now(isKept ? encoded : Effect.orElse(encoded, () => encode(withoutActors(value), taking)))
    },
    decode: (stored) => now(decode(stored))
  }
}

/** A value as JSON. References to actors become what XState stores of them. */
const json = (field: string, value: unknown, taking: Taking): unknown =>
  Either.getOrElse(snapshot(value, taking), () =>
    Either.getOrThrowWith(
      snapshot(withoutActors(value), taking),
      (found) => new InputInvalid({ field: `${field}${found.path}`, problem: withAdvice(found) })
    )
  )

const withoutActors = (value: unknown): unknown => {
  if (typeof value !== "object" || value === null) return value
  if (Array.isArray(value)) return value.map(withoutActors)
  if ("sessionId" in value && "getSnapshot" in value && "id" in value) return { xstate$$type: 1, id: value.id }
  return isPlain(value)
    ? Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, withoutActors(inner)]))
    : value
}

const isPlain = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** Runs what is synchronous: encoding, decoding, judging a payload. Throws what it fails with. */
const now = <A, E>(effect: Effect.Effect<A, E>, taking: Taking = {}): A => {
  if (Either.isEither(effect)) return Either.getOrThrowWith(effect as Either.Either<A, E>, (error) => error) // an effect of that type
  const exit = Effect.runSyncExit(Effect.provideService(effect, Limits, taking))
  if (Exit.isSuccess(exit)) return exit.value
  throw Option.getOrElse(Cause.failureOption(exit.cause), () => Cause.squash(exit.cause))
}

/** A part of a step as text. The input of a child is not encoded yet: an effect that is no JSON is not compared. */
const comparable = (part: unknown): string =>
  canonicalText([part].flat().map((each) => Either.getOrNull(snapshot(each, { halfSurrogates: "replace" }))))

const isDeveloping = ["development", "test"].includes(process.env.NODE_ENV ?? "")

/** An error that escaped the machine: the output of a child that failed, or what an event carried. */
const reported = (error: unknown, taking: Taking): unknown =>
  Either.getOrElse(snapshot(error instanceof Error ? describe(error) : error, taking), () => describe(error))

const placeOf = ({ base: { registration }, snapshot: { context } }: ProcessRow): ChartPlace => ({
  processId: registration.id,
  ...(registration.parent === undefined ? {} : { parentId: registration.parent.processId }),
  revision: (context.chart?.revision ?? -1) + 1
})

const payloadOf = ({ base: { registration } }: ProcessRow): unknown =>
  registration.input._tag === "Engine" ? registration.input.payload : null

const isDetached = <R>(action: Action<AnyStateMachine, never, R> | undefined): boolean =>
  typeof action === "object" && action.detached === true

/** What runs the actors of a machine: what can be started is taken as it is, a function becomes an engine of its own. */
const actorsOf = <R>({ actors = {}, kind, version, migrate = {} }: ChartOptions<R>): ReadonlyMap<string, AnyActor<R>> =>
  new Map(
    Object.entries<Actor<unknown, unknown, R>>(actors as Readonly<Record<string, Actor<unknown, unknown, R>>>).map(
      ([name, actor]) => [
        name,
        typeof actor === "function"
          ? Engines.make(`${kind}.${name}`, {
              version,
              // A machine that takes over an earlier version takes over its actors, too.
              accepts: Object.keys(migrate),
              payload: Schema.Unknown,
              success: Schema.Unknown,
              disposition: "rerunnable",
              run: actor as (input: unknown, context: ExecutionContext) => Effect.Effect<unknown, never, R> // an error of any type fails it
            })
          : (actor as AnyActor<R>) // what can be started
      ]
    )
  )

/** Something that runs an actor; an engine is run by this program, too. */
type AnyActor<R> = Startable<unknown, unknown, unknown, AnySignal> & Partial<Runnable<R>>

const partsOf = <R>(actors: ReadonlyMap<string, AnyActor<R>>): ReadonlyArray<Runnable<R>> =>
  [...actors.values()].flatMap((actor) =>
    typeof actor.kind === "string" && typeof actor.prepare === "function" ? [actor as Runnable<R>] : []
  )
