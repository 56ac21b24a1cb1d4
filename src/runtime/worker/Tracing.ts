/**
 * One span for each activation, across restarts: the context of a span is written with the fact that its activation began.
 *
 * ```
 * caller's span ─► activation 1 ─┐ link           (a host was killed; another one sweeps)
 *                   └ activation 2 ◄┘ ─► link ─► activation 3 …   all in the trace of the first one
 * ```
 * Invariant: the log says which span an activation has, so nothing of a trace lives in memory alone. Without a tracer no span
 * is made, nothing is read, and nothing is added to a row.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import type { AwaitOutput } from "../../model/AwaitOutput.ts"
import type { RuntimeError } from "../../model/failures.ts"
import * as Ids from "../../model/ids.ts"
import type { ProcessEvent } from "../../model/ProcessEvent.ts"
import type { Registration } from "../../model/Registration.ts"
import type { ProcessRow } from "../../store/Decision.ts"
import type { ProcessStore } from "../../store/ProcessStore.ts"
import type { Ready } from "../engine/EngineRegistry.ts"

/** The tracer that activations are traced with. @default none */
export class Tracing extends Context.Reference<Tracing>()("holdfast/runtime/Tracing", {
  defaultValue: (): Tracer.Tracer | undefined => undefined
}) {}

/** A body that is ready to run in a span of its own; `trace` is that span's context, as a `traceparent`. */
export interface Traced extends Ready {
  readonly trace?: string
}

/** Puts a body into the span of the activation that is about to begin; `row` is absent for a process that is just started. */
export type Trace = (body: Ready, registration: Registration, row?: ProcessRow) => Effect.Effect<Traced>

/** Traces with the tracer in context; without one bodies stay as they are. */
export const make = (store: typeof ProcessStore.Service): Effect.Effect<Trace> =>
  Effect.map(Tracing, (tracer) => (tracer === undefined ? Effect.succeed : tracedBy(tracer, store)))

/** A span's context in the form of the W3C recommendation: `00-{trace}-{span}-{flags}`. */
export const traceparent = ({ traceId, spanId, sampled }: Tracer.AnySpan): string =>
  `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`

/** Reads a `traceparent`; `undefined` for anything else. */
export const spanOf = (text: unknown): Tracer.ExternalSpan | undefined => {
  const [, traceId, spanId, flags] = typeof text === "string" ? (form.exec(text) ?? []) : []
  return traceId === undefined || spanId === undefined
    ? undefined
    : Tracer.externalSpan({ traceId, spanId, sampled: flags === "01" })
}

const form = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/

const tracedBy =
  (tracer: Tracer.Tracer, store: typeof ProcessStore.Service): Trace =>
  (body, registration, row) =>
    Effect.gen(function* () {
      const { id, identity } = registration
      const activation = (row?.snapshot.context.activations ?? 0) + 1
      const before = row === undefined ? undefined : yield* startOf(store, id, activation - 1)
      const first = activation > 2 ? yield* startOf(store, id, 1) : before
      const cause = row === undefined ? undefined : yield* eventAt(store, row)
      // The caller that starts a process is its cause; a sweep is none.
      const parent = row === undefined ? Option.getOrUndefined(yield* callerSpan) : first
      const span = yield* Effect.makeSpan(`activation ${identity.kind}`, {
        kind: "consumer",
        captureStackTrace: false,
        ...(parent === undefined ? { root: true } : { parent }),
        links:
          before === undefined ? [] : [{ _tag: "SpanLink", span: before, attributes: { "holdfast.link": "before" } }],
        attributes: {
          "holdfast.process.id": id,
          "holdfast.process.kind": identity.kind,
          "holdfast.activation": activation,
          ...(cause === undefined
            ? {}
            : { "holdfast.cause.type": cause.eventType, "holdfast.cause.sequence": cause.sequence })
        }
      }).pipe(Effect.withTracer(tracer))
      return { ...body, trace: traceparent(span), run: (context) => within(tracer, span, body.run(context)) }
    })

/** A span that never ends is never exported: one whose activation did not begin, or whose host was killed. */
const within = (
  tracer: Tracer.Tracer,
  span: Tracer.Span,
  body: Effect.Effect<AwaitOutput, RuntimeError>
): Effect.Effect<AwaitOutput, RuntimeError> =>
  body.pipe(
    Effect.withParentSpan(span),
    Effect.withTracer(tracer),
    Effect.onExit((exit) =>
      Effect.clockWith((clock) =>
        Effect.sync(() => {
          span.attribute("holdfast.outcome", outcomeOf(exit))
          span.end(clock.unsafeCurrentTimeNanos(), exit)
        })
      )
    )
  )

const outcomeOf = (exit: Exit.Exit<AwaitOutput, RuntimeError>): string => {
  if (Exit.isSuccess(exit)) return exit.value._tag
  return Exit.isInterrupted(exit) ? "Interrupted" : "Defect"
}

const callerSpan: Effect.Effect<Option.Option<Tracer.AnySpan>> = Effect.map(
  Effect.context<never>(),
  Context.getOption(Tracer.ParentSpan)
)

/** What cannot be read is no link: an activation never fails for its trace. */
const startOf = (
  store: typeof ProcessStore.Service,
  id: Ids.ProcessId,
  activation: number
): Effect.Effect<Tracer.ExternalSpan | undefined> =>
  store.execution.eventByKey(id, Ids.startedReplayKey(id, activation)).pipe(
    Effect.map((event) => spanOf((event?.payload as StartedPayload | undefined)?.started?.trace)),
    Effect.orElseSucceed(() => undefined)
  )

/** The payload of `process.started`, as far as a trace goes. */
interface StartedPayload {
  readonly started?: { readonly trace?: unknown }
}

/** What happened last is what the activation is for. */
const eventAt = (store: typeof ProcessStore.Service, row: ProcessRow): Effect.Effect<ProcessEvent | undefined> =>
  store.recentEvents(row.base.registration.id, 1).pipe(
    Effect.map(([event]) => event),
    Effect.orElseSucceed(() => undefined)
  )
