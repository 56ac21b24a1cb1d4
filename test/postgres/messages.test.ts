/**
 * The messages of hosts to each other, where something is wrong with them or with the connection that they come on.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { processId } from "../../src/model/ids.ts"
import type { DueElsewhere } from "../../src/store/ProcessStore.ts"
import { bounded, until } from "../support/hosts.ts"
import * as Postgres from "../support/postgres.ts"
import { open } from "./opened.ts"
import * as Proxies from "./proxy.ts"

/** A store whose listening connection goes by a name of its own; it hears itself once it is open. */
const listening = Effect.gen(function* () {
  const where = yield* Postgres.freshSchema
  const name = `listens_${where.schema}`
  const sessionUrl = new URL(where.url)
  sessionUrl.searchParams.set("application_name", name)
  const opened = yield* open({ ...where, sessionUrl: sessionUrl.href })
  const heard: Array<DueElsewhere> = []
  yield* opened.store.onExternalCommit?.((due) => heard.push(due)) ?? Effect.void
  const query = (text: string) => Effect.promise(() => Postgres.query(where.url, text))
  const backends = Effect.map(
    query(`SELECT pid FROM pg_stat_activity WHERE application_name = '${name}'`),
    (rows) => rows.map((row) => (row as { readonly pid: number }).pid) // as selected
  )
  const notify = (payload: string) =>
    query(`SELECT pg_notify('holdfast_${opened.store.storeId}', '${payload.replaceAll("'", "''")}')`)
  /** Says something until it is heard: messages come once the host listens. */
  const connected = until(
    Effect.zipRight(
      notify(`["another",["it"],["it"]]`),
      Effect.sync(() => heard.length > 0)
    )
  )
  return { ...opened, where, heard, query, notify, backends, connected }
})

describe.skipIf(!Postgres.hasPostgres)("a message that no host of this version wrote", () => {
  const junk: Readonly<Record<string, string>> = {
    "the word that a message may be": "look",
    "no JSON": "hello",
    nothing: "",
    "half a message": '["another",["it"',
    "an object": '{"teller":"another"}',
    null: "null",
    "a number": "1",
    "a text": '"another"',
    "an empty list": "[]",
    "a teller that is no text": "[1,{},2]",
    "ids that are no list": '["another",{},[]]',
    "ids that are no texts": '["another",[1,null],[]]',
    "due ids that are a text": '["another",[],"many"]',
    "a message without what is due": '["another",["it"]]'
  }

  it.live("says that there is something to look for, and the next message is heard, too", () =>
    Effect.gen(function* () {
      const { heard, notify, connected, register, store } = yield* listening
      const its = processId("its")
      yield* connected
      for (const [what, payload] of Object.entries(junk)) {
        yield* until(Effect.sync(() => heard.every((due) => due !== "many")))
        heard.length = 0
        yield* notify(payload)
        yield* until(Effect.sync(() => heard.includes("many")))
        heard.length = 0
        yield* notify('["another",["its"],["its"]]')
        yield* until(Effect.sync(() => heard.some((due) => due.includes(its))))
        assert.include(yield* store.externalChanges, its, what)
        heard.length = 0
      }
      yield* register("it")
    }).pipe(Effect.scoped, bounded)
  )
})

describe.skipIf(!Postgres.hasPostgres)("the connection that messages come on", () => {
  it.live("is made anew when it was lost, also by a host that has nothing to say", () =>
    Effect.gen(function* () {
      const { heard, query, backends, connected } = yield* listening
      yield* connected
      for (let round = 0; round < 2; round++) {
        const before = yield* backends
        assert.strictEqual(before.length, 1)
        yield* query(`SELECT pg_terminate_backend(${before[0]})`)
        yield* until(Effect.map(backends, (now) => now.length === 1 && now[0] !== before[0]))
        heard.length = 0
        yield* connected
      }
    }).pipe(Effect.scoped, bounded)
  )

  it.live("is missed in one line where it cannot be made, and changes are found without it", () =>
    Effect.gen(function* () {
      const where = yield* Postgres.freshSchema
      const lines: Array<string> = []
      const logger = Logger.replace(
        Logger.defaultLogger,
        Logger.make(({ message }) => lines.push(String(message)))
      )
      const away = yield* Effect.promise(() => Proxies.start(where.url))
      away.close()
      const nowhere = new URL(where.url)
      nowhere.username = "no_such_role"
      const urls = [away.url, nowhere.href]
      const [deaf] = yield* Effect.all(
        urls.map((sessionUrl) => open({ ...where, sessionUrl })),
        { concurrency: 1 }
      ).pipe(Effect.provide(logger))
      const { register } = yield* open(where)
      yield* until(Effect.sync(() => lines.length >= urls.length))
      yield* register("it")
      yield* until(
        Effect.map(deaf?.store.externalChanges ?? Effect.succeed([]), (ids) => ids.some((id) => id === "it"))
      )
      for (const line of lines)
        assert.match(line, /^no messages of other hosts come, so that what they do is seen later: /)
      assert.strictEqual(lines.length, urls.length)
    }).pipe(Effect.scoped, bounded)
  )
})
