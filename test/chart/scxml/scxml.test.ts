import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { AnyStateMachine } from "xstate"
import { Processes } from "../../../src/host/Processes.ts"
import { processId } from "../../../src/model/ids.ts"
import { verify } from "../../../src/operations/verify.ts"
import { fromMachine } from "../../../src/runtime/engine/fromMachine.ts"
import { ProcessStore } from "../../../src/store/ProcessStore.ts"
import type { Database } from "../../../src/testing/bodies/World.ts"
import * as TestHost from "../../../src/testing/TestHost.ts"
import { databases } from "../../runtime/schedules.ts"
import { isLong } from "../../support/samples.ts"
import { differences } from "./leftOut.ts"
import type { Case, Script } from "./suite.ts"
import { atomicOf, cases, expected, played } from "./suite.ts"

const suite = cases()
const run = suite.filter(({ leftOut }) => leftOut === undefined)

const engineOf = (machine: AnyStateMachine, { events }: Script) =>
  fromMachine(machine, {
    version: "1",
    input: Schema.Null,
    events: Object.fromEntries(
      events.flatMap(({ event }) =>
        event.name === "" ? [] : [[event.name, Schema.Struct({ data: Schema.optional(Schema.Unknown) })]]
      )
    )
  } as never)

/** Plays a script as a durable process whose host dies before each event. */
const endured = (machine: AnyStateMachine, script: Script, name: string, database: Database) =>
  Effect.gen(function* () {
    const engine = engineOf(machine, script)
    const id = processId(name)
    const host = yield* TestHost.make([engine], { database })
    const configuration = Effect.gen(function* () {
      yield* host.settle
      const row = yield* host.row(id)
      const { chart } = row?.snapshot.context ?? {}
      return chart === undefined ? `no chart: ${JSON.stringify(row?.backOff)}` : atomicOf(machine, chart.value)
    })
    yield* host.run(Effect.flatMap(Processes, (processes) => processes.start(engine, { id, payload: null as never }))) // its input
    const seen = [yield* configuration]
    for (const { after = 0, event } of script.events) {
      yield* host.restart()
      yield* host.settle
      yield* host.advance(after)
      const signal = engine.signals?.find(({ signal }) => signal === event.name)
      const payload = "data" in event ? { data: event.data } : {}
      // A script that only lets time pass sends an event without a name.
      if (signal !== undefined) {
        const sent = Effect.map(Processes, (processes) => processes.handle(engine, id))
        // An ended process refuses it.
        yield* host.run(
          Effect.flatMap(sent, (handle) => Effect.exit(handle.signal(signal as never, payload as never))) // one of its own
        )
      }
      seen.push(yield* configuration)
    }
    const verified = yield* Effect.provideService(verify(), ProcessStore, host.store)
    assert.deepStrictEqual(verified.differences, [])
    return seen
  })

const holds = ({ name, machine, script }: Case, database: Database) =>
  Effect.gen(function* () {
    const seen = yield* endured(machine as AnyStateMachine, script, name, database) // those that run have one
    assert.deepStrictEqual(seen, expected(script), name)
  })

describe("the documents of the SCXML suite", () => {
  it("that run do in XState itself what the suite expects", () => {
    for (const { name, machine, script, leftOut } of suite) {
      if (leftOut === undefined)
        assert.deepStrictEqual(played(machine as AnyStateMachine, script), expected(script), name)
    }
  })

  it("are left out for what XState does differently only as long as it does", () => {
    for (const [name, reason] of Object.entries(differences)) {
      const { machine, script } = suite.find((test) => test.name === name) as Case // a name of the suite
      const does = (() => {
        try {
          return machine === undefined ? [] : played(machine, script)
        } catch {
          return []
        }
      })()
      assert.notDeepEqual(does, expected(script), `${name}: ${reason}`)
    }
  })

  for (const group of new Set(run.map(({ name }) => name.split("/")[0] ?? ""))) {
    it(`of ${group} do the same as processes whose host dies before each event`, async () => {
      for (const test of run.filter(({ name }) => name.startsWith(`${group}/`))) {
        await Effect.runPromise(Effect.scoped(holds(test, databases.memory)))
      }
    })
  }

  it(`do the same on SQLite, ${isLong ? "all of them" : "a sample of them"}`, async () => {
    for (const [index, test] of run.entries()) {
      if (isLong || index % 12 === 0) await Effect.runPromise(Effect.scoped(holds(test, databases.sqlite)))
    }
  })
})
