/**
 * Plays of one body in a world of its own: it begins, its activation ends early in one of several ways, it runs again. The test
 * says what happens around it, and what is in its journal and among its effects afterwards.
 */
import { describe, it } from "@effect/vitest"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { BodyContext } from "../../src/host/embed/createHost.ts"
import * as Embed from "../../src/host/embed/createHost.ts"
import { Processes } from "../../src/host/Processes.ts"
import { processId } from "../../src/model/ids.ts"
import type { ProcessEvent } from "../../src/model/ProcessEvent.ts"
import type { ExecutionContext } from "../../src/runtime/body/ExecutionContext.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import * as Signal from "../../src/runtime/engine/Signal.ts"
import type { RuntimeOptions } from "../../src/runtime/RuntimeConfig.ts"
import type { ProcessRow } from "../../src/store/Decision.ts"
import * as Worlds from "../../src/testing/bodies/World.ts"
import { until } from "../support/hosts.ts"
import { hasPostgres } from "../support/postgres.ts"
import { isWhole } from "../support/samples.ts"
import type { Changed, Life, World } from "./schedules.ts"
import { databases, make, makeWith } from "./schedules.ts"

/** The signal that bodies wait for. */
export const Go: Signal.Signal<"go", number> = Signal.make("go", { payload: Schema.Number })

/** A child that answers with what it was given. */
export const Echo = Engine.make("echo", {
  version: "1",
  payload: Schema.Number,
  success: Schema.Number,
  disposition: "rerunnable",
  run: (payload) => Effect.succeed(payload)
})

/** A child that waits to be told. */
export const Listener = Engine.make("listener", {
  version: "1",
  payload: Schema.Null,
  success: Schema.Number,
  signals: [Go],
  disposition: "rerunnable",
  run: (_, ctx) => ctx.awaitSignal(Go)
})

/** The event that bodies append. */
export const Noted: Signal.EventDefinition<number> = Signal.event("noted", { payload: Schema.Number })

/** A failure with a schema. */
export class Refused extends Schema.TaggedError<Refused>()("Refused", { by: Schema.Number }) {}

/** Notes that an effect runs; answers how often it ran before. */
export type Note = (effect: string) => number

/** How an activation ends before its body does. */
export type Interruption = "crash" | "stop" | "passivation"

/** One body, written with Effects and with Promises. */
export interface Body {
  readonly effects?: (ctx: ExecutionContext, note: Note) => Effect.Effect<string, unknown>
  readonly promises?: (ctx: BodyContext, note: Note) => Promise<string>
}

/** A body under way, called `p`. */
export interface Play {
  readonly world: World
  /** The effects that were run, in order. */
  readonly did: ReadonlyArray<string>
  readonly host: () => Life
  /** Ends the activation in the way of this play; the body runs again, at once or when there is something for it. */
  readonly again: Effect.Effect<void>
  readonly crash: Effect.Effect<void>
  /** Boots the next host, which may not have the engine. */
  readonly boot: (options?: { readonly without?: "engine"; readonly lastCommit?: number }) => Effect.Effect<void>
  readonly send: (payload: number) => Effect.Effect<void>
  readonly cancel: Effect.Effect<void>
  readonly advance: (ms: number) => Effect.Effect<void>
  /** The keys of its operations. */
  readonly journal: Effect.Effect<ReadonlyArray<string>>
  readonly log: (id?: string) => Effect.Effect<ReadonlyArray<ProcessEvent>>
  readonly row: Effect.Effect<ProcessRow>
  /** How often its body was begun. */
  readonly activations: Effect.Effect<number>
  /** Lets time pass until an entry is in the journal. */
  readonly journaled: (key: string) => Effect.Effect<void>
  /** How it ended, and with what; time passes until then. */
  readonly end: Effect.Effect<string>
  /** Whether it has not ended. */
  readonly runs: Effect.Effect<boolean>
}

/** What surrounds the body. */
export interface Setting {
  readonly interruptions?: ReadonlyArray<Interruption>
  readonly children?: ReadonlyArray<Engine.Runnable<never>>
  readonly options?: RuntimeOptions
  readonly passivateAfter?: Duration.DurationInput
  /** What the hosts are given as their store, such as one that reads a journal as an older library wrote it. @default as it is */
  readonly store?: Changed
  /** Where it is played, each in a world of its own. @default in memory */
  readonly databases?: ReadonlyArray<keyof typeof databases>
}

const timings = { leaseTtl: "90 millis", leaseRenewal: "30 millis", sweepInterval: "20 millis" } as const

const shape = {
  version: "1",
  payload: Schema.Null,
  success: Schema.String,
  signals: [Go],
  events: [Noted],
  disposition: "rerunnable"
} as const

/** The engines of a body, by how it is written. */
export const enginesOf = (kind: string, body: Body, note: Note, passivateAfter?: Duration.DurationInput) => {
  const { effects, promises } = body
  const common = { ...shape, ...(passivateAfter === undefined ? {} : { passivateAfter }) }
  return [
    ...(effects === undefined
      ? []
      : [["effects", Engine.make(kind, { ...common, run: (_, ctx) => effects(ctx, note) as never })] as const]), // fails with the library's errors
    ...(promises === undefined
      ? []
      : [["promises", Embed.engine(kind, { ...common, run: (_, ctx) => promises(ctx, note) })] as const])
  ]
}

type Runnable = ReturnType<typeof enginesOf>[number][1]

const begun = (
  engine: Runnable,
  did: ReadonlyArray<string>,
  how: Interruption,
  database: keyof typeof databases,
  { children = [], options, store }: Setting
) =>
  Effect.gen(function* () {
    const elsewhere = Worlds.make(databases[database], database === "sqlite" ? 4 : 1)
    const world = yield* database !== "memory" ? elsewhere : store === undefined ? make : makeWith(store)
    const id = processId("p")
    const runtime = { ...timings, ...options }
    const engines = [engine as Engine.Runnable<never>, ...children]
    let life: Life = yield* world.boot(engines, runtime)
    const boot: Play["boot"] = ({ without, lastCommit } = {}) =>
      Effect.flatMap(
        world.boot(without === undefined ? engines : children, {
          ...runtime,
          ...(lastCommit === undefined ? {} : { lastCommit })
        }),
        (next) => {
          life = next
          return world.turns(4)
        }
      )
    const on = <A, E>(use: (handle: ReturnType<typeof handleOf>) => Effect.Effect<A, E>) =>
      Effect.orDie(
        Effect.suspend(() => life.run(Effect.flatMap(Processes, (processes) => use(handleOf(processes, engine)))))
      )
    const log: Play["log"] = (of = "p") => Effect.orDie(world.store.eventsAfter(processId(of), 0))
    const journal = Effect.map(Effect.orDie(world.store.execution.journal(id)), (entries) =>
      entries.flatMap(({ key, operation }) => (operation === "turns" ? [] : [key]))
    )
    const crash = Effect.suspend(() => life.crash)
    yield* life.run(
      Effect.flatMap(Processes, (processes) => processes.start(engine as never, { id, payload: null as never }))
    ) // both kinds take the same
    yield* world.turns(10)
    const play: Play = {
      world,
      did,
      host: () => life,
      crash,
      boot,
      again: Effect.suspend(() => {
        if (how === "crash") return Effect.zipRight(crash, boot())
        if (how === "stop") return Effect.zipRight(life.stop, boot())
        return Effect.zipRight(
          world.advance(15),
          Effect.suspend(() => life.passivate)
        )
      }).pipe(Effect.zipRight(world.advance(150))),
      send: (payload) =>
        Effect.zipRight(
          on((handle) => handle.signal(Go, payload)),
          world.turns(20)
        ),
      cancel: Effect.zipRight(
        on((handle) => handle.cancel("enough")),
        world.turns(20)
      ),
      advance: (ms) => Effect.zipRight(world.advance(ms), world.turns(10)),
      journal,
      log,
      row: Effect.flatMap(Effect.orDie(world.store.find(id)), (found) =>
        found._tag === "Present" ? Effect.succeed(found.row) : Effect.dieMessage("it was never registered")
      ),
      activations: Effect.map(
        log(),
        (events) => events.filter(({ eventType }) => eventType === "process.started").length
      ),
      journaled: (key) =>
        until(
          Effect.zipRight(
            world.advance(1),
            Effect.map(journal, (keys) => keys.includes(key))
          )
        ),
      end: Effect.map(
        on((handle) => Effect.zipRight(Effect.exit(handle.await), handle.status)),
        ({ status }) => {
          if (status._tag === "Running") return "Running"
          const { output } = status
          if (output._tag === "Success") return `Completed: ${output.value}`
          return output._tag === "Failure" ? `Failed: ${output.message}` : status._tag
        }
      ),
      runs: Effect.map(
        on((handle) => handle.status),
        ({ status }) => status._tag === "Running"
      )
    }
    return play
  })

const handleOf = (processes: typeof Processes.Service, engine: Runnable) =>
  processes.handle(engine as Engine.Engine<null, string, never, never, typeof Go>, "p") // both kinds have this shape

/** What happens around a body, and what is asserted of it. */
export type Acts = (play: Play) => Effect.Effect<void, unknown>

/** Plays a body once for each way to write it and to interrupt it, on each database. */
export const plays = (title: string, body: Body, acts: Acts, setting: Setting = {}): void => {
  const { interruptions = ["crash", "stop", "passivation"], passivateAfter, databases: on = ["memory"] } = setting
  const all = on.flatMap((database) => interruptions.map((how) => [database, how] as const))
  describe(title, () => {
    for (const [index, [database, how]] of all.entries()) {
      for (const [nth, [form]] of enginesOf("body", body, () => 0).entries()) {
        // What is not whole interrupts each form in every second way, the two forms in different ones.
        if (!isWhole && all.length > 1 && (index + nth) % 2 === 1) continue
        const where = on.length === 1 ? "" : `, on ${database}`
        it.skipIf(database === "postgres" && !hasPostgres)(`with ${form}, after a ${how}${where}`, async () => {
          const did: Array<string> = []
          const note: Note = (effect) => did.push(effect) && did.filter((each) => each === effect).length - 1
          const after = how === "passivation" ? "10 millis" : passivateAfter
          const engine = enginesOf("body", body, note, after).find(([of]) => of === form)?.[1]
          if (engine === undefined) throw new Error("the body is not written so")
          await Effect.runPromise(
            Effect.flatMap(begun(engine, did, how, database, setting), acts).pipe(Effect.orDie, Effect.scoped)
          )
        })
      }
    }
  })
}
