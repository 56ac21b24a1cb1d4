/**
 * Random bodies, run on a store and interrupted at random: the law of replay is judged of each.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FC from "effect/FastCheck"
import * as Predicate from "effect/Predicate"
import { lifecycleOf } from "../../../machines/process/lifecycle.ts"
import { Processes } from "../../host/Processes.ts"
import { processId } from "../../model/ids.ts"
import type { JournalEntry } from "../../model/JournalEntry.ts"
import * as Retention from "../../operations/Retention.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import type { Form } from "./code.ts"
import { codeOf } from "./code.ts"
import { effectBody } from "./effectBody.ts"
import type { Program } from "./Program.ts"
import { programs, signals } from "./Program.ts"
import { Child, Shout, turns } from "./parts.ts"
import { promiseBody } from "./promiseBody.ts"
import * as Recorder from "./Recorder.ts"
import { judged, ReplayBroken } from "./verdict.ts"
import type { BootOptions, Database, Life, World } from "./World.ts"
import * as Worlds from "./World.ts"

/**
 * What happens to a body. Its host crashes, and something happens to the next one at its n-th commit; it stops; it freezes until
 * its lease is another's, and thaws again. What has ended is pruned while the body runs. Units: milliseconds.
 */
export type Deed =
  | ({ readonly does: "crash" } & Crash)
  | { readonly does: "stop" | "freeze" | "thaw" | "cancel" | "complete" | "prune" }
  | { readonly does: "signal"; readonly which: 0 | 1 }
  | { readonly does: "time"; readonly ms: number }

/**
 * A host crashes with its n-th commit, or just before it; or it freezes just before it, and the commit comes late: when the lease
 * may be another's.
 */
export interface Crash {
  readonly commits: number
  /** Counted from the first effect of a step, or from where a race or a time limit was decided, which is known with Effects. */
  readonly from: "boot" | "step" | "decision"
  readonly next: "last" | "lost" | "late"
}

/** A body, and everything that happens to it. */
export interface Trial {
  readonly program: Program
  readonly form: Form
  readonly deeds: ReadonlyArray<Deed>
  /** How its first host crashes, whatever else happens to it. */
  readonly first?: Crash | undefined
  /** How the hosts crash that run it to its end afterwards: all but the last. */
  readonly crashes: ReadonlyArray<Crash>
  readonly isPassivated: boolean
}

/** How random bodies are tried. */
export interface RandomBodiesOptions {
  /** How many bodies. @default 100 */
  readonly runs?: number
  /** The same seed tries the same bodies. @default another one each time */
  readonly seed?: number
  /** @default both, each for half of the bodies */
  readonly form?: Form
  /**
   * Where each body is interrupted: at random instants and by a second host, or at every commit, one after the other, which takes
   * far longer. @default "anywhere"
   */
  readonly where?: "anywhere" | "every commit"
  /** How many turns of the event loop one write of the store takes, at least. @default 1 */
  readonly turnsOfWrite?: number
  /** Called after each body, with the number of those that were tried; not while a body that breaks the law is made smaller. */
  readonly onTried?: (count: number) => void
}

const crashFrom = (from: Crash["from"], most: number): FC.Arbitrary<Crash> =>
  FC.record({
    commits: FC.integer({ min: 1, max: most }),
    from: FC.constant(from),
    next: FC.constantFrom<Crash["next"]>("last", "last", "lost", "late")
  })

const crashWithin = (most: number): FC.Arbitrary<Crash> =>
  FC.oneof(
    { withCrossShrink: true },
    { weight: 2, arbitrary: crashFrom("boot", most) },
    { weight: 1, arbitrary: crashFrom("step", 3) },
    // What a decision causes is among the next few.
    { weight: 2, arbitrary: crashFrom("decision", 5) }
  )

const deed: FC.Arbitrary<Deed> = FC.oneof(
  { weight: 6, arbitrary: crashWithin(8).map((how): Deed => ({ does: "crash", ...how })) },
  { weight: 2, arbitrary: FC.constant<Deed>({ does: "stop" }) },
  { weight: 2, arbitrary: FC.constant<Deed>({ does: "freeze" }) },
  { weight: 2, arbitrary: FC.constant<Deed>({ does: "thaw" }) },
  { weight: 4, arbitrary: FC.constantFrom<0 | 1>(0, 1).map((which): Deed => ({ does: "signal", which })) },
  // A lease of a host that crashed is over after 90 ms: without that time, nothing of the body runs again.
  { weight: 8, arbitrary: FC.constantFrom(3, 8, 15, 45, 150, 150).map((ms): Deed => ({ does: "time", ms })) },
  { weight: 1, arbitrary: FC.constant<Deed>({ does: "complete" }) },
  { weight: 1, arbitrary: FC.constant<Deed>({ does: "cancel" }) },
  { weight: 2, arbitrary: FC.constant<Deed>({ does: "prune" }) }
)

/** Trials of random bodies; what is interrupted at every commit is left alone besides. */
const trialsOf = (where: "anywhere" | "every commit", form: Form | undefined): FC.Arbitrary<Trial> =>
  FC.record({
    program: programs,
    form: form === undefined ? FC.constantFrom<Form>("effects", "promises") : FC.constant(form),
    deeds: where === "anywhere" ? FC.array(deed, { maxLength: 10 }) : FC.constant([]),
    first: where === "anywhere" ? FC.option(crashWithin(8), { nil: undefined, freq: 2 }) : FC.constant(undefined),
    crashes: where === "anywhere" ? FC.array(crashWithin(16), { maxLength: 4 }) : FC.constant([]),
    isPassivated: FC.boolean()
  })

const id = processId("p")
const timings = { leaseTtl: "90 millis", leaseRenewal: "30 millis", sweepInterval: "20 millis" } as const

/**
 * Tries random bodies on a store, one after the other, each on an empty database. The bodies are of Effects and of Promises, and
 * use everything that a context offers; they are interrupted at commits and at random instants, and by a second host.
 *
 * Fails with `ReplayBroken` for the smallest body found that the law of replay does not hold for: its message shows the body as
 * code. What it found on a store of your own, and not on the library's, is the store's.
 */
export const tryRandomBodies = <E>(
  database: Database<E>,
  options: RandomBodiesOptions = {}
): Effect.Effect<void, ReplayBroken> => {
  const { runs = 100, seed, form, where = "anywhere", turnsOfWrite, onTried = unheard } = options
  const once = where === "anywhere" ? tried : triedEverywhere
  return Effect.flatMap(
    Effect.promise(async () => {
      let broken: ReplayBroken | undefined
      let count = 0
      const keepsTheLaw = async (trial: Trial): Promise<boolean> => {
        const exit = await Effect.runPromiseExit(once(database, trial, turnsOfWrite))
        if (broken === undefined) onTried(++count)
        if (Exit.isSuccess(exit)) return true
        const thrown = Cause.squash(exit.cause)
        const { promise, expected, actual } =
          thrown instanceof ReplayBroken
            ? thrown
            : { promise: "a body runs", expected: "no failure", actual: Cause.pretty(exit.cause) }
        // While a body gets smaller, the last one that fails is the smallest.
        broken = new ReplayBroken({ promise, expected, actual, how: `by this body:\n${textOf(trial)}` })
        return false
      }
      const found = await FC.check(FC.asyncProperty(trialsOf(where, form), keepsTheLaw), {
        numRuns: runs,
        ...(seed === undefined ? {} : { seed })
      })
      return (
        broken && new ReplayBroken({ ...broken, how: `${broken.how}\n// seed ${found.seed}, body ${found.numRuns}` })
      )
    }),
    (broken) => (broken === undefined ? Effect.void : Effect.fail(broken))
  )
}

const unheard = (): void => {}

/** A trial as text: its body as code, and what happened to it. */
export const textOf = ({ program, form, first, deeds, crashes, isPassivated }: Trial): string =>
  [
    codeOf(program, form),
    `// ${isPassivated ? "passivated after 10 ms; " : ""}${first === undefined ? "" : `first: ${JSON.stringify(first)}; `}then: ${deeds.map((each) => JSON.stringify(each)).join(", ")}; at last: ${JSON.stringify(crashes)}`
  ].join("\n")

/** Runs one trial, and judges it. */
export const tried = <E>(
  database: Database<E>,
  trial: Trial,
  turnsOfWrite?: number
): Effect.Effect<void, ReplayBroken | E> => Effect.asVoid(run(database, trial, turnsOfWrite, {}))

/** Runs a body to its end again and again: each time its host crashes right after another commit, or in place of it, or makes it late. */
export const triedEverywhere = <E>(
  database: Database<E>,
  trial: Trial,
  turnsOfWrite?: number
): Effect.Effect<void, ReplayBroken | E> =>
  Effect.gen(function* () {
    const commits = yield* run(database, trial, turnsOfWrite, {})
    for (let commit = 1; commit <= commits; commit++) {
      yield* run(database, trial, turnsOfWrite, { lastCommit: commit })
      yield* run(database, trial, turnsOfWrite, { lostCommit: commit })
      yield* run(database, trial, turnsOfWrite, { lateCommit: commit })
    }
  })

/** Runs and judges a body; answers the number of commits of its first host. */
const run = <E>(
  database: Database<E>,
  trial: Trial,
  turnsOfWrite: number | undefined,
  first: Pick<BootOptions, Crashing>
): Effect.Effect<number, ReplayBroken | E> =>
  Effect.scoped(
    Effect.gen(function* () {
      const world = yield* Worlds.make(database, turnsOfWrite)
      const recorder = Recorder.make(id)
      let commits = 0
      const onCommit = (count: number): void => {
        commits = count
      }
      const earlier = yield* played(world, recorder, trial, { ...crashing(trial.first), ...first, onCommit })
      const how = JSON.stringify(first)
      const verdict = Effect.provideService(judged(id, recorder, earlier, how), ProcessStore, world.store)
      yield* Effect.catchAll(verdict, (error) =>
        error._tag === "ReplayBroken" ? Effect.fail(error) : Effect.die(error)
      )
      yield* signalsInOrder(world, recorder)
      yield* stepsAsLearned(world, recorder)
      return commits
    })
  )

/** Each signal was taken once, in their order, and none by a wait that the body had let go of: there is no gap. */
const signalsInOrder = ({ store }: World, { traces }: Recorder.Recorder): Effect.Effect<void, ReplayBroken> =>
  Effect.gen(function* () {
    const log = yield* Effect.orDie(store.eventsAfter(id, 0))
    // A signal that came to a wait as that was let go of may be taken after a later one, or by none; and what a cancel interrupts
    // is not let go of by the body.
    if (log.some(({ eventType }) => unordered.has(eventType))) return
    const { taken } = traces.reduce<Pick<Recorder.Trace, "learned" | "taken">>(
      (most, trace) => (trace.learned.length > most.learned.length ? trace : most),
      { learned: [], taken: [] }
    )
    for (const { name } of signals) {
      const actual = taken.flatMap(([signal, payload]) => (signal === name ? [payload] : []))
      const expected = log
        .flatMap(({ eventType, payload }) => (eventType === name ? [payload] : []))
        .slice(0, actual.length)
      if (JSON.stringify(actual) === JSON.stringify(expected)) continue
      yield* new ReplayBroken({ promise: "a wait that was let go of takes no signal", expected, actual, how: "" })
    }
  })

/** What is recorded of a step is what the body was handed, also if a host that lost the process has written since. */
const stepsAsLearned = ({ store }: World, { traces }: Recorder.Recorder): Effect.Effect<void, ReplayBroken> =>
  Effect.gen(function* () {
    const learned = new Set(traces.flatMap((trace) => trace.learned))
    const keys = new Set([...learned].map((line) => line.slice(0, line.indexOf(": "))))
    for (const { key, operation, outcome } of yield* Effect.orDie(store.execution.journal(id))) {
      if (operation !== "step" || !keys.has(key) || !Predicate.hasProperty(outcome, "ok")) continue
      const expected = `${key}: ${JSON.stringify(outcome.ok)}`
      if (learned.has(expected)) continue
      const actual = [...learned].filter((line) => line.startsWith(`${key}: `))
      yield* new ReplayBroken({ promise: "what is recorded of a step stays", expected, actual, how: "" })
    }
  })

const unordered: ReadonlySet<string> = new Set(["process.signal_returned", "process.cancel_requested"])

/** Prunes what ended before this instant. A body that runs is not among that, and one that has ended is judged. */
const pruned = (world: World) =>
  Effect.flatMap(rowOf(world), (row) => {
    if (row === undefined || lifecycleOf(row.snapshot) !== "running") return Effect.void
    const options = { cutoffMs: world.nowMs(), watermark: { _tag: "NoProjector" } } as const
    const prune = Effect.flatMap(Retention.make, (retention) => retention.pruneTerminalProcesses(options))
    return world.time.drive(Effect.orDie(Effect.provideService(prune, ProcessStore, world.store)))
  })

const rowOf = ({ store }: World) =>
  Effect.map(Effect.orDie(store.find(id)), (found) => (found._tag === "Present" ? found.row : undefined))

/** Runs a program through its deeds, and then to its end; answers its journal as it was at each of them. */
const played = (
  world: World,
  recorder: Recorder.Recorder,
  { program, form, deeds, crashes, isPassivated }: Trial,
  first: FirstHost
) =>
  Effect.gen(function* () {
    const journals: Array<ReadonlyArray<JournalEntry>> = []
    const times = new Map<string, number>()
    const ran = (name: string): number => {
      const before = times.get(name) ?? 0
      times.set(name, before + 1)
      return before
    }
    const engine = (form === "effects" ? effectBody : promiseBody)(program, ran, isPassivated ? "10 millis" : undefined)
    const frozen: Array<Life> = []
    /** Hosts whose commit is late: they thaw as soon as another one is about to record something. */
    const late = new Set<Life>()
    const thawLate = (own: Life | undefined): void => {
      for (const other of late) if (other !== own && late.delete(other)) Effect.runSync(other.thaw)
    }
    const beside = (host: Life, other: Effect.Effect<Life>) => {
      if (host.isFrozen()) late.add(host)
      return other
    }
    let sent = 0
    const boot = ({ from, ...options }: FirstHost = {}) =>
      Effect.gen(function* () {
        let own: Life | undefined
        // The first host runs the body before it is known here.
        const isAlive = () => own?.isAlive() !== false
        const observed = recorder.on(engine, isAlive, () => thawLate(own))
        own = yield* world.boot([observed.engine, Child], {
          ...timings,
          ...options,
          ...(from === "decision" && form === "effects" ? { isCounted: observed.hasDecided } : {}),
          ...(from === "step" ? { isCounted: observed.hasRun } : {}),
          tools: [Shout],
          sessions: turns,
          onJournalRead: (of, after, page) => (of === id ? observed.onJournalRead(after, page) : undefined)
        })
        return own
      })
    const on = (host: Life, use: (processes: typeof Processes.Service) => Effect.Effect<unknown, unknown>) =>
      host.begin(Effect.flatMap(Processes, (processes) => Effect.ignore(use(processes))))
    const send = (host: Life, which: 0 | 1) => {
      const signalId = String(++sent)
      return on(host, (processes) => processes.handle(engine, id).signal(signals[which], sent, { id: signalId }))
    }
    const complete = (host: Life) =>
      on(host, (processes) =>
        Effect.flatMap(processes.listNonTerminal, (records) =>
          Effect.forEach(
            records.filter(({ input }) => input._tag === "External"),
            (record) => processes.completeExternal(record.id, { _tag: "Success", value: "done outside" })
          )
        )
      )
    const thaw = Effect.suspend(() => Effect.all(frozen.splice(0).map(({ thaw }) => thaw)))
    let host = yield* boot(first)
    yield* on(host, (processes) => processes.start(engine, { id, payload: null }))
    yield* world.turns(3)
    for (const next of deeds) {
      journals.push(yield* Effect.orDie(world.store.execution.journal(id)))
      switch (next.does) {
        case "crash":
          yield* host.crash
          host = yield* boot(crashing(next))
          break
        case "stop":
          if (host.isAlive()) yield* host.stop
          host = yield* boot()
          break
        case "freeze":
          yield* host.freeze
          frozen.push(host)
          host = yield* boot()
          yield* world.advance(150)
          break
        case "thaw":
          yield* thaw
          break
        case "signal":
          yield* send(host, next.which)
          break
        case "complete":
          yield* complete(host)
          break
        case "cancel":
          yield* on(host, (processes) => processes.handle(engine, id).cancel("enough"))
          break
        case "prune":
          yield* pruned(world)
          break
        case "time":
          yield* world.advance(next.ms)
          break
      }
      yield* world.turns(4)
      if (host.isFrozen()) host = yield* beside(host, boot())
    }
    yield* thaw
    const left = [...crashes]
    const next = () => Effect.suspend(() => boot(crashing(left.shift())))
    if (deeds.length > 0) {
      yield* host.crash
      host = yield* next()
    }
    for (let round = 0; round < mostRounds; round++) {
      const row = yield* rowOf(world)
      // A body that never began waits for nothing.
      if (row !== undefined && lifecycleOf(row.snapshot) !== "running") break
      if (row === undefined) yield* on(host, (processes) => processes.start(engine, { id, payload: null }))
      yield* Effect.all([send(host, 0), send(host, 1), complete(host)])
      yield* world.advance(150)
      if (!host.isAlive() || host.isFrozen()) host = yield* beside(host, next())
    }
    return journals
  })

const crashing = (how: Crash | undefined): FirstHost =>
  how === undefined ? {} : { [`${how.next}Commit` satisfies Crashing]: how.commits, from: how.from }

type Crashing = `${Crash["next"]}Commit`

type FirstHost = Pick<BootOptions, Crashing | "onCommit"> & Partial<Pick<Crash, "from">>

/** How often a body is given what it may wait for before it counts as hanging. */
const mostRounds = 30
