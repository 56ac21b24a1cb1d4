import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FC from "effect/FastCheck"
import { verify } from "../../src/operations/verify.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import * as PostgresStore from "../../src/store/postgres/PostgresStore.ts"
import type { Child } from "../support/children.ts"
import { start } from "../support/children.ts"
import { patienceMs } from "../support/patience.ts"
import * as Postgres from "../support/postgres.ts"
import { isLong, isWhole, samples } from "../support/samples.ts"

const kills = samples(2, 200)
const freezes = samples(1, 50)
/** Whether the server restarts now: every 20 seconds in the long run, after every second deed in the short one. */
const isRestartDue = (done: number, lastMs: number): boolean =>
  isLong ? Date.now() - lastMs >= 20_000 : done % 2 === 0
/** Longer than a lease. Units: milliseconds. */
const frozenMs = 2_000

const schema = "storm"

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** Numbers of one seed, each from 0 to below 1. */
const randomly = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/**
 * Three hosts that are killed and frozen at random, while their server restarts; answers what any of them was told. The last three
 * live until all has `settled`: none of them may keep what it does not run.
 */
const storm = async (
  url: string,
  restart: () => Promise<void>,
  settled: (acks: ReadonlyArray<string>) => Promise<void>
): Promise<ReadonlyArray<string>> => {
  const random = randomly(FC.readConfigureGlobal().seed ?? 1)
  const acks: Array<string> = []
  let names = 0
  let restartedAtMs = Date.now()
  const host = (): Child => start("test/postgres/stormProgram.js", [url, schema, `h${++names}`])
  const isReady = (child: Child) => child.lines.some((line) => line.startsWith("ack "))
  const toldTo = ({ lines }: Child) => lines.filter((line) => line.startsWith("ack ")).map((line) => line.slice(4))
  const buried = async (child: Child) => {
    child.process.kill("SIGKILL")
    await child.ended()
    acks.push(...toldTo(child))
  }
  const hosts = [host(), host(), host()]
  try {
    const deeds = [...Array<"kill">(kills).fill("kill"), ...Array<"freeze">(freezes).fill("freeze")]
    for (let done = 1; deeds.length > 0; done++) {
      const [deed] = deeds.splice(Math.floor(random() * deeds.length), 1)
      const slot = Math.floor(random() * hosts.length)
      const child = hosts[slot] as Child // within their number
      for (const untilMs = Date.now() + patienceMs; !isReady(child); await pause(20)) {
        assert.isBelow(
          Date.now(),
          untilMs,
          `a host does nothing:\n${[...child.lines, ...child.errors].slice(-20).join("\n")}`
        )
        assert.isNull(child.process.exitCode, child.errors.slice(-20).join("\n"))
      }
      if (deed === "kill") {
        await buried(child)
        hosts[slot] = host()
      } else {
        child.process.kill("SIGSTOP")
        await pause(frozenMs)
        child.process.kill("SIGCONT")
      }
      if (isRestartDue(done, restartedAtMs)) {
        await restart()
        restartedAtMs = Date.now()
      }
      await pause(random() * 400)
    }
    for (const child of hosts) {
      await child.saw(/^ready/)
      child.process.kill("SIGUSR2")
    }
    for (const child of hosts) await child.saw(/^over/)
    await settled([...acks, ...hosts.flatMap(toldTo)])
  } finally {
    for (const child of hosts) await buried(child)
  }
  return acks
}

/** The steps that journals have, each with the fence that it recorded. */
const recordedSteps = `WITH step AS (
  SELECT journal.pk, process_id AS id, regexp_replace(key, '^.*(step [0-9]|begun).*$', '\\1') AS what,
    journal.sequence, (outcome::jsonb ->> 'ok')::integer AS fence
  FROM ~.journal JOIN ~.process USING (pk) WHERE operation = 'step')`

interface Row {
  readonly id: string
  readonly lifecycle: string
  readonly value: number | null
}

describe.skipIf(!Postgres.hasPostgres)("a storm over three hosts on one database", () => {
  it.skipIf(!isWhole)(
    "loses nothing that was acknowledged, and neither begins nor ends anything twice that must not be",
    async () => {
      const server = await Postgres.startServer()
      const ask = <R>(text: string) =>
        Postgres.query(server.url, text.replaceAll("~", schema)) as Promise<ReadonlyArray<R>> // as the text selects them
      const withStore = <A, E>(use: (store: typeof ProcessStore.Service) => Effect.Effect<A, E, ProcessStore>) =>
        Effect.runPromise(
          Effect.scoped(
            Effect.flatMap(PostgresStore.make({ url: server.url, schema }), (store) =>
              Effect.provideService(use(store), ProcessStore, store)
            )
          )
        )
      try {
        await withStore(() => Effect.void)
        await ask("CREATE TABLE ~.world (nonce text PRIMARY KEY, id text, what text, fence integer)")
        let restarts = 0
        const began = Date.now()
        const restart = async () => {
          restarts++
          await server.restart()
        }
        const rows = async () =>
          (await ask<Row>(
            `SELECT process_id AS id, lifecycle, (snapshot::jsonb #>> '{context,output,value}')::integer AS value FROM ~.state`
          )) as ReadonlyArray<Row>
        const acks = await storm(server.url, restart, async (told) => {
          const asked = new Set(
            told.filter((ack) => /^(go|cancel) /.test(ack)).map((ack) => ack.split(" ").slice(1, 4).join(" "))
          )
          // What was neither signalled nor cancelled waits.
          const isOpen = ({ id, lifecycle }: Row) =>
            lifecycle === "running" && (!id.startsWith("ask ") || asked.has(id))
          for (const untilMs = Date.now() + 2 * patienceMs; (await rows()).some(isOpen); await pause(200)) {
            assert.isBelow(Date.now(), untilMs, JSON.stringify((await rows()).filter(isOpen).slice(0, 5)))
          }
        })
        const byId = new Map((await rows()).map((row) => [row.id, row]))
        const lost = acks.filter((ack) => {
          const [what = "", ...rest] = ack.split(" ")
          if (what === "go") {
            const row = byId.get(rest.slice(0, 3).join(" "))
            return row?.lifecycle !== "completed" || row.value !== Number(rest[3])
          }
          if (what === "cancel") return byId.get(rest.join(" "))?.lifecycle !== "cancelled"
          const row = byId.get(ack)
          return what === "steps" ? row?.lifecycle !== "completed" || row.value !== 6 : row === undefined
        })
        assert.deepStrictEqual(lost, [], "what was acknowledged")
        const twice = await ask(
          "SELECT id FROM ~.world WHERE what = 'begun' AND id LIKE 'once %' GROUP BY id HAVING count(*) > 1"
        )
        assert.deepStrictEqual(twice, [], "owner-bound work that began twice")
        const uncleaned = await ask(
          `SELECT process_id FROM ~.state WHERE lifecycle = 'cancelled'
         AND EXISTS (SELECT 1 FROM ~.world WHERE id = process_id AND what = 'begun')
         AND NOT EXISTS (SELECT 1 FROM ~.world WHERE id = process_id AND what = 'cleaned up')`
        )
        assert.deepStrictEqual(uncleaned, [], "cancelled bodies that have not cleaned up")
        const ends = await ask(
          `SELECT pk FROM ~.event WHERE event_type IN ('process.completed', 'process.failed', 'process.cancelled', 'process.abandoned')
         GROUP BY pk HAVING count(*) > 1`
        )
        assert.deepStrictEqual(ends, [], "processes that ended twice")
        const foreign = await ask(
          `${recordedSteps} SELECT * FROM step WHERE fence IS DISTINCT FROM (
           SELECT (payload::jsonb #>> '{started,fencing_token}')::integer FROM ~.event
           WHERE event.pk = step.pk AND event.sequence <= step.sequence AND event_type = 'process.started'
           ORDER BY event.sequence DESC LIMIT 1)`
        )
        assert.deepStrictEqual(foreign, [], "steps that were not recorded by the activation that held the process")
        // A host that thaws goes on with the step that it was in: the world has no fence. What is recorded is not begun again.
        const again = await ask(
          `${recordedSteps} SELECT step.*, world.fence AS later FROM step JOIN ~.world USING (id, what)
         WHERE world.fence > step.fence`
        )
        assert.deepStrictEqual(again, [], "recorded steps that a later activation did again")
        const undone = await ask(
          `${recordedSteps} SELECT step.* FROM step LEFT JOIN ~.world USING (id, what, fence) WHERE world.nonce IS NULL`
        )
        assert.deepStrictEqual(undone, [], "recorded steps that no activation did under the fence that they recorded")
        const [recorded] = await ask<{ readonly steps: number }>(
          `${recordedSteps} SELECT count(*)::integer AS steps FROM step`
        )
        assert.isAbove(recorded?.steps ?? 0, 0)
        const { differences } = await withStore(() => verify())
        assert.deepStrictEqual(differences, [])
        console.log(
          `storm: ${kills} kills, ${freezes} freezes, ${restarts} restarts of the server in ${Math.round((Date.now() - began) / 1_000)} s; ` +
            `${byId.size} processes, ${acks.length} acknowledged requests: none lost; ${recorded?.steps} steps under their own fences`
        )
      } finally {
        await server.stop()
      }
    }
  )
})
