import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { AnyStateMachine } from "xstate"
import { Processes } from "../../../src/host/Processes.ts"
import { processId } from "../../../src/model/ids.ts"
import { verify } from "../../../src/operations/verify.ts"
import type { MachineEngine } from "../../../src/runtime/engine/fromMachine.ts"
import { fromMachine } from "../../../src/runtime/engine/fromMachine.ts"
import { ProcessStore } from "../../../src/store/ProcessStore.ts"
import type { Database } from "../../../src/testing/bodies/World.ts"
import * as TestHost from "../../../src/testing/TestHost.ts"
import { databases } from "../../runtime/schedules.ts"
import { hasPostgres } from "../../support/postgres.ts"
import { isLong, isWhole } from "../../support/samples.ts"
import type { Converted } from "./convert.ts"
import { differences } from "./leftOut.ts"
import type { Case, Script } from "./suite.ts"
import { atomicOf, cases, expected, played, sentTo } from "./suite.ts"

const suite = cases()
const run = suite.filter(({ leftOut }) => leftOut === undefined)

const Sent = Schema.Record({ key: Schema.String, value: Schema.Unknown })

/** The engine of a document, and of what it invokes. */
const engineOf = (kind: string, { machine, children }: Converted, events: ReadonlyArray<string>): AnyMachineEngine =>
  fromMachine(machine, {
    version: "1",
    kind,
    input: Schema.Unknown,
    events: Object.fromEntries(events.map((name) => [name, Sent])),
    actors: Object.fromEntries(
      Object.entries(children).map(([name, child]) => [name, engineOf(`${kind}.${name}`, child, events)])
    )
  } as never)

type AnyMachineEngine = MachineEngine<AnyStateMachine, never>

/** Plays a script as a durable process whose host dies before each event. */
const endured = (document: Converted, script: Script, name: string, database: Database) =>
  Effect.gen(function* () {
    const { machine, sends } = document
    const names = ["external", ...script.events.map(({ event }) => event.name), ...sends]
    const engine = engineOf("scxml", document, [...new Set(names.filter((name) => /^[\w-]+$/.test(name)))])
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
      const given = { type: event.name, ...("data" in event ? { data: event.data } : {}) }
      const { type, ...payload } = sentTo(document, given)
      const signal = event.name === "" ? undefined : engine.signals?.find(({ signal }) => signal === type)
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
    const verified = yield* Effect.provideService(verify({ machines: [engine] }), ProcessStore, host.store)
    assert.deepStrictEqual(verified.differences, [])
    assert.isAbove(verified.retaken, 0)
    return seen
  })

const holds = ({ name, document, script }: Case, database: Database) =>
  Effect.gen(function* () {
    const seen = yield* endured(document as Converted, script, name, database) // those that run have one
    assert.deepStrictEqual(seen, expected(script), name)
  })

describe("the documents of the SCXML suite", () => {
  it("that run do in XState itself what the suite expects", () => {
    for (const { name, document, script, leftOut } of suite) {
      if (leftOut === undefined) assert.deepStrictEqual(played(document as Converted, script), expected(script), name)
    }
  })

  it("are left out for what XState does differently only as long as it does", () => {
    for (const [name, reason] of Object.entries(differences)) {
      const { document, script } = suite.find((test) => test.name === name) as Case // a name of the suite
      const does = (() => {
        try {
          return document === undefined ? [] : played(document, script)
        } catch {
          return []
        }
      })()
      assert.notDeepEqual(does, expected(script), `${name}: ${reason}`)
    }
  })

  for (const group of new Set(run.map(({ name }) => name.split("/")[0] ?? ""))) {
    it(`of ${group} do the same as processes whose host dies before each event${isLong ? "" : ", some of them"}`, async () => {
      for (const [index, test] of run.filter(({ name }) => name.startsWith(`${group}/`)).entries()) {
        if (isLong || index % (isWhole ? 5 : 10) === 0)
          await Effect.runPromise(Effect.scoped(holds(test, databases.memory)))
      }
    })
  }

  it(`do the same on SQLite, ${isLong ? "all of them" : "a sample of them"}`, async () => {
    for (const [index, test] of run.entries()) {
      if (isLong || index % (isWhole ? 24 : 48) === 0)
        await Effect.runPromise(Effect.scoped(holds(test, databases.sqlite)))
    }
  })

  it.skipIf(!hasPostgres)(`do the same on PostgreSQL, ${isLong ? "all of them" : "a sample of them"}`, async () => {
    for (const [index, test] of run.entries()) {
      if (isLong || index % (isWhole ? 60 : 120) === 0)
        await Effect.runPromise(Effect.scoped(holds(test, databases.postgres)))
    }
  })
})
