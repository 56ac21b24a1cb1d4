/**
 * What the page asks for: an overview, a look, the runs of a tree, large values cut, and what is done to many at once.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import { cut, isCut, mostOfValue, partOf } from "../../src/inspector/cut.ts"
import { differencesOf } from "../../src/inspector/difference.ts"
import * as Inspector from "../../src/inspector/Inspector.ts"
import type { OverviewView } from "../../src/inspector/OverviewView.ts"
import { nowMs, setClock } from "../../src/inspector/page/text.ts"
import type { RunsView } from "../../src/inspector/RunView.ts"
import type { Work } from "../../src/inspector/reason.ts"
import { isLate, reasonOf, works } from "../../src/inspector/reason.ts"
import { againOf } from "../../src/inspector/text.ts"
import type { BulkView, ListView, LookView, RowView } from "../../src/inspector/View.ts"
import * as Directory from "../../src/inspector/views/directory.ts"
import { withDoing } from "../../src/inspector/views/doing.ts"
import { overviewOf } from "../../src/inspector/views/overview.ts"
import { bandsOf } from "../../src/inspector/views/runs.ts"
import type { Fact } from "../../src/model/facts.ts"
import { started, suspended } from "../../src/model/facts.ts"
import { processId } from "../../src/model/ids.ts"
import type { UnderWay } from "../../src/model/JournalEntry.ts"
import { opaqueOwner } from "../../src/model/Lease.ts"
import type { ProcessEvent } from "../../src/model/ProcessEvent.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import { patienceMs } from "../support/patience.ts"
import { asked, inspected, note, register, waitForApproval } from "./fixtures.ts"

const posted = <A>(path: string, body: unknown): Effect.Effect<A, never, Inspector.Inspector> =>
  Effect.flatMap(Inspector.Inspector, ({ port }) =>
    Effect.promise(async () => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, {
        method: "POST",
        headers: { authorization: "Bearer secret", "content-type": "application/json" },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(patienceMs)
      })
      return (await response.json()) as A // the caller says what it asked for
    })
  )

const fail = (id: string, message: string) =>
  Effect.flatMap(ProcessRegistry, (registry) =>
    registry.completeProcess(
      processId(id),
      { _tag: "Failure", class: "execution", code: "Broken", message },
      { _tag: "ExternalOwner" }
    )
  )

describe("the overview", () => {
  it.live("counts what runs, fails and waits for a person, and follows what changes", () =>
    Effect.gen(function* () {
      for (const id of ["a", "b", "c", "d"]) yield* register(id, { identity: { kind: id < "c" ? "deploy" : "import" } })
      for (const id of ["a", "b"]) yield* waitForApproval(id)
      yield* fail("c", "no such host")
      const before = yield* asked<OverviewView>("/api/overview")
      assert.deepStrictEqual(before.counts, { running: 3, completed: 0, failed: 1, cancelled: 0, abandoned: 0 })
      assert.deepStrictEqual(
        before.inbox.map(({ kind, asks, count, rows }) => [kind, asks, count, rows.map((row) => row.process_id)]),
        [["deploy", ["approve"], 2, ["a", "b"]]]
      )
      assert.deepStrictEqual(
        before.failures.map(({ kind, problem, count }) => [kind, problem, count]),
        [["import", "no such host", 1]]
      )
      assert.strictEqual(
        before.ends.reduce((sum, { bad }) => sum + bad, 0),
        1
      )
      yield* fail("d", "no such host")
      yield* fail("a", "too late")
      const after = yield* asked<OverviewView>("/api/overview")
      assert.deepStrictEqual(
        after.failures.map(({ problem, count }) => [problem, count]),
        [
          ["no such host", 2],
          ["too late", 1]
        ]
      )
      assert.deepStrictEqual(
        after.inbox.map(({ count }) => count),
        [1]
      )
    }).pipe(Effect.provide(inspected()))
  )
})

describe("the page's clock", () => {
  it("is not put back by an answer that took long", () => {
    setClock(Date.now() + 60_000)
    setClock(Date.now() - 1_400)
    assert.isAtLeast(nowMs(), Date.now() + 59_000)
  })

  it("says that a try whose moment has come is now, and does not look back on it", () => {
    assert.deepStrictEqual(
      [800, 1_000, 3_000].map((ms) => againOf(ms, 1_000)),
      ["again now", "again now", "again in 2.0 s"]
    )
  })
})

describe("what is due, and what is at work", () => {
  const nowMs = 1_000_000
  const live = { due_at_ms: nowMs + 1, holder: "alive" } as const
  const over = { due_at_ms: nowMs, holder: "lapsed" } as const
  for (const [what, due, is] of [
    ["no host was ever asked for", { due_at_ms: null, waits: [] }, false],
    ["is due later", { due_at_ms: nowMs + 1, waits: [] }, false],
    ["is due, and no host has it", { due_at_ms: nowMs, waits: [] }, true],
    ["waits until a moment that has come", { due_at_ms: nowMs, waits: ["timer"] }, true],
    ["is held", { ...live, waits: [] }, false],
    ["has a holder whose lease is over", { ...over, waits: [] }, true],
    ["waits, with a holder whose lease is over", { ...over, waits: ["approve"] }, false],
    ["has a holder that is proven dead, before its lease is over", { ...live, holder: "dead", waits: [] }, true],
    ["waits, with a holder that is proven dead", { ...live, holder: "dead", waits: ["approve"] }, false],
    ["was to wake, and its holder's lease is over", { ...over, waits: ["timer"], deadline_ms: nowMs }, true]
  ] as const) {
    it(`${is ? "late" : "not late"}: it ${what}`, () => assert.strictEqual(isLate(due, nowMs), is))
  }

  it("nothing is at work under a lease that was not renewed, or a holder that is dead: it is backlog", () => {
    const row = {
      kind: "deploy",
      state: "running" as const,
      sequence: 1,
      disposition: "rerunnable",
      attempts: 1,
      created_at_ms: 0,
      updated_at_ms: 0,
      active: true,
      waits: [],
      cancel_requested: false,
      abandon_requested: false,
      originator: "host",
      owner_id: "host"
    }
    const lineOf = (id: string, expiresAtMs: number): readonly [string, Directory.Line] => [
      id,
      {
        row: { ...row, process_id: id, due_at_ms: expiresAtMs, lease_expires_at_ms: expiresAtMs },
        words: "",
        asks: []
      }
    ]
    const lines = new Map([
      lineOf("held", nowMs + 1),
      lineOf("renewed", nowMs - 5),
      lineOf("lost", nowMs),
      lineOf("left", nowMs + 1),
      lineOf("taken over", nowMs + 9)
    ])
    const leases = new Map([
      ["renewed", { expiresAtMs: nowMs + 1, isDead: false }],
      ["left", { expiresAtMs: nowMs + 1, isDead: true }],
      ["taken over", { expiresAtMs: nowMs + 1, isDead: true }]
    ])
    const counts = { running: 5, completed: 0, failed: 0, cancelled: 0, abandoned: 0 }
    const beside = { counted: { counts, total: 5 }, holders: [], slots: undefined, wakes: undefined }
    const { active, late, oldest_due_ms: oldest } = overviewOf({ lines, leases, nowMs }, beside)
    assert.deepStrictEqual({ active, late, oldest }, { active: 3, late: 2, oldest: nowMs })
    const page = { order: "id", isAscending: true, offset: 0, limit: 9 } as const
    const idsOf = (work: Work) =>
      Directory.pageOf({ lines, leases, nowMs }, { work }, page).rows.map(({ process_id: id }) => id)
    assert.deepStrictEqual(works.map(idsOf), [["held", "renewed", "taken over"], [], ["left", "lost"]])
  })
})

describe("the list", () => {
  it.live("is narrowed by problem, wait, root, time and duration, and sorted by each column", () =>
    Effect.gen(function* () {
      yield* register("top")
      yield* register("top/below", { parent: { processId: processId("top"), closePolicy: "cancel" } })
      yield* register("broken")
      yield* fail("broken", "no such host")
      yield* waitForApproval("top")
      const ids = (query: string) =>
        Effect.map(asked<ListView>(`/api/processes?sort=id&order=asc&${query}`), ({ rows }) =>
          rows.map((row) => row.process_id)
        )
      assert.deepStrictEqual(yield* ids("problem=NO SUCH"), ["broken"])
      assert.deepStrictEqual(yield* ids("text=such host"), ["broken"])
      assert.deepStrictEqual(yield* ids("waits=approve"), ["top"])
      assert.deepStrictEqual(yield* ids("roots=1"), ["broken", "top"])
      assert.deepStrictEqual(yield* ids(`since=${Date.now() + 60_000}`), [])
      assert.deepStrictEqual(yield* ids("longer=3600000"), [])
      for (const sort of ["changed", "created", "duration", "due", "id", "kind", "state"]) {
        const orders = ["asc", "desc"].map((order) => asked<ListView>(`/api/processes?sort=${sort}&order=${order}`))
        for (const { total } of yield* Effect.all(orders)) assert.strictEqual(total, 3, sort)
      }
    }).pipe(Effect.provide(inspected()))
  )
})

describe("the lines that are kept in memory", () => {
  it.live("are no more than there may be, however many come while a page looks, and what runs is among them", () =>
    Effect.gen(function* () {
      const store = yield* ProcessStore
      const directory = yield* Directory.make(
        store,
        (value) => value,
        () => Effect.succeed(false),
        3
      )
      yield* register("runs")
      for (const id of ["a", "b", "c", "d"]) {
        yield* register(id)
        yield* fail(id, "broken")
        const { lines } = yield* directory.look
        assert.isAtMost(lines.size, 3)
        assert.isTrue(lines.has("runs") && lines.has(id))
      }
    }).pipe(Effect.provide(inspected()))
  )
})

describe("a look", () => {
  it.live("has all of a process at once, and leaves out what the page has", () =>
    Effect.gen(function* () {
      yield* register("p")
      yield* note("p", "one")
      const look = (query: string) => asked<LookView>(`/api/look?id=p&${query}`)
      const first = yield* look("at=last")
      assert.deepStrictEqual([first.process?.row.sequence, first.moment?.sequence, first.log.events.length], [1, 1, 1])
      const again = yield* look(`at=last&after=1&known=${first.mark}`)
      assert.deepStrictEqual([again.process, again.log.events, again.mark], [undefined, [], first.mark])
      yield* note("p", "two")
      const changed = yield* look(`after=1&known=${first.mark}`)
      assert.deepStrictEqual(
        [changed.process?.row.sequence, changed.moment, changed.log.events.length],
        [2, undefined, 1]
      )
    }).pipe(Effect.provide(inspected()))
  )

  it.live("cuts a large value, and answers with it alone where it is asked for", () =>
    Effect.gen(function* () {
      yield* register("p")
      const value = { text: "x".repeat(100_000), short: 1 }
      const registry = yield* ProcessRegistry
      yield* registry.completeProcess(processId("p"), { _tag: "Success", value }, { _tag: "ExternalOwner" })
      const look = yield* asked<LookView>("/api/look?id=p&at=last")
      assert.isBelow(JSON.stringify(look).length, 20_000)
      const text = partOf(look.process?.record, "/status/await_output/value/text")
      assert.isTrue(isCut(text))
      const from = isCut(text) ? text.$from : ""
      assert.strictEqual(yield* asked(`/api/${from}`), value.text)
      assert.strictEqual(partOf(look.process?.record, "/status/await_output/value/short"), 1)
    }).pipe(Effect.provide(inspected()))
  )

  it("looks at all of a large value once, and no more than fits of it again", () => {
    let looks = 0
    const counting = {
      ownKeys: (item: object) => {
        looks++
        return Reflect.ownKeys(item)
      }
    }
    const rows = Array.from({ length: 10_000 }, (_, index) => new Proxy({ index, by: "ana" }, counting))
    const { record } = cut({ record: { value: { rows } } }, "process?id=p") as { readonly record: object } // as it was
    assert.isTrue(isCut(partOf(record, "/value/rows")))
    assert.isBelow(looks, 10_000 + mostOfValue / 10)
  })

  const json = FastCheck.jsonValue({ maxDepth: 4 })

  it.prop(
    "whatever is cut is found where it says, and what is small stays",
    [json, FastCheck.integer({ min: 8, max: 4_000 })],
    ([inner, most]) => {
      const value = { a: { b: { c: inner, "~/": inner } }, d: [inner] }
      const check = (shown: unknown, whole: unknown): void => {
        if (isCut(shown)) {
          const pointer = new URLSearchParams(shown.$from.split("?")[1]).get("part") ?? ""
          assert.deepStrictEqual(partOf(value, pointer), whole)
        } else if (typeof shown === "object" && shown !== null) {
          assert.deepStrictEqual(Object.keys(shown), Object.keys(whole as object)) // it was not cut
          for (const [key, item] of Object.entries(shown)) check(item, (whole as Record<string, unknown>)[key])
        } else assert.deepStrictEqual(shown, whole)
      }
      check(cut(value, "process?id=p", most), value)
      if (JSON.stringify(value).length * 2 < mostOfValue) assert.deepStrictEqual(cut(value, "process"), value)
    }
  )

  it.prop("a difference is empty for equal values, and names a changed place", [json, json], ([a, b]) => {
    assert.deepStrictEqual(differencesOf(a, structuredClone(a)), [])
    const isSame = JSON.stringify(a) === JSON.stringify(b)
    const found = differencesOf({ x: a, y: 1 }, { x: b, y: 1 })
    if (!isSame && found.length === 0) assert.deepStrictEqual(a, b)
    for (const { path } of found) assert.match(path, /^\/x/)
  })
})

describe("the runs of a tree", () => {
  it("have a band for each activation, and a gap where a host was gone before it could say so", () => {
    const owner = (ownerId: string) => opaqueOwner(ownerId, "i")
    const at = (atMs: number, sequence: number, { eventType, payload }: Fact): ProcessEvent => ({
      processId: processId("p"),
      sequence,
      eventType,
      payload,
      semantics: {},
      occurredAtMs: atMs
    })
    const begun = (ownerId: string, attempt: number) =>
      started(processId("p"), attempt, { owner: owner(ownerId), startedAtMs: 1, attempt, fencingToken: attempt })
    const entry = { key: "build#1", position: 1, sequence: 1, operation: "step", atMs: 150, outcome: {} } as const
    const events = [
      at(100, 1, begun("first", 1)),
      at(900, 2, begun("second", 2)),
      at(1_000, 3, suspended(processId("p"), 2, "handed_back")),
      at(5_000, 4, begun("third", 2))
    ]
    assert.deepStrictEqual(bandsOf(events, [entry], 6_000), [
      { from_ms: 100, owner_id: "first", attempt: 1, to_ms: 150, lost: true },
      { from_ms: 900, owner_id: "second", attempt: 2, to_ms: 1_000 },
      { from_ms: 5_000, owner_id: "third", attempt: 2, to_ms: 6_000 }
    ])
    assert.deepStrictEqual(
      bandsOf(events.slice(0, 1), [entry], "lost"),
      [{ from_ms: 100, owner_id: "first", attempt: 1, to_ms: 150, lost: true }],
      "nothing is known of it after what it wrote last"
    )
    assert.deepStrictEqual(bandsOf(events.slice(0, 1), [entry], null), [
      { from_ms: 100, owner_id: "first", attempt: 1, to_ms: null }
    ])
  })

  it.live("have waits that last, and children to any depth", () =>
    Effect.gen(function* () {
      yield* register("p")
      yield* register("p/child", { parent: { processId: processId("p"), closePolicy: "cancel" } })
      yield* register("p/child/leaf", { parent: { processId: processId("p/child"), closePolicy: "cancel" } })
      yield* waitForApproval("p")
      const { runs, complete } = yield* asked<RunsView>("/api/runs?id=p")
      assert.deepStrictEqual(
        runs.map(({ process_id: id, depth }) => [id, depth]),
        [
          ["p", 0],
          ["p/child", 1],
          ["p/child/leaf", 2]
        ]
      )
      assert.isTrue(complete)
      assert.deepStrictEqual(
        runs[0]?.spans.map(({ what, name, from_ms: from, to_ms: to }) => [what, name, from, to]),
        [["wait", "approve", 1_000, null]]
      )
    }).pipe(Effect.provide(inspected()))
  )
})

describe("a page of the list", () => {
  const row = (id: string, more: Partial<RowView> = {}): RowView => ({
    process_id: id,
    kind: "deploy",
    state: "running",
    sequence: 1,
    disposition: "rerunnable",
    attempts: 1,
    created_at_ms: 0,
    updated_at_ms: 0,
    due_at_ms: null,
    active: false,
    waits: [],
    cancel_requested: false,
    abandon_requested: false,
    originator: "host",
    ...more
  })
  const lookOf = (rows: ReadonlyArray<RowView>): Directory.Look => ({
    lines: new Map(rows.map((each) => [each.process_id, { row: each, words: "", asks: [] }])),
    leases: new Map(),
    nowMs: 9
  })
  const page = { order: "id", isAscending: true, offset: 0, limit: 2 } as const

  it("says where a process is among all lines, also beyond the page, and nothing of one that is not among them", () => {
    const look = lookOf(["a", "b", "c", "d"].map((id) => row(id)))
    assert.strictEqual(Directory.pageOf(look, {}, { ...page, find: "d" }).at, 3)
    assert.notProperty(Directory.pageOf(look, { kind: "import" }, { ...page, find: "d" }), "at")
    assert.notProperty(Directory.pageOf(look, {}, page), "at")
  })

  it("names the step that fails before one that is long, and the child that a parent waits for", () => {
    const step = (name: string) => ({ key: name, name, operation: "step" as const, sinceMs: 5, tries: 2 })
    const underWay: Readonly<Record<string, ReadonlyArray<UnderWay>>> = {
      works: [step("long"), { ...step("pay"), error: "secret 503" }],
      awaits: [{ key: "c", name: "await c", operation: "await_child", sinceMs: 1, tries: 1, child: processId("works") }]
    }
    const asked: Array<string> = []
    const rows = [
      row("works", { active: true }),
      row("awaits", { active: true }),
      row("left"),
      row("left/1", { parent_id: "left", state: "completed" }),
      row("left/2", { parent_id: "left", waits: ["approve"] }),
      row("unstarted", { attempts: 0 }),
      row("over", { state: "failed" })
    ]
    const list = { rows, total: 7, now_ms: 9 }
    const found = withDoing(
      list,
      lookOf(rows),
      (id) => {
        asked.push(id)
        return underWay[id]
      },
      (value) => String(value).replace("secret", "[hidden]")
    )
    assert.deepStrictEqual(
      found.rows.flatMap(({ process_id: id, doing, awaits }) =>
        doing === undefined && awaits === undefined ? [] : [[id, doing ?? awaits]]
      ),
      [
        ["works", { name: "pay", since_ms: 5, tries: 2, error: "[hidden] 503" }],
        ["awaits", "works"],
        ["left", "left/2"]
      ]
    )
    assert.deepStrictEqual(asked, ["works", "awaits"], "only what is at work is asked for")
  })

  it("says of a machine how the last of the chain is that its first running child begins, also of one in a circle", () => {
    const line = (each: RowView, invokes: ReadonlyArray<string> = []) =>
      [each.process_id, { row: each, words: "", asks: [], invokes }] as const
    const lines = new Map([
      line(row("m", { rests: "paying" }), ["over", "left"]),
      line(row("alone", { rests: "waiting" }), ["over"]),
      line(row("over", { state: "failed" })),
      line(row("left")),
      line(row("left/1", { parent_id: "left", waits: ["approve"] })),
      line(row("round", { rests: "on" }), ["x"]),
      line(row("x", { parent_id: "y" })),
      line(row("y", { parent_id: "x" }))
    ])
    const rows = ["m", "alone", "round"].flatMap((id) => lines.get(id)?.row ?? [])
    const look = { lines, leases: new Map(), nowMs: 9 }
    const found = withDoing({ rows, total: 3, now_ms: 9 }, look, () => undefined, String)
    assert.deepStrictEqual(
      found.rows.map((each) => reasonOf(each, 9)?.text),
      ["rests in paying; its child: waits: approve", "rests in waiting", "rests in on; its child: awaits x"]
    )
  })
})

describe("what is done to many", () => {
  it.live("is said by a dry run, which changes nothing, and then done to those alone that take it", () =>
    Effect.gen(function* () {
      for (const id of ["a", "b", "c"]) yield* register(id)
      yield* fail("c", "too late")
      const request = { action: "cancel", process_ids: ["a", "b", "c", "nowhere"], reason: "enough" }
      const refused = [
        { process_id: "c", problem: "process `c` is already terminal: failed, and cannot accept a cancel request" },
        { process_id: "nowhere", problem: "unknown process `nowhere`" }
      ]
      const expected: BulkView = { matched: 4, done: 2, process_ids: ["a", "b"], refused }
      assert.deepStrictEqual(yield* posted("/api/actions/bulk", { ...request, dry_run: true }), expected)
      const store = yield* ProcessStore
      const wasAsked = Effect.map(
        store.find(processId("a")),
        (found) => found._tag === "Present" && found.row.snapshot.context.cancelRequest !== undefined
      )
      assert.isFalse(yield* wasAsked)
      assert.deepStrictEqual(yield* posted("/api/actions/bulk", { ...request, dry_run: false }), expected)
      assert.isTrue(yield* wasAsked)
      const again = yield* posted<BulkView>("/api/actions/bulk", { ...request, dry_run: true })
      assert.deepStrictEqual([again.done, again.refused[0]?.problem], [0, "it was asked already"])
    }).pipe(Effect.provide(inspected()))
  )
})
