/**
 * Every read of a SQLite file is of one moment: whichever of its statements another program commits behind, its answer is that
 * of before the commit, or that of after it.
 */
import { copyFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import Database from "better-sqlite3"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as TestContext from "effect/TestContext"
import { explain } from "../../src/explain/explain.ts"
import { showAll } from "../../src/explain/redaction.ts"
import { lookAt } from "../../src/inspector/views/look.ts"
import { messagesView } from "../../src/inspector/views/messages.ts"
import { eventsView, processView, stateAt as stateView } from "../../src/inspector/views/process.ts"
import { runsView } from "../../src/inspector/views/runs.ts"
import type { ProcessId } from "../../src/model/ids.ts"
import { processId, sessionScopeId } from "../../src/model/ids.ts"
import * as ChangeFeed from "../../src/operations/ChangeFeed.ts"
import { external } from "../../src/operations/decisions/authority.ts"
import * as Grants from "../../src/operations/HandleGrants.ts"
import * as Observation from "../../src/operations/Observation.ts"
import * as OwnerEvidence from "../../src/operations/OwnerLiveness.ts"
import { OwnerLiveness } from "../../src/operations/OwnerLiveness.ts"
import * as Registry from "../../src/operations/ProcessRegistry.ts"
import * as Retention from "../../src/operations/Retention.ts"
import { stateAt } from "../../src/operations/stateAt.ts"
import { verify } from "../../src/operations/verify.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import { registrationOf } from "../../src/testing/fixtures.ts"
import { holdfast } from "../cli/running.ts"
import { open, temporaryFolder } from "./sqliteFixtures.ts"

const p = processId("p")
const c = processId("p/c")
const d = processId("p/d")
const gone = processId("gone")
const session = { sessionId: "s" }
const noneDead = () => Effect.succeed(false)

const written = (filename: string) =>
  Effect.gen(function* () {
    const { on, registry } = yield* open(filename)
    const grants = yield* on(Grants.make)
    const retention = yield* on(Retention.make)
    const childOf = (id: ProcessId) => ({
      ...registrationOf(id, "externally_owned"),
      parent: { processId: p, closePolicy: "cancel" as const },
      wakeTarget: session
    })
    const append = (id: ProcessId, payload: unknown) =>
      registry.appendEvent(id, { eventType: "note", payload }, external)
    const end = (id: ProcessId) =>
      registry.completeProcess(id, { _tag: "Success", value: 1 }, { _tag: "ExternalOwner" })
    return { append, childOf, end, grants, registry, retention }
  })

/** The state before the commit. */
const writeFirst = (filename: string) =>
  Effect.gen(function* () {
    const { append, childOf, end, grants, registry } = yield* written(filename)
    yield* registry.registerProcess({ ...registrationOf(p, "externally_owned"), wakeTarget: session })
    yield* registry.registerProcess(childOf(c))
    yield* registry.registerProcess(registrationOf(gone, "externally_owned"))
    for (const id of [p, c, gone]) yield* append(id, "first")
    yield* grants.grantHandle(session, p, { label: "first" })
    yield* grants.grantHandle(session, gone, { label: "first" })
    yield* end(gone)
  }).pipe(Effect.scoped)

/** What the commit adds: events, an end, a child, wakes, grants; and it takes one process away. */
const writeSecond = (filename: string) =>
  Effect.gen(function* () {
    const { append, childOf, end, grants, registry, retention } = yield* written(filename)
    yield* registry.registerProcess(childOf(d))
    for (const id of [p, c, d]) yield* append(id, "second")
    for (const id of [p, c]) {
      yield* registry.appendEvent(id, { eventType: "progress", payload: { urgent: 1, text: "t" } }, external)
    }
    yield* registry.setExternalRef(p, { backend: "b", id: "1" }, external)
    yield* grants.grantHandle(session, d, { label: "second" })
    yield* grants.grantHandle(session, p, { label: "second" })
    yield* retention.pruneTerminalProcesses({ cutoffMs: Date.now() + 60_000, watermark: { _tag: "NoProjector" } })
    yield* end(c)
  }).pipe(Effect.scoped)

type Store = typeof ProcessStore.Service
type Read = (store: Store, filename: string) => Effect.Effect<unknown, unknown, ProcessStore | OwnerLiveness>
type Reads = Readonly<Record<string, Read>>

const ofStore: Reads = {
  find: (store) => store.find(p),
  "find: what is pruned": (store) => store.find(gone),
  eventsAfter: (store) => store.eventsAfter(p, 0),
  "eventsAfter: what is pruned": (store) => store.eventsAfter(gone, 9),
  listNonTerminal: (store) => store.listNonTerminal,
  list: (store) => store.list({ filter: { status: "any" } }),
  countByLifecycle: (store) => store.countByLifecycle,
  countEvents: (store) => store.countEvents(p, "note", 100),
  recentEvents: (store) => store.recentEvents(p, 2),
  "recentEvents: what is pruned": (store) => store.recentEvents(gone, 2),
  wakeEventsAfter: (store) => store.wakeEventsAfter(p, 0),
  wakers: (store) => store.wakers("s"),
  due: (store) => store.due({ nowMs: Number.MAX_SAFE_INTEGER, limit: 10 }),
  "children.of": (store) => store.children.of(p),
  "children.closeRequests": (store) => store.children.closeRequests(10),
  "children.closeRequestsOf": (store) => store.children.closeRequestsOf(p),
  "execution.news": (store) => store.execution.news(p, { after: 0, limit: 10 }),
  "execution.journal": (store) => store.execution.journal(p),
  "feed.after": (store) => store.feed.after(0, 100),
  "feed.glances": (store) => store.feed.glances?.(0, 100) ?? Effect.die("there are none"),
  "grants.ofScope": (store) => store.grants.ofScope(sessionScopeId("s"), { filter: { status: "any" } }),
  "grants.ofProcess": (store) => store.grants.ofProcess(p),
  "leases.of": (store) => store.leases.of(p),
  "leases.holders": (store) => store.leases.holders,
  "outbox.list": (store) => store.outbox.list({ limit: 10 }),
  "outbox.report": (store) => store.outbox.report,
  "retention.endedBefore": (store) =>
    store.retention.endedBefore({
      cutoffMs: Number.MAX_SAFE_INTEGER,
      filter: {},
      afterChange: 0,
      limit: 10
    }),
  "retention.tombstone": (store) => store.retention.tombstone(gone),
  "retention.tombstonesBefore": (store) =>
    store.retention.tombstonesBefore({
      cutoffMs: Number.MAX_SAFE_INTEGER,
      afterChange: 0,
      limit: 10
    })
}

const ofCommand =
  (...args: ReadonlyArray<string>): Read =>
  (_, filename) =>
    Effect.promise(() => holdfast([...args, "--db", filename]))

const ofOperations: Reads = {
  getProcess: () => Effect.flatMap(Registry.make, (registry) => registry.getProcess(p)),
  "getProcess: what is pruned": () => Effect.flatMap(Registry.make, (registry) => registry.getProcess(gone)),
  "eventsAfter: what is pruned": () => Effect.flatMap(Registry.make, (registry) => registry.eventsAfter(gone, 0)),
  "recentEvents: what is pruned": () => Effect.flatMap(Registry.make, (registry) => registry.recentEvents(gone, 9)),
  "wakeEventsAfter: what is pruned": () =>
    Effect.flatMap(Registry.make, (registry) => registry.wakeEventsAfter(gone, 0)),
  "countEventsThrough: what is pruned": () =>
    Effect.flatMap(Registry.make, (registry) => registry.countEventsThrough(gone, "note", 9)),
  listProcesses: () => Effect.flatMap(Registry.make, (registry) => registry.listProcesses({ status: "any" })),
  changesSince: () => Effect.flatMap(ChangeFeed.make, (feed) => feed.changesSince(feed.beginning, 100)),
  listHandleGrants: () => Effect.flatMap(Grants.make, (grants) => grants.listHandleGrants(session)),
  listLiveHandleGrants: () => Effect.flatMap(Grants.make, (grants) => grants.listLiveHandleGrants(session)),
  hasHandleGrant: () => Effect.flatMap(Grants.make, (grants) => grants.hasHandleGrant(session, d)),
  handleGrantsForProcess: () => Effect.flatMap(Grants.make, (grants) => grants.handleGrantsForProcess(p)),
  "handleGrantsForProcess: what is pruned": () =>
    Effect.flatMap(Grants.make, (grants) => grants.handleGrantsForProcess(gone)),
  observe: () => Effect.flatMap(Observation.make, (observation) => observation.observe(p)),
  snapshotForSession: () => Effect.flatMap(Observation.make, (observation) => observation.snapshotForSession("s")),
  listGrantedTo: () =>
    Effect.flatMap(Observation.make, (observation) => observation.listGrantedTo(session, { status: "any" })),
  listOriginatedBy: () => Effect.flatMap(Observation.make, (observation) => observation.listOriginatedBy(session, {})),
  referenceSummary: () => Effect.flatMap(Retention.make, (retention) => retention.referenceSummary),
  stateAt: () => stateAt(p, 1),
  "stateAt: what is pruned": () => stateAt(gone, 1),
  explain: () => explain(p),
  "explain: what is pruned": () => explain(gone),
  "verify: what is pruned": () => verify({ ids: [gone] }),
  "holdfast show": ofCommand("show", "--json", "p"),
  "holdfast tree": ofCommand("tree", "--json", "p"),
  "holdfast tree of all": ofCommand("tree", "--json"),
  "the page's process": (store) => processView(store, p, showAll, noneDead),
  "the page's events": (store) => eventsView(store, p, { last: 10 }, showAll),
  "the page's runs": (store) => runsView(store, p, showAll, noneDead),
  "the page's messages": (store) => messagesView(store, p),
  "the page's moment": (store) => stateView(store, p, 1, showAll),
  "the page's moment of what is pruned": (store) => stateView(store, gone, 1, showAll),
  "the page's look": (store) =>
    lookAt(store, p, { limit: 10, at: "last" }, showAll, Effect.succeed({ available: false }), noneDead)
}

describe("every read of a SQLite file is of one moment", () => {
  const scope = Effect.runSync(Scope.make())
  const scoped = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) => Effect.runPromise(Scope.extend(effect, scope))
  let place = { first: "", second: "", read: "" }
  let writer: Database.Database
  let tables: ReadonlyArray<string> = []
  let store: typeof ProcessStore.Service

  beforeAll(async () => {
    const folder = await scoped(temporaryFolder)
    place = { first: join(folder, "first.db"), second: join(folder, "second.db"), read: join(folder, "read.db") }
    await Effect.runPromise(writeFirst(place.first))
    for (const file of [place.second, place.read]) copyFileSync(place.first, file)
    await Effect.runPromise(writeSecond(place.second))
    writer = new Database(place.read)
    writer.pragma("foreign_keys = OFF")
    writer.prepare("ATTACH ? AS first").run(place.first)
    writer.prepare("ATTACH ? AS second").run(place.second)
    const select = "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
    tables = (writer.prepare(select).pluck().all() as ReadonlyArray<string>).filter(
      (name) => name !== "holdfast_migrations"
    )
    store = await scoped(SqliteStore.makeReadOnly({ filename: place.read }))
  })

  afterAll(async () => {
    await Effect.runPromise(Scope.close(scope, Exit.void))
    writer?.close()
  })

  /** Makes the file hold what another one does, in one commit. */
  const commit = (from: "first" | "second") =>
    writer.transaction(() => {
      for (const table of tables) {
        writer.exec(`DELETE FROM main.${table}; INSERT INTO main.${table} SELECT * FROM ${from}.${table}`)
      }
    })()

  /** Calls what is given after a statement that reads, and counts them. */
  const afterStatement = async <A>(call: (statement: number) => void, run: () => Promise<A>): Promise<A> => {
    const statement = Object.getPrototypeOf(writer.prepare("SELECT 1")) as { all: (...args: Array<unknown>) => unknown }
    const { all } = statement
    let count = 0
    statement.all = function (this: { readonly source: string }, ...args) {
      const found = all.apply(this, args)
      if (/^\s*(SELECT|WITH)\b/i.test(this.source)) call(++count)
      return found
    }
    try {
      return await run()
    } finally {
      statement.all = all
    }
  }

  const answerOf = (read: Effect.Effect<unknown, unknown, ProcessStore | OwnerLiveness>) =>
    Effect.runPromise(
      Effect.exit(read).pipe(
        Effect.map((exit) => (Exit.isSuccess(exit) ? { answers: exit.value } : { fails: String(exit.cause) })),
        Effect.provideService(ProcessStore, store),
        Effect.provideService(OwnerLiveness, OwnerEvidence.make(OwnerEvidence.unknowing)),
        Effect.provide(TestContext.TestContext)
      )
    )

  const holds = async (name: string, asked: Read) => {
    const read = () => answerOf(asked(store, place.read))
    commit("second")
    const after = await read()
    commit("first")
    let statements = 0
    const before = await afterStatement((count) => {
      statements = count
    }, read)
    for (let at = 1; at < statements; at++) {
      commit("first")
      const between = await afterStatement((count) => count === at && commit("second"), read)
      const one = JSON.stringify(between) === JSON.stringify(before) ? before : after
      assert.deepStrictEqual(between, one, `${name}: a commit behind statement ${at} of ${statements}`)
    }
  }

  for (const [level, reads] of Object.entries({ ofStore, ofOperations })) {
    for (const [name, read] of Object.entries(reads)) it(`${level}: ${name}`, () => holds(name, read))
  }
})
