import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FC from "effect/FastCheck"
import { lifecycleOf } from "../../machines/process/lifecycle.ts"
import { Processes } from "../../src/host/Processes.ts"
import { processId } from "../../src/model/ids.ts"
import type * as Engine from "../../src/runtime/engine/Engine.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import { isFold } from "../../src/testing/evidence.ts"
import { samples } from "../support/samples.ts"
import type { Program, Witness } from "./randomBodies.ts"
import { Child, effectBody, programs, promiseBody, signals } from "./randomBodies.ts"
import type { Life, World } from "./schedules.ts"
import { buryTheDead, make } from "./schedules.ts"

/** How many programs are tried. */
const runs = samples(60, 10_000)

const id = processId("p")
const timings = { leaseTtl: "90 millis", leaseRenewal: "30 millis", sweepInterval: "20 millis" } as const

/** What happens to a body: its host crashes with its n-th commit, or stops; a signal comes; time passes. */
type Deed =
  | { readonly does: "crash"; readonly commits: number }
  | { readonly does: "stop" }
  | { readonly does: "signal"; readonly which: 0 | 1 }
  | { readonly does: "time"; readonly ms: number }
  | { readonly does: "cancel" }

const deed: FC.Arbitrary<Deed> = FC.oneof(
  { weight: 6, arbitrary: FC.integer({ min: 1, max: 8 }).map((commits): Deed => ({ does: "crash", commits })) },
  { weight: 2, arbitrary: FC.constant<Deed>({ does: "stop" }) },
  { weight: 4, arbitrary: FC.constantFrom<0 | 1>(0, 1).map((which): Deed => ({ does: "signal", which })) },
  { weight: 4, arbitrary: FC.constantFrom(3, 8, 15, 45).map((ms): Deed => ({ does: "time", ms })) },
  { weight: 1, arbitrary: FC.constant<Deed>({ does: "cancel" }) }
)

const rowOf = ({ store }: World) =>
  Effect.map(Effect.orDie(store.find(id)), (found) => (found._tag === "Present" ? found.row : undefined))

/** Runs a program through its deeds, and then to its end. */
const played = (
  program: Program,
  kind: "effects" | "promises",
  deeds: ReadonlyArray<Deed>,
  passivateAfter: "10 millis" | undefined
) =>
  Effect.gen(function* () {
    const world = yield* make
    const traces: Array<Array<string>> = []
    const ran = new Map<string, number>()
    let life: Life | undefined
    const witness: Witness = {
      begin: () => {
        const own = life
        const trace: Array<string> = []
        traces.push(trace)
        return (learned) => {
          // The first host runs the body before the test knows it.
          if ((own ?? life)?.isAlive() !== false) trace.push(learned)
        }
      },
      run: (name) => {
        const before = ran.get(name) ?? 0
        ran.set(name, before + 1)
        return before
      }
    }
    const engine: Engine.Runnable<never> =
      kind === "effects" ? effectBody(program, witness, passivateAfter) : promiseBody(program, witness, passivateAfter)
    const boot = (commits?: number) =>
      Effect.gen(function* () {
        life = undefined
        life = yield* world.boot([engine, Child], timings, commits)
      })
    let sent = 0
    const send = (which: 0 | 1) =>
      Effect.flatMap(Processes, (processes) => {
        const handle = processes.handle(effectBody(program, witness), id)
        return Effect.ignore(handle.signal(signals[which], ++sent, { id: String(sent) }))
      })
    yield* boot()
    const started = Effect.flatMap(Processes, (processes) =>
      processes.start(engine as ReturnType<typeof effectBody>, { id, payload: null })
    )
    yield* (life as unknown as Life).begin(started)
    yield* world.turns(3)
    for (const next of deeds) {
      const host = life as unknown as Life
      switch (next.does) {
        case "crash":
          yield* host.crash
          yield* boot(next.commits)
          break
        case "stop":
          if (host.isAlive()) yield* host.stop
          yield* boot()
          break
        case "signal":
          yield* host.begin(send(next.which))
          break
        case "cancel":
          yield* host.begin(
            Effect.flatMap(Processes, (processes) =>
              Effect.ignore(processes.handle(effectBody(program, witness), id).cancel("enough"))
            )
          )
          break
        case "time":
          yield* world.advance(next.ms)
          break
      }
      yield* world.turns(4)
    }
    yield* (life as unknown as Life).crash
    yield* boot()
    for (let round = 0; round < 12; round++) {
      const row = yield* rowOf(world)
      if (row !== undefined && lifecycleOf(row.snapshot) !== "running") break
      yield* (life as unknown as Life).begin(Effect.zipRight(send(0), send(1)))
      yield* world.advance(150)
    }
    return { world, traces, ran, row: yield* rowOf(world) }
  })

const judged = ({ world, traces, row }: Effect.Effect.Success<ReturnType<typeof played>>) =>
  Effect.gen(function* () {
    assert.isDefined(row, "it was never registered")
    if (row === undefined) return
    const log = yield* Effect.orDie(world.store.eventsAfter(id, 0))
    const said = `${row.backOff?.problem ?? ""} after ${log.map(({ eventType }) => eventType).join(" ")}`
    assert.notStrictEqual(lifecycleOf(row.snapshot), "running", `it never ends: ${said}`)
    const [longest = []] = [...traces].sort((one, other) => other.length - one.length)
    for (const trace of traces) {
      assert.deepStrictEqual(trace, longest.slice(0, trace.length), "an activation learned something else")
    }
    const journal = yield* Effect.orDie(world.store.execution.journal(id))
    assert.strictEqual(new Set(journal.map(({ key }) => key)).size, journal.length, "a key was journaled twice")
    yield* Effect.provideService(isFold(id), ProcessStore, world.store)
  })

const replays = (kind: "effects" | "promises") =>
  FC.asyncProperty(
    programs,
    FC.array(deed, { maxLength: 10 }),
    FC.constantFrom<"10 millis" | undefined>(undefined, "10 millis"),
    (program, deeds, passivateAfter) =>
      Effect.runPromise(
        Effect.flatMap(played(program, kind, deeds, passivateAfter), judged).pipe(
          Effect.ensuring(Effect.sync(buryTheDead))
        )
      )
  )

describe("random bodies", () => {
  for (const kind of ["effects", "promises"] as const) {
    it(`of ${kind} learn the same, in the same order, wherever they are interrupted`, {
      timeout: 3_600_000
    }, async () => {
      await FC.assert(replays(kind), { numRuns: runs })
    })
  }
})
