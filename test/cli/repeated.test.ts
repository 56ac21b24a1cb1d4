/** A signal under one id, sent again by whichever door: `holdfast signal`, the host that runs the process, or another host. */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { Processes } from "../../src/host/Processes.ts"
import { processId } from "../../src/model/ids.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import * as Signal from "../../src/runtime/engine/Signal.ts"
import { bounded, sqlite, temporaryFolder } from "../support/hosts.ts"
import { holdfast } from "./running.ts"

const Go = Signal.make("go", { payload: Schema.Number })
const Stop = Signal.make("stop", { payload: Schema.Null })

const Adds = Engine.make("adds", {
  version: "1",
  payload: Schema.Null,
  success: Schema.Number,
  signals: [Go, Stop],
  disposition: "rerunnable",
  run: (_, ctx) => Effect.zipLeft(ctx.awaitSignal(Go), ctx.awaitSignal(Stop))
})

/** Sends the signal and answers how it was taken: as which event where the door says so, or why it was refused. */
type Door = (id: string, payload: number, signalId: string) => Effect.Effect<string>

const cliOn =
  (db: string): Door =>
  (id, payload, signalId) =>
    Effect.promise(async () => {
      const { code, out, err } = await holdfast([
        ...["signal", id, "go", "--payload", `${payload}`, "--signal-id", signalId],
        ...["--db", db, "--json"]
      ])
      return code === 0 ? `taken as ${(JSON.parse(out) as { readonly sequence: number }).sequence}` : err.trim()
    })

const handleOn =
  (processes: typeof Processes.Service): Door =>
  (id, payload, signalId) =>
    Effect.match(processes.handle(Adds, id).signal(Go, payload, { id: signalId }), {
      onSuccess: () => "taken",
      onFailure: ({ message }) => `holdfast: ${message}`
    })

describe("a signal that is sent again under its id", () => {
  it.scopedLive(
    "is the same event at every door, also after the process ended; another one under that id is refused",
    () =>
      Effect.gen(function* () {
        const db = `${yield* temporaryFolder}/agent.db`
        const own = yield* Layer.build(sqlite(db, [Adds]))
        const other = yield* Layer.build(sqlite(db, [Adds], { sweepInterval: false }))
        const processes = Context.get(own, Processes)
        const registry = Context.get(own, ProcessRegistry)
        const doors: Readonly<Record<string, Door>> = {
          cli: cliOn(db),
          "its host": handleOn(processes),
          "another host": handleOn(Context.get(other, Processes))
        }
        const signalsOf = (id: string) =>
          Effect.map(registry.eventsAfter(processId(id), 0), (events) =>
            events.filter(({ eventType }) => eventType === "signal.go")
          )
        for (const [first, door] of Object.entries(doors)) {
          const id = `first by ${first}`
          const handle = yield* processes.start(Adds, { id, payload: null })
          yield* door(id, 7, "s")
          const [sent] = yield* signalsOf(id)
          const again = Effect.forEach(Object.entries(doors), ([name, repeat]) =>
            Effect.gen(function* () {
              const answer = yield* repeat(id, 7, "s")
              assert.strictEqual(
                answer,
                name === "cli" ? `taken as ${sent?.sequence}` : "taken",
                `${id}, again by ${name}`
              )
              const refusal = yield* repeat(id, 8, "s")
              assert.match(refusal, /conflicts with an existing event/, `${id}, another by ${name}`)
            })
          )
          yield* again
          yield* handle.signal(Stop, null)
          assert.strictEqual(yield* bounded(handle.await), 7)
          const log = yield* registry.eventsAfter(processId(id), 0)
          yield* again
          for (const [name, late] of Object.entries(doors)) {
            assert.match(yield* late(id, 7, "late"), /already terminal: completed/, `${id}, a late one by ${name}`)
          }
          assert.deepStrictEqual(yield* registry.eventsAfter(processId(id), 0), log)
          assert.deepStrictEqual(yield* signalsOf(id), [sent])
        }
      })
  )
})
