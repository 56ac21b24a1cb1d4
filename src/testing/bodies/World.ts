/**
 * A world in which bodies are interrupted: hosts on one store, one after the other or beside each other, in a time that only a
 * test moves.
 *
 * Invariant: a host that crashed does nothing any more: its store never answers it, and its clock never rings. Its leases stay. A
 * host that froze goes on where it was once it thaws, however late that is.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Scope from "effect/Scope"
import * as SingleHost from "../../host/SingleHost.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { JournalEntry } from "../../model/JournalEntry.ts"
import type { LeaseOwner } from "../../model/Lease.ts"
import { opaqueOwner } from "../../model/Lease.ts"
import { OwnerLiveness } from "../../operations/OwnerLiveness.ts"
import type { Runnable } from "../../runtime/engine/Engine.ts"
import type { SessionRunner } from "../../runtime/engine/SessionTurn.ts"
import type { RunnableTool } from "../../runtime/engine/Tool.ts"
import type { RuntimeOptions } from "../../runtime/RuntimeConfig.ts"
import { Worker } from "../../runtime/worker/Worker.ts"
import * as MemoryStore from "../../store/memory/MemoryStore.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import * as Time from "./Time.ts"

/** One host of the world. */
export interface Life {
  /** Runs an effect on the host, while time moves; dies when it does not end. */
  readonly run: <A, E>(effect: Effect.Effect<A, E, SingleHost.HostServices>) => Effect.Effect<A, E>
  /** Begins an effect on the host, whatever becomes of it. */
  readonly begin: (effect: Effect.Effect<unknown, unknown, SingleHost.HostServices>) => Effect.Effect<void>
  /** Looks for bodies to put away, as the host itself does at least every second. */
  readonly passivate: Effect.Effect<void>
  readonly crash: Effect.Effect<void>
  /** Lets it do nothing, like a machine that sleeps: what it asks its store from here on is asked when it thaws. */
  readonly freeze: Effect.Effect<void>
  readonly thaw: Effect.Effect<void>
  /** Whether it has not crashed. */
  readonly isAlive: () => boolean
  readonly isFrozen: () => boolean
  readonly stop: Effect.Effect<void>
}

/** What a host of a world has. */
export interface BootOptions extends RuntimeOptions {
  readonly tools?: ReadonlyArray<RunnableTool<never>>
  readonly sessions?: SessionRunner<never>
  /** It crashes with this commit of its own: the commit is in the store, and the host does not hear of it. */
  readonly lastCommit?: number
  /** It crashes in place of this commit: what it did for it is done, and nothing is written. */
  readonly lostCommit?: number
  /** It freezes before this commit, for 120 ms: the commit comes late. */
  readonly lateCommit?: number
  /** Whether a commit counts for those three. @default each does */
  readonly isCounted?: () => boolean
  /** Whether its end is known to the next host at once. @default false: its leases expire */
  readonly isFoundDead?: boolean
  /** Hears of each page of a journal that it reads. */
  readonly onJournalRead?: (id: ProcessId, after: number, page: ReadonlyArray<JournalEntry>) => void
  /** Hears of each of its commits that counts, by number. */
  readonly onCommit?: (count: number) => void
}

/** Hosts on one store. Units: milliseconds. */
export interface World {
  /** The store, as an observer sees it. */
  readonly store: typeof ProcessStore.Service
  readonly time: Time.Time
  readonly nowMs: () => number
  readonly boot: (engines: ReadonlyArray<Runnable<never>>, options: BootOptions) => Effect.Effect<Life>
  /** Lets everybody who has something to do do a little of it, while the time does not move. */
  readonly turns: (count: number) => Effect.Effect<void>
  /** Lets time pass: whatever is due on the way happens on the way. */
  readonly advance: (ms: number) => Effect.Effect<void>
}

/**
 * An empty database: each host opens it anew. Requires the scope of the world. `isBusy` says whether a server is at work for one
 * of them, where there is one: no time passes meanwhile.
 */
export type Database<E = never> = Effect.Effect<Layer.Layer<ProcessStore, E>, E, Scope.Scope> & {
  readonly isBusy?: () => boolean
}

/** A database that every host of a world shares as it is, such as one in memory. */
export const sharing = (store: typeof ProcessStore.Service): Layer.Layer<ProcessStore> =>
  Layer.succeed(ProcessStore, store)

/** A database in memory, which every host of a world shares. */
export const inMemory: Database = Effect.map(MemoryStore.make, sharing)

/** Lets real time pass, for what works outside of the world. Units: milliseconds. */
export const realPause = (ms: number): Effect.Effect<void> => Effect.withClock(Effect.sleep(ms), realClock)

const realClock = Clock.make()

/** Makes a world on an empty database. What is left of its hosts goes with the scope. */
export const make = <E>(
  database: Database<E>,
  /** How many turns of the event loop one write takes, at least. @default 1 */
  turnsOfWrite = 1
): Effect.Effect<World, E, Scope.Scope> =>
  Effect.gen(function* () {
    const time = Time.make(1_700_000_000_000, database.isBusy)
    const { nowMs, ring } = time
    const turns: World["turns"] = (count) => time.turns(count * turnsOfWrite)
    const dead = new Set<string>()
    let lives = 0
    const graves = yield* Effect.acquireRelease(
      Effect.sync((): Array<Effect.Effect<void>> => []),
      (left) => Effect.all(left, { discard: true })
    )
    const layer = yield* Effect.withClock(database, time.clock)
    const open = (clock: Clock.Clock, scope: Scope.Scope) =>
      Effect.map(Effect.withClock(Layer.buildWithScope(layer, scope), clock), Context.get(ProcessStore))
    const store = yield* Effect.flatMap(Effect.scope, (scope) => open(time.clock, scope))

    const advance: World["advance"] = (ms) =>
      Effect.gen(function* () {
        const untilMs = nowMs() + ms
        yield* turns(3)
        while (ring(untilMs)) yield* turns(3)
        time.leap(untilMs - nowMs())
        yield* turns(3)
      })

    const boot: World["boot"] = (engines, options) =>
      Effect.gen(function* () {
        const {
          lastCommit,
          lostCommit,
          lateCommit,
          isCounted = always,
          isFoundDead = false,
          onJournalRead,
          onCommit,
          tools,
          sessions,
          ...runtime
        } = options
        const gate = Gate()
        const name = `life-${++lives}`
        const clock = clockBehind(gate, time.clock)
        const own = Effect.withClock(clock)
        const scope = yield* Scope.make()
        const storeScope = yield* Scope.make()
        let commits = 0
        const crash = Effect.sync(() => {
          if (isFoundDead) dead.add(name)
          gate.shut("dead")
        })
        const stop = Effect.suspend(() => own(Scope.close(scope, Exit.void)))
        const onOwnCommit = Effect.suspend(() => {
          if (!isCounted()) return Effect.void
          commits++
          onCommit?.(commits)
          return commits === lastCommit ? crash : Effect.void
        })
        const freeze = Effect.sync(() => gate.shut("frozen"))
        const thaw = Effect.sync(gate.open)
        let isLate = false
        const freezeAWhile = Effect.suspend(() => {
          isLate = true
          const later = Effect.interruptible(Effect.zipRight(time.clock.sleep(lateFor), thaw))
          return Effect.zipRight(freeze, Effect.forkIn(later, storeScope))
        })
        const before = Effect.suspend((): Effect.Effect<unknown> => {
          if (!isCounted()) return Effect.void
          if (commits + 1 === lostCommit) return crash
          return commits + 1 === lateCommit && !isLate ? freezeAWhile : Effect.void
        })
        const opened = yield* time.drive(Effect.orDie(open(clock, storeScope)))
        const host = SingleHost.onStore(
          { ...runtime, engines, tools: tools ?? [], ...(sessions === undefined ? {} : { sessions }) },
          livenessOf(name, dead)
        ).pipe(
          Layer.provideMerge(
            Layer.succeed(ProcessStore, mortal(opened, gate, { before, after: onOwnCommit, onJournalRead }))
          ),
          Layer.provide(Logger.minimumLogLevel(LogLevel.None))
        )
        const begun = yield* Scope.make()
        graves.push(
          Effect.suspend(() => {
            gate.shut("buried")
            return Effect.zipRight(
              time.drive(Effect.zipRight(Scope.close(begun, Exit.void), stop)),
              Scope.close(storeScope, Exit.void)
            )
          })
        )
        const context = yield* time.drive(own(Effect.orDie(Layer.buildWithScope(host, scope))))
        const inside = <A, E>(effect: Effect.Effect<A, E, SingleHost.HostServices>): Effect.Effect<A, E> =>
          own(Effect.provide(effect, context as Context.Context<SingleHost.HostServices>)) // the store is among what it merged
        return {
          run: (effect) => time.drive(inside(effect)),
          begin: (effect) => Effect.asVoid(Effect.forkIn(Effect.exit(inside(effect)), begun)),
          passivate: Effect.sync(() => Context.unsafeGet(context, Worker).running.passivate(nowMs())),
          isAlive: () => gate.state() === "open" || gate.state() === "frozen",
          isFrozen: () => gate.state() === "frozen",
          crash,
          freeze,
          thaw,
          // A host may crash with the commit by which it stops.
          stop: time.drive(Effect.raceFirst(Effect.disconnect(stop), gate.died))
        }
      })

    return { store, time, nowMs, boot, turns, advance }
  })

const always = (): boolean => true

/** How long a host is frozen whose commit comes late: longer than a lease of `RandomBodies`. */
const lateFor = Duration.millis(120)

/** Whether a host gets through to its store. */
interface Gate {
  readonly state: () => "open" | "frozen" | "dead" | "buried"
  readonly shut: (state: "frozen" | "dead" | "buried") => void
  readonly open: () => void
  /** Tells the host something, once the gate is open: what is frozen hears of it when it thaws, and the dead never do. */
  readonly tell: (say: () => void) => void
  /** Answers once the host is dead. */
  readonly died: Effect.Effect<void>
  /** Waits until the gate is open; is interrupted where the host is buried. */
  readonly pass: Effect.Effect<void>
  /** Waits until the gate is open or the host is buried, as what is to end by a deadline does. */
  readonly wake: Effect.Effect<void>
}

const Gate = (): Gate => {
  let state: ReturnType<Gate["state"]> = "open"
  const waiting = new Set<() => void>()
  const untold: Array<() => void> = []
  const died = Deferred.unsafeMake<void>(FiberId.none)
  const letGo = (): void => {
    const all = [...waiting]
    waiting.clear()
    for (const resume of all) resume()
  }
  const isShut = (): boolean => state === "frozen" || state === "dead"
  const wake: Effect.Effect<void> = Effect.suspend(() =>
    isShut()
      ? Effect.async<void>((resume) => {
          const go = (): void => resume(Effect.void)
          waiting.add(go)
          return Effect.sync(() => waiting.delete(go))
        })
      : Effect.void
  )
  return {
    state: () => state,
    shut: (next) => {
      if (state === "buried" || (state === "dead" && next === "frozen")) return
      state = next
      if (state !== "frozen") Deferred.unsafeDone(died, Effect.void)
      if (state === "buried") letGo()
    },
    open: () => {
      if (state !== "frozen") return
      state = "open"
      for (const say of untold.splice(0)) say()
      letGo()
    },
    tell: (say) => {
      if (state === "open") say()
      else if (state === "frozen") untold.push(say)
    },
    died: Deferred.await(died),
    wake,
    pass: Effect.zipRight(
      wake,
      Effect.suspend(() => (state === "buried" ? Effect.interrupt : Effect.void))
    )
  }
}

/** A clock that a host which does not get through never hears, until it is buried: it is given its deadlines to end by. */
const clockBehind = ({ wake }: Gate, clock: Clock.Clock): Clock.Clock => ({
  ...clock,
  sleep: (duration) => Effect.zipRight(clock.sleep(duration), wake)
})

const livenessOf = (name: string, dead: ReadonlySet<string>): Layer.Layer<OwnerLiveness> =>
  Layer.succeed(
    OwnerLiveness,
    OwnerLiveness.of({
      identify: () => Effect.succeed(opaqueOwner(name, name)),
      isDefinitelyDead: (holder: LeaseOwner) =>
        Effect.sync(() => [...dead].some((life) => holder.ownerId.startsWith(`${life}:`)))
    })
  )

interface Hooks {
  readonly before: Effect.Effect<unknown>
  readonly after: Effect.Effect<void>
  readonly onJournalRead: BootOptions["onJournalRead"]
}

/** A store behind a gate. An answer to what was asked before the gate was shut does not come, either. */
const mortal = (
  store: typeof ProcessStore.Service,
  { pass, tell }: Gate,
  { before, after, onJournalRead }: Hooks
): typeof ProcessStore.Service => {
  const guard = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.zipRight(
      pass,
      Effect.onExit(effect, () => pass)
    )
  const guarded = (value: unknown): unknown => {
    if (Effect.isEffect(value)) return guard(value)
    if (typeof value !== "function") return value
    return (...args: ReadonlyArray<unknown>) => guarded(value(...args))
  }
  const all = (part: object) => Object.fromEntries(Object.entries(part).map(([key, value]) => [key, guarded(value)]))
  const execution: typeof store.execution = {
    ...(all(store.execution) as unknown as typeof store.execution), // as below
    journal: (id, page) =>
      guard(
        Effect.tap(store.execution.journal(id, page), (entries) =>
          Effect.sync(() => onJournalRead?.(id, page?.after ?? 0, entries))
        )
      )
  }
  return {
    ...(all(store) as unknown as typeof ProcessStore.Service), // the same operations, each behind the guard
    transact: (plan, decide) => Effect.zipRight(before, guard(Effect.tap(store.transact(plan, decide), () => after))),
    parts: store.parts,
    execution,
    onCommit: (listener) => store.onCommit((changes) => tell(() => listener(changes)))
  }
}
