/**
 * The engines of the crash workload. Every body first says that it began, outside the database.
 *
 * A body has no more rights here than anywhere: what it writes, it writes under the lease of its own activation.
 */
import { existsSync } from "node:fs"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Schema from "effect/Schema"
import { Engine, Errors, Ids, Signal, type SingleHost } from "../../src/index.ts"
import type { Lease, ProcessEvent } from "../../src/model.ts"
import { Leases, ProcessRegistry, Waits } from "../../src/operations.ts"
import type { ExecutionContext } from "../../src/runtime/body/ExecutionContext.ts"
import { say } from "./sideLog.ts"

/** The services of the host that runs the engines, for bodies that write more than their context offers. */
export const services: Deferred.Deferred<Context.Context<SingleHost.HostServices>> = Deferred.unsafeMake(FiberId.none)

/** What a body of `held` hands out to whoever plays its zombie. */
export const captured: Deferred.Deferred<{
  readonly lease: Lease.Lease
  readonly context: ExecutionContext
  readonly cancelChild: Effect.Effect<unknown, { readonly _tag: string }>
}> = Deferred.unsafeMake(FiberId.none)

/** The process that a zombie loses: it has a child, which it loses too. */
export const heldId = "held"

/** The signal that listeners wait for. */
export const signalName = "go"

/** What nobody ever sends. */
const Never = Signal.make("never", { payload: Schema.Null })

/** What is sent to sleepers that have left memory, and only to those. */
export const riseName = "rise"
const Rise = Signal.make(riseName, { payload: Schema.Null })

/** The key of a listener's one wait. */
export const waitKey = (id: string): string => Ids.signalWaitKey(Ids.processId(id), signalName, 1)

/** The engines, writing to one side log; the bodies that are held go on once the gate file exists. */
export const make = (sideLog: string, gate: string) => {
  const began = (kind: string, { processId, fencingToken }: ExecutionContext) =>
    Effect.sync(() => say(sideLog, { fact: "began", kind, id: processId, fence: fencingToken }))
  const gateOpens = Effect.repeat(
    Effect.delay(
      Effect.sync(() => existsSync(gate)),
      "10 millis"
    ),
    { until: (is) => is }
  )

  const Step = Engine.make("step", {
    version: "1",
    payload: Schema.Number,
    success: Schema.Number,
    disposition: "rerunnable",
    run: (n, ctx) =>
      ofBody(
        Effect.gen(function* () {
          yield* began("step", ctx)
          const square = yield* ctx.step(
            "square",
            Effect.sync(() => n * n)
          )
          yield* Effect.sleep("2 millis")
          return square
        })
      )
  })

  const Once = Engine.make("once", {
    version: "1",
    payload: Schema.Number,
    success: Schema.Number,
    disposition: "owner_bound",
    run: (n, ctx) => Effect.as(Effect.zipRight(began("once", ctx), Effect.sleep("5 millis")), n)
  })

  const Endless = Engine.make("endless", {
    version: "1",
    payload: Schema.Null,
    success: Schema.Null,
    disposition: "rerunnable",
    run: (_, ctx) => Effect.zipRight(began("endless", ctx), Effect.never)
  })

  /** Starts a child that never ends, and does not end either. */
  const Nest = Engine.make("nest", {
    version: "1",
    payload: Schema.Null,
    success: Schema.Null,
    disposition: "rerunnable",
    run: (_, ctx) =>
      Effect.gen(function* () {
        yield* began("nest", ctx)
        yield* ctx.start(Endless, { name: "inner", payload: null })
        return yield* Effect.never
      })
  })

  /** Waits for several children at once, for one that must not run twice, and for one that it stops itself. */
  const Sum = Engine.make("sum", {
    version: "1",
    payload: Schema.Number,
    success: Schema.Number,
    disposition: "rerunnable",
    run: (parts, ctx) =>
      Effect.gen(function* () {
        yield* began("sum", ctx)
        const indexes = Array.from({ length: parts }, (_, index) => index)
        const startStep = (n: number) => ctx.start(Step, { name: `part-${n}`, payload: n })
        const children = yield* Effect.forEach(indexes, startStep, { concurrency: "unbounded" })
        const squares = yield* Effect.forEach(children, (child) => child.await, { concurrency: "unbounded" })
        const once = yield* ctx.start(Once, { name: "once", payload: 1 })
        const extra = yield* Effect.catchTag(once.await, "ProcessAbandoned", () => Effect.succeed(1))
        const quitter = yield* ctx.start(Endless, { name: "quitter", payload: null })
        yield* quitter.cancel("enough").pipe(Effect.catchTag("InputInvalid", (error) => Effect.die(error)))
        yield* Effect.catchTag(quitter.await, "ProcessCancelled", () => Effect.succeed(null))
        return squares.reduce((total, square) => total + square, extra)
      })
  })

  /** Appends a note, then waits for a signal; what it completes with is the sequence of the signal it got. */
  const Listener = Engine.make("listener", {
    version: "1",
    payload: Schema.Null,
    success: Schema.Number,
    disposition: "rerunnable",
    run: (_, ctx) =>
      ofBody(
        Effect.gen(function* () {
          yield* began("listener", ctx)
          const { registry, waits, lease } = yield* own(ctx)
          const id = ctx.processId
          yield* registry.appendEvent(
            id,
            { eventType: "note", payload: {}, replayKey: "note" },
            { _tag: "Body", lease: yield* lease }
          )
          const over = Effect.map(registry.eventsAfter(id, 0), (events) =>
            events.find(({ eventType }) => eventType === "process.resumed")
          )
          if ((yield* over) === undefined) {
            const kind = { name: signalName, eventType: Ids.signalEventType(signalName), key: waitKey(id), ordinal: 1 }
            yield* waits.setProcessWait(
              id,
              { kind: { _tag: "Signal", ...kind }, sinceMs: 0 },
              { _tag: "Body", lease: yield* lease }
            )
          }
          const resumed = yield* Effect.repeat(Effect.delay(over, "10 millis"), {
            until: (event) => event !== undefined
          })
          return signalOf(resumed)
        })
      )
  })

  /** Sleeps, then waits in vain, then until it has left memory; it says what ended its waits. */
  const Sleeper = Engine.make("sleeper", {
    version: "1",
    payload: Schema.Null,
    success: Schema.String,
    signals: [Never, Rise],
    disposition: "rerunnable",
    passivateAfter: "5 millis",
    run: (_, ctx) =>
      ofBody(
        Effect.gen(function* () {
          yield* began("sleeper", ctx)
          yield* ctx.sleep("60 millis")
          const said = yield* Effect.matchEffect(ctx.awaitSignal(Never, { timeout: "30 millis" }), {
            onSuccess: () => Effect.succeed("slept, then was signalled"),
            onFailure: (error) =>
              error._tag === "WaitTimedOut"
                ? Effect.succeed(`slept, then ${error.signal} timed out`)
                : Effect.fail(error)
          })
          yield* ctx.awaitSignal(Rise)
          return said
        })
      )
  })

  const HeldChild = Engine.make("held-child", {
    version: "1",
    payload: Schema.Null,
    success: Schema.String,
    disposition: "rerunnable",
    run: (_, ctx) => Effect.as(Effect.zipRight(began("held-child", ctx), gateOpens), "held")
  })

  /** The child is the body's own to start: whoever runs the body again finds it in the journal, and asks for it again. */
  const Held = Engine.make("held", {
    version: "1",
    payload: Schema.Null,
    success: Schema.String,
    disposition: "rerunnable",
    run: (_, ctx) =>
      ofBody(
        Effect.gen(function* () {
          yield* began("held", ctx)
          const { lease } = yield* own(ctx)
          if (ctx.processId === heldId) {
            const child = yield* ctx.start(HeldChild, { name: "child", payload: null })
            const cancelChild = child.cancel("by a zombie")
            yield* Deferred.succeed(captured, { lease: yield* lease, context: ctx, cancelChild })
          }
          yield* gateOpens
          return "held"
        })
      )
  })

  const HeldOnce = Engine.make("held-once", {
    version: "1",
    payload: Schema.Null,
    success: Schema.String,
    disposition: "owner_bound",
    run: (_, ctx) => Effect.as(Effect.zipRight(began("held-once", ctx), gateOpens), "held")
  })

  return { Step, Once, Endless, Nest, Sum, Listener, Sleeper, Held, HeldChild, HeldOnce }
}

/** The sequence of the signal that ended a wait. */
const signalOf = (resumed: ProcessEvent.ProcessEvent | undefined): number => {
  const payload = resumed?.payload as { readonly outcome: { readonly sequence: number } } | undefined // a signal's
  return payload?.outcome.sequence ?? 0
}

/** The registry and the waits, and the lease of this activation as it stands whenever it is asked for. */
const own = (ctx: ExecutionContext) =>
  Effect.gen(function* () {
    const context = yield* Deferred.await(services)
    const registry = Context.get(context, ProcessRegistry.ProcessRegistry)
    const waits = Context.get(context, Waits.Waits)
    const leases = Context.get(context, Leases.Leases)
    const first = yield* leases.getProcessLease(ctx.processId)
    if (first?.fencingToken !== ctx.fencingToken) return yield* lost(ctx, first)
    // The keeper may have taken the lease again meanwhile, for the same life of the same owner.
    const lease = Effect.flatMap(leases.getProcessLease(ctx.processId), (now) =>
      now?.owner.incarnationId === first.owner.incarnationId ? Effect.succeed(now) : lost(ctx, now)
    )
    return { registry, waits, lease }
  })

const lost = ({ processId, fencingToken }: ExecutionContext, now: Lease.Lease | undefined) =>
  Effect.fail(new Errors.LeaseLost({ processId, fencingToken, currentFence: now?.fencingToken ?? 0 }))

/** What the runtime knows the meaning of is let through; everything else would be a mistake of the workload's own. */
const ofBody = <A, E extends { readonly _tag: string }, R>(
  body: Effect.Effect<A, E, R>
): Effect.Effect<A, Errors.LeaseLost | Errors.StoreError, R> =>
  Effect.catchAll(body, (error: E) =>
    error instanceof Errors.LeaseLost || error instanceof Errors.StoreError ? Effect.fail(error) : Effect.die(error)
  )
