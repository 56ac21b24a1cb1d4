/**
 * The law of replay, checked of one body: it runs to its end without interruption, and then again and again, each time
 * interrupted at another place.
 *
 * ```
 * run once ─► its commits, what it learned, its end ─► for each commit: crash after it, crash before it, stop at it ─► the same?
 * ```
 * Time is the check's own: it does not move while anything works, and leaps to the next wait when nothing does.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { lifecycleOf } from "../../../machines/process/lifecycle.ts"
import { Processes } from "../../host/Processes.ts"
import { processId } from "../../model/ids.ts"
import * as ProcessRecord from "../../model/ProcessRecord.ts"
import type * as Engine from "../../runtime/engine/Engine.ts"
import type { AnySignal, PayloadOf } from "../../runtime/engine/Signal.ts"
import type { RunnableTool } from "../../runtime/engine/Tool.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import * as Recorder from "./Recorder.ts"
import { judged, ReplayBroken } from "./verdict.ts"
import type { BootOptions, Life, World } from "./World.ts"
import * as Worlds from "./World.ts"

/** What happens to a process from outside, and how long after its start. */
export type Input<Signals extends AnySignal> =
  | { [Name in Signals["name"]]: SignalInput<Extract<Signals, { readonly name: Name }>> }[Signals["name"]]
  | { readonly after: Duration.DurationInput; readonly cancel: string }

/** A signal that is sent. */
export interface SignalInput<Of extends AnySignal> {
  readonly after: Duration.DurationInput
  readonly signal: Of
  readonly payload: PayloadOf<Of>
}

/** How a body is checked. */
export interface CheckReplayOptions<Payload, R, Signals extends AnySignal = never> {
  readonly payload: Payload
  /** What happens to it from outside. @default nothing */
  readonly inputs?: ReadonlyArray<Input<Signals>>
  /** What runs its children. @default none */
  readonly engines?: ReadonlyArray<Engine.Runnable<R>>
  /** @default none */
  readonly tools?: ReadonlyArray<RunnableTool<never>>
  /**
   * Whether the way of the body may depend on how long its effects take: an interruption makes them take longer, so each
   * interrupted run is then compared with itself, and not with the uninterrupted one. @default false
   */
  readonly isTimed?: boolean
  /** At how many commits it is interrupted, at most, evenly spread. @default 100 */
  readonly places?: number
}

/** What an uninterrupted run of a body came to. */
export interface CheckedReplay {
  /** What the body learned through its context, in order, each under its key. */
  readonly learned: ReadonlyArray<string>
  /** How it ended. */
  readonly end: string
  /** How many interrupted runs came to the same. */
  readonly runs: number
}

/** How a run is interrupted. */
type Interruption = { readonly at: "none" } | { readonly at: "after" | "before" | "stop"; readonly commit: number }

const id = processId("checked")

/** No lease expires while a check lets time leap. */
const timings = { leaseTtl: "30 days", leaseRenewal: "9 days", sweepInterval: "1 second" } as const

/**
 * Checks the law of replay of one body: however it is interrupted, it learns the same in the same order, does no effect again
 * whose outcome was recorded, and ends the same.
 *
 * Its effects are run, many times: give it stand-ins for what reaches the world. Fails with `ReplayBroken`, which says where the
 * body was interrupted and what differs. A body that differs does something outside of its context that its way depends on.
 *
 * @example test/docs/checkReplay.test.ts
 */
export const checkReplay = <Payload, Success, Failure, R = never, Signals extends AnySignal = never>(
  engine: Engine.Engine<Payload, Success, Failure, R, Signals>,
  options: CheckReplayOptions<Payload, R, Signals>
): Effect.Effect<CheckedReplay, ReplayBroken, R> =>
  Effect.gen(function* () {
    const { places = 100, isTimed = false } = options
    const context = yield* Effect.context<R>()
    const provided = ({ body: chart, parts = [], ...runnable }: Engine.Runnable<R>): Engine.Runnable<never> => ({
      ...runnable,
      parts: parts.map(provided),
      ...(chart === undefined ? {} : { body: (activation) => Effect.provide(chart(activation), context) }),
      prepare: (payload) => Effect.map(runnable.prepare(payload), (body) => (ctx) => Effect.provide(body(ctx), context))
    })
    const engines = [provided(engine), ...(options.engines ?? []).map(provided)]
    const run = (interruption: Interruption) => runOf(engine, engines, options, interruption)
    const first = yield* run({ at: "none" })
    let runs = 0
    for (const commit of spread(first.commits, places)) {
      for (const at of ["after", "before", "stop"] as const) {
        const interrupted = yield* run({ at, commit })
        runs++
        if (isTimed) continue
        for (const what of ["learned", "journal", "end"] as const) {
          const [expected, actual] = [first[what], interrupted[what]]
          if (JSON.stringify(actual) === JSON.stringify(expected)) continue
          const promise = `an interrupted body has the same ${what} as one that nothing interrupted`
          yield* new ReplayBroken({ promise, expected, actual, how: howOf({ at, commit }) })
        }
      }
    }
    return { learned: first.learned, end: first.end, runs }
  })

/** Numbers from 1 to `count`, at most so many, evenly spread. */
const spread = (count: number, most: number): ReadonlyArray<number> => {
  const length = Math.min(count, most)
  return Array.from({ length }, (_, n) => 1 + Math.floor((n * count) / length))
}

const howOf = (interruption: Interruption): string => {
  switch (interruption.at) {
    case "none":
      return "without any interruption"
    case "after":
      return `when its host crashes right after commit ${interruption.commit}`
    case "before":
      return `when its host crashes in place of commit ${interruption.commit}`
    case "stop":
      return `when its host stops after commit ${interruption.commit}`
  }
}

/** Runs a body to its end, with one interruption or none. */
const runOf = <Payload, Success, Failure, R, Signals extends AnySignal>(
  engine: Engine.Engine<Payload, Success, Failure, R, Signals>,
  [runnable, ...others]: ReadonlyArray<Engine.Runnable<never>>,
  { payload, inputs = [], tools = [] }: CheckReplayOptions<Payload, R, Signals>,
  interruption: Interruption
) =>
  Effect.scoped(
    Effect.gen(function* () {
      const world = yield* Worlds.make(Worlds.inMemory)
      const recorder = Recorder.make(id)
      let commits = 0
      const boot = (options: Pick<BootOptions, "lastCommit" | "lostCommit" | "onCommit">) =>
        Effect.gen(function* () {
          let own: Life | undefined
          const observed = recorder.on(runnable as Engine.Runnable<never>, () => own?.isAlive() !== false) // there is one
          own = yield* world.boot([observed.engine, ...others], {
            ...timings,
            ...options,
            isFoundDead: true,
            tools,
            onJournalRead: (of, after, page) => (of === id ? observed.onJournalRead(after, page) : undefined)
          })
          return own
        })
      const on = (host: Life, use: (processes: typeof Processes.Service) => Effect.Effect<unknown, unknown>) =>
        host.begin(Effect.flatMap(Processes, (processes) => Effect.ignore(use(processes))))
      const start = (host: Life) => on(host, (processes) => processes.start(engine, { id, payload }))

      const beganMs = world.nowMs()
      const todo = inputs
        .map((input, index) => ({ input, index, atMs: beganMs + Duration.toMillis(input.after) }))
        .toSorted((one, other) => one.atMs - other.atMs)
      const unanswered = new Set<(typeof todo)[number]>()
      const send = (to: Life, what: (typeof todo)[number]) =>
        on(to, (processes) => {
          const handle = processes.handle(engine, id)
          const { input, index } = what
          const sent: Effect.Effect<unknown, unknown> =
            "cancel" in input
              ? handle.cancel(input.cancel)
              : handle.signal(input.signal as never, input.payload as never, { id: String(index) }) // paired by its type
          return Effect.tap(sent, () => Effect.sync(() => unanswered.delete(what)))
        })
      let host = yield* boot({
        ...(interruption.at === "after" ? { lastCommit: interruption.commit } : {}),
        ...(interruption.at === "before" ? { lostCommit: interruption.commit } : {}),
        onCommit: (count) => {
          commits = count
        }
      })
      let isInterrupted = interruption.at === "none"
      yield* start(host)
      for (let step = 0; step < mostSteps; step++) {
        yield* rest(world, recorder)
        const row = yield* rowOf(world)
        if (!host.isAlive() || (interruption.at === "stop" && !isInterrupted && commits >= interruption.commit)) {
          if (host.isAlive()) yield* host.stop
          isInterrupted = true
          host = yield* boot({})
          if (row === undefined) yield* start(host)
          // Who sends something sends it again until it is answered.
          for (const input of unanswered) yield* send(host, input)
          continue
        }
        if (row !== undefined && lifecycleOf(row.snapshot) !== "running") break
        const next = todo[0]
        if (next !== undefined && next.atMs <= world.nowMs()) {
          todo.shift()
          unanswered.add(next)
          yield* send(host, next)
          continue
        }
        yield* leap(world, next?.atMs)
      }
      const how = howOf(interruption)
      yield* Effect.catchAll(
        Effect.provideService(judged(id, recorder, [], how), ProcessStore, world.store),
        (error) => (error._tag === "ReplayBroken" ? Effect.fail(error) : Effect.die(error))
      )
      const row = yield* rowOf(world)
      const journal = yield* Effect.orDie(world.store.execution.journal(id))
      return {
        commits,
        learned: recorder.traces.reduce<ReadonlyArray<string>>(
          (most, { learned }) => (learned.length > most.length ? learned : most),
          []
        ),
        journal: journal.map(({ key, operation }) => `${operation} ${key}`).toSorted(),
        end: row === undefined ? "never began" : endOf(row)
      }
    })
  )

/** How often a run may wait before it counts as hanging. */
const mostSteps = 5_000

type Row = NonNullable<Effect.Effect.Success<ReturnType<typeof rowOf>>>

/** How a process ended, without the description of what was thrown: that has frames of the run. */
const endOf = ({ base, snapshot }: Row): string => {
  const { status } = ProcessRecord.make(base, snapshot)
  if (status._tag === "Running") return "still runs"
  const { output } = status
  if (output._tag === "Failure") return `${status._tag}: ${output.code} (${output.message})`
  return output._tag === "Success" ? `${status._tag}: ${JSON.stringify(output.value)}` : status._tag
}

const rowOf = ({ store }: World) =>
  Effect.map(Effect.orDie(store.find(id)), (found) => (found._tag === "Present" ? found.row : undefined))

/** Waits until nothing works any more but what waits for time; a step that works outside is given some real time. */
const rest = (world: World, { running }: Recorder.Recorder): Effect.Effect<void> =>
  Effect.gen(function* () {
    yield* world.turns(12)
    for (let look = 0; look < mostLooks && running() > 0; look++) yield* Worlds.realPause(1)
    if (running() === 0) yield* world.turns(4)
  })

/** How long a step may do nothing but wait for the world before time goes on. Units: milliseconds. */
const mostLooks = 20

/** Lets time pass until the next wait of a body ends, or the next input comes. */
const leap = (world: World, inputMs: number | undefined): Effect.Effect<void> =>
  Effect.gen(function* () {
    // What is due comes first: a pause of the body's own may be over before the wait that the time leaps to.
    if (world.time.ring(world.nowMs())) return
    const timerMs = yield* Effect.orDie(world.store.execution.nextTimer)
    const next = Math.min(inputMs ?? Number.POSITIVE_INFINITY, timerMs ?? Number.POSITIVE_INFINITY)
    const nowMs = world.nowMs()
    if (!Number.isFinite(next) || next <= nowMs) {
      world.time.ring()
      return
    }
    world.time.leap(next - nowMs)
    world.time.ring(next)
  })
