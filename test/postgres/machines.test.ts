import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { ProcessId } from "../../src/model/ids.ts"
import { verify } from "../../src/operations/verify.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import * as PostgresStore from "../../src/store/postgres/PostgresStore.ts"
import { start } from "../support/children.ts"
import { bounded, until } from "../support/hosts.ts"
import * as Postgres from "../support/postgres.ts"
import { isWhole } from "../support/samples.ts"

const perHost = 10

/** Two host programs on one schema, each with processes of its own, and a store that looks on. */
const twoHosts = Effect.gen(function* () {
  const where = yield* Postgres.freshSchema
  const store = yield* PostgresStore.make(where)
  const ask = <Row>(text: string) =>
    Effect.map(
      Effect.promise(() => Postgres.query(where.url, text.replaceAll("~", where.schema))),
      (rows) => rows as ReadonlyArray<Row> // as the text selects them
    )
  yield* ask("CREATE TABLE ~.world (id text, what text, host text)")
  const host = (name: string, first: number) =>
    Effect.acquireRelease(
      Effect.sync(() =>
        start("test/postgres/hostProgram.js", [where.url, where.schema, name, String(first), String(perHost)])
      ),
      (child) => Effect.sync(() => child.process.kill("SIGKILL"))
    )
  const [one, other] = yield* Effect.all([host("one", 0), host("other", perHost)])
  for (const child of [one, other]) yield* Effect.promise(() => child.saw(/^began 9|began 19/))
  return { store, ask, one, other }
})

/** What must hold in the end, whatever was done to the hosts. */
const holds = ({ store, ask }: Effect.Effect.Success<typeof twoHosts>) =>
  Effect.gen(function* () {
    yield* until(Effect.map(store.countByLifecycle, ({ running }) => running === 0))
    const { failed, cancelled } = yield* store.countByLifecycle
    assert.deepStrictEqual({ failed, cancelled }, { failed: 0, cancelled: 0 })
    const steps = yield* ask<{ readonly outputs: number }>(
      `SELECT count(*)::integer AS outputs FROM ~.state
       WHERE process_id LIKE 'steps %' AND lifecycle = 'completed' AND snapshot LIKE '%"value":55%'`
    )
    assert.strictEqual(steps[0]?.outputs, 2 * perHost, "every rerunnable process has its result")
    const twice = yield* ask(`SELECT id FROM ~.world WHERE what = 'begun' GROUP BY id HAVING count(*) > 1`)
    assert.deepStrictEqual(twice, [], "owner-bound work that began twice")
    const ends = yield* ask(
      `SELECT pk FROM ~.event WHERE event_type LIKE 'process.completed' GROUP BY pk HAVING count(*) > 1`
    )
    assert.deepStrictEqual(ends, [], "processes that ended twice")
    const by = yield* ask<{ readonly id: string }>(
      "SELECT id FROM ~.world WHERE host = 'other' AND id IN (SELECT id FROM ~.world WHERE host = 'one')"
    )
    assert.isAbove(by.length, 0, "what the one had begun, the other went on with")
    const { differences } = yield* Effect.provideService(verify(), ProcessStore, store)
    assert.deepStrictEqual(differences, [])
  })

describe.skipIf(!Postgres.hasPostgres)("two host programs on one database", () => {
  it.live("one is killed: the other finishes what may run again, and gives up what may not", () =>
    Effect.gen(function* () {
      const hosts = yield* twoHosts
      hosts.one.process.kill("SIGKILL")
      yield* holds(hosts)
    }).pipe(Effect.scoped, bounded)
  )

  it.live.skipIf(!isWhole)(
    "one is frozen for longer than its leases: the other takes over, and what thaws writes nothing more",
    () =>
      Effect.gen(function* () {
        const hosts = yield* twoHosts
        hosts.one.process.kill("SIGSTOP")
        yield* Effect.sleep("3 seconds")
        hosts.one.process.kill("SIGCONT")
        yield* holds(hosts)
        assert.isNull(hosts.one.process.exitCode, "it goes on")
        const again = yield* hosts.ask<{ readonly id: ProcessId; readonly steps: number }>(
          `SELECT id, (count(*) - count(DISTINCT what))::integer AS steps FROM ~.world WHERE what LIKE 'step %' GROUP BY id`
        )
        for (const { id, steps } of again) {
          const found = yield* hosts.store.find(id)
          const activations = found._tag === "Present" ? found.row.snapshot.context.activations : 0
          // Each time that its body runs again, at most the step that was under way is done again: the world has no fence.
          assert.isBelow(steps, activations, `${id}, activations: ${activations}`)
        }
      }).pipe(Effect.scoped, bounded)
  )
})
