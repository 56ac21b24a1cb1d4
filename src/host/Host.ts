/**
 * The host itself: its supervision tree as running fibers, readable at any time as a value.
 *
 * ```
 * host ┬ store writer        a part of the store, which restarts itself
 *      ├ owner ┬ lease renewer
 *      │       ├ process actors ─ one node for each body
 *      │       ├ admission     admits queued processes as slots free up
 *      │       ├ recheck       checks rows that a commit pointed at
 *      │       └ sweep
 *      ├ timer driver
 *      ├ parent close        asks the children of processes that close
 *      ├ wake driver         hands the wakes of sessions to the host's sink
 *      └ change feed         reads what other OS processes commit
 * ```
 * Invariant: what fails in here is restarted here. A body is never restarted in place: its defect is its outcome.
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as LogLevel from "effect/LogLevel"
import * as Queue from "effect/Queue"
import type * as Stream from "effect/Stream"
import type { HostEvent, HostFailure } from "../../machines/host.ts"
import { hostMachine } from "../../machines/host.ts"
import * as Step from "../../machines/xstate/step.ts"
import { loadJudge } from "../model/EventType.ts"
import type { ProcessId } from "../model/ids.ts"
import type { UnderWay } from "../model/JournalEntry.ts"
import type { Lease } from "../model/Lease.ts"
import type { Registration } from "../model/Registration.ts"
import { underWayIn } from "../runtime/body/underWay.ts"
import { ChangeHub } from "../runtime/client/ChangeHub.ts"
import { Engines } from "../runtime/engine/EngineRegistry.ts"
import * as Latch from "../runtime/Latch.ts"
import { RuntimeConfig } from "../runtime/RuntimeConfig.ts"
import { Worker } from "../runtime/worker/Worker.ts"
import type { DueElsewhere } from "../store/ProcessStore.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import { LeaseRenewer } from "../supervision/LeaseRenewer.ts"
import * as Loop from "../supervision/Loop.ts"
import { Owner } from "../supervision/Owner.ts"
import { ParentClose } from "../supervision/ParentClose.ts"
import { RecoverySweep } from "../supervision/RecoverySweep.ts"
import type { Child, TreeNode } from "../supervision/Supervisor.ts"
import * as Supervisor from "../supervision/Supervisor.ts"
import { TimerDriver } from "../supervision/TimerDriver.ts"
import { WakeDriver } from "../supervision/WakeDriver.ts"
import * as HostEvents from "./HostEvents.ts"

export type { TreeNode } from "../supervision/Supervisor.ts"
export type { HostEvent } from "./HostEvents.ts"

/** The state of a host. */
export type HostState = "starting" | "running" | "stopping" | "failing" | "stopped" | "failed"

/** What a host knows of itself and no store does: explanations use it. */
export interface HostFacts {
  /** Whether this host has the engine that a process asks for, in its version. */
  readonly engine: (registration: Registration) => "present" | "missing"
  /** How many bodies could begin to work now, of how many at once. */
  readonly slots: () => { readonly free: number; readonly total: number }
  /** What runs here: the lease of each activation, and whether its body does nothing but wait. */
  readonly activations: () => ReadonlyArray<{ readonly lease: Lease; readonly isWaiting: boolean }>
  /** What the body of a process has under way; `undefined` when it does not run here. */
  readonly underWay: (id: ProcessId) => ReadonlyArray<UnderWay> | undefined
}

/** A running host. */
export class Host extends Context.Tag("holdfast/host/Host")<
  Host,
  {
    readonly state: Effect.Effect<HostState>
    /** The present supervision tree: what runs, in which state, how often it was restarted, and why. */
    readonly tree: Effect.Effect<TreeNode>
    /** Waits until the host fails: until its tree could not be kept up. What it ran was handed back by then. */
    readonly awaitFailure: Effect.Effect<HostFailure>
    /**
     * What happens to the processes of the store, whichever program does it, for a host that projects them or alerts. Each run
     * begins with `Resync`; a slow reader holds nothing up. It costs nothing while it is not run.
     */
    readonly events: Stream.Stream<HostEvents.HostEvent>
    readonly facts: HostFacts
  }
>() {}

/** Runs the host for as long as the layer lives. Then it stops in reverse: sweep, bodies, lease renewer. */
export const layer: Layer.Layer<
  Host,
  never,
  | ProcessStore
  | ChangeHub
  | Engines
  | Worker
  | LeaseRenewer
  | RecoverySweep
  | Owner
  | TimerDriver
  | ParentClose
  | WakeDriver
  | RuntimeConfig
> = Layer.scoped(
  Host,
  Effect.gen(function* () {
    yield* loadJudge
    const store = yield* ProcessStore
    const engines = yield* Engines
    const hub = yield* ChangeHub
    const { slots, running } = yield* Worker
    const tree = yield* treeOf
    const failed = yield* Deferred.make<HostFailure>()
    let { snapshot, commands } = Step.begin(hostMachine, undefined)
    let fiber: Fiber.RuntimeFiber<void> | undefined

    const advance = (event: HostEvent): Effect.Effect<void> =>
      Effect.suspend(() => {
        ;({ snapshot, commands } = Step.advance(hostMachine, snapshot, event))
        return perform
      })

    const perform: Effect.Effect<void> = Effect.suspend(() =>
      Effect.forEach(
        commands,
        (command) => {
          switch (command.type) {
            case "startTree":
              return startTree
            case "stopTree":
              return fiber === undefined ? Effect.void : Effect.asVoid(Fiber.interruptFork(fiber))
            case "announceFailure":
              return Effect.zipRight(
                Effect.logFatal(`the host failed: ${command.params.child}: ${command.params.problem}`),
                Deferred.succeed(failed, { child: command.params.child, problem: command.params.problem })
              )
          }
        },
        { discard: true }
      )
    )

    const startTree: Effect.Effect<void> = Effect.gen(function* () {
      const run = tree.run.pipe(
        Effect.catchAll((failure) => advance({ type: "supervisor.escalated", ...failure })),
        Effect.ensuring(Effect.suspend(() => advance({ type: "tree.stopped" })))
      )
      // Started where nothing can interrupt; it must hear when it is asked to stop.
      fiber = yield* Effect.fork(Effect.interruptible(run))
    })

    // The tree's fiber is this one's child and outlives every wait in it; the finalizer below waits for its end.
    const life = yield* Effect.forkScoped(
      Effect.uninterruptibleMask((restore) =>
        perform.pipe(
          Effect.zipRight(advance({ type: "host.started" })),
          Effect.zipRight(Effect.exit(restore(Effect.never))),
          Effect.zipRight(advance({ type: "host.stop_requested" })),
          Effect.zipRight(Effect.suspend(() => (fiber === undefined ? Effect.void : Fiber.await(fiber))))
        )
      )
    )
    yield* Effect.addFinalizer(() => Fiber.interrupt(life))

    return Host.of({
      state: Effect.sync(() => snapshot.value as HostState), // the machine's states
      tree: Effect.sync(() => {
        const { children, ...host } = tree.node()
        return { ...host, state: snapshot.value as HostState, children: [...store.parts(), ...children] }
      }),
      awaitFailure: Deferred.await(failed),
      events: HostEvents.make(store, hub),
      facts: {
        engine: (registration) => (engines.has(registration) ? "present" : "missing"),
        slots,
        activations: () =>
          running.all().map(({ lease, ends }) => ({ lease, isWaiting: ends.idleSinceMs() !== undefined })),
        underWay: (id) => {
          const activation = running.of(id)
          return activation && underWayIn(activation)
        }
      }
    })
  })
)

const treeOf = Effect.gen(function* () {
  const worker = yield* Worker
  const renewer = yield* LeaseRenewer
  const owner = yield* Owner
  const sweep = yield* RecoverySweep
  const timers = yield* TimerDriver
  const parentClose = yield* ParentClose
  const wakes = yield* WakeDriver
  const { shutdownMs } = yield* RuntimeConfig

  const ownerTree = Supervisor.make({
    ...Supervisor.defaults,
    name: "owner",
    strategy: "one_for_one",
    children: [
      loop("lease renewer", renewer.run),
      {
        ...loop("process actors", owner.run),
        // Bodies have this long to let go, owner-bound work as long to be given up, and rows as long to be handed over.
        shutdownMs: 3 * shutdownMs + 1_000,
        below: () => {
          const phases = new Map(worker.running.all().map(({ id, phase }) => [id as string, phase]))
          const children = owner.processes().map((node) => {
            const phase = phases.get(node.name)
            return phase === undefined ? node : { ...node, note: [phase, node.note].join(", ") }
          })
          return { children, note: `${owner.state()}, ${children.length} at work` }
        }
      },
      loop("admission", worker.admission),
      loop("recheck", worker.recheck),
      loop("sweep", sweep.run)
    ]
  })
  return Supervisor.make({
    ...Supervisor.defaults,
    name: "host",
    strategy: "one_for_one",
    children: [
      loop("timer driver", timers.run),
      loop("parent close", parentClose.run),
      loop("wake driver", wakes.run),
      loop("change feed", yield* externalCommits),
      // It stops first: bodies that clean up may still wait for what the others bring.
      {
        ...loop("owner", ownerTree.run),
        shutdownMs: 3 * shutdownMs + 5_000,
        below: () => ({ kind: "supervisor", children: ownerTree.node().children, note: owner.identity.ownerId })
      }
    ]
  })
})

/** How often the store is asked what other OS processes committed, while there are waiters or actors. Units: milliseconds. */
const pollMs = 20

/** How many actors read side by side what other programs did to their processes: the next look waits for them. */
const reminders = 16

/** How long rows are left to the host that made them due: it takes them up at once if it can. Units: milliseconds. */
const graceMs = 4

/**
 * Notices what other OS processes commit to the same store: waiters read again, actors get their hints, and rows that are due and
 * free are taken up. Where the others say that they have committed, it looks at once.
 *
 * Waiters poll on their own, a lost lease shows at the next renewal or write, and sweeps find due rows; but that a body is asked to
 * stop, only its actor can tell it. So an actor hears of each change at least once, also where a read fails.
 */
const externalCommits = Effect.gen(function* () {
  const store = yield* ProcessStore
  const hub = yield* ChangeHub
  const { check, isStarting, running } = yield* Worker
  const { wake: sweep } = yield* RecoverySweep
  const latch = Latch.make()
  const left = yield* Queue.unbounded<DueElsewhere>()
  /** What was changed, and whose actor has not heard of it: the store says it once. */
  const unheard = new Set<ProcessId>()
  yield* store.onExternalCommit?.((due) => {
    latch.wake()
    if (due.length > 0) left.unsafeOffer(due)
  }) ?? Effect.void
  const round = Effect.gen(function* () {
    if (hub.size() === 0 && running.all().length === 0) return pollMs
    for (const id of yield* hub.look(store.externalChanges)) unheard.add(id)
    // One that is about to run here was begun from a row of before: its actor hears of it as soon as there is one.
    const ready = [...unheard].filter((id) => !isStarting(id))
    const remind = (id: ProcessId) => Effect.map(running.remind(id), () => unheard.delete(id))
    yield* Effect.forEach(ready, remind, { concurrency: reminders, discard: true })
    return pollMs
  })
  const loop = Loop.run({
    round,
    problem: "commits of other programs not read",
    retryMs: pollMs,
    latch,
    level: LogLevel.Debug
  })
  const takeUp = Effect.gen(function* () {
    const first = yield* Queue.take(left)
    yield* Effect.sleep(graceMs)
    const all = [first, ...(yield* Queue.takeAll(left))]
    check(new Set(all.flatMap((due) => (due === "many" ? [] : due))))
    if (all.includes("many")) yield* sweep
  })
  return Effect.zipRight(Effect.zipRight(Effect.sleep(pollMs), loop), Effect.forever(takeUp), { concurrent: true })
})

/** A loop that is always wanted and lets go at once. */
const loop = (name: string, run: Child["run"]): Child => ({ name, restart: "permanent", shutdownMs: 5_000, run })
