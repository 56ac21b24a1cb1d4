import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as Feed from "../../src/inspector/feed.ts"
import * as Inspector from "../../src/inspector/Inspector.ts"
import { showAll } from "../../src/inspector/redaction.ts"
import type { ChangeMessage } from "../../src/inspector/View.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import { bounded, quiet, temporaryFolder, until } from "../support/hosts.ts"
import { fileStore, memoryStore, note, register } from "./fixtures.ts"

/** A feed of the store in context. */
const made = (lookEvery = 0) =>
  Effect.gen(function* () {
    const store = yield* ProcessStore
    return { feed: yield* Feed.make(store, { redact: showAll, lookEvery }) }
  })

const parsed = (text: string): ChangeMessage => JSON.parse(text.slice("data: ".length))

/** A client that reads at once; what it read is in the list. */
const reading = (feed: Feed.Feed) =>
  Effect.gen(function* () {
    const messages: Array<ChangeMessage> = []
    yield* Effect.forkScoped(
      Stream.runForEach(feed.subscribe, (text) =>
        Effect.sync(() => {
          if (text.startsWith("data: ")) messages.push(parsed(text))
        })
      )
    )
    yield* settled
    return messages
  })

/** Lets every other fiber go on until it waits for the clock. */
const settled = Effect.repeatN(Effect.yieldNow(), 200)

const tick = Effect.zipRight(TestClock.adjust(Feed.intervalMs), settled)

const shown = (message: ChangeMessage | undefined) =>
  message?.type === "changes" ? message.rows.map((row) => [row.process_id, row.sequence]) : message?.type

describe("the stream of changes", () => {
  it.scoped("many changes of one process are one row of one message, its latest", () =>
    Effect.gen(function* () {
      const { feed } = yield* made()
      yield* register("a")
      const messages = yield* reading(feed)
      yield* register("b")
      for (let index = 1; index <= 100; index++) yield* note("a", String(index))
      assert.deepStrictEqual(messages.map(shown), ["hello"])
      yield* tick
      assert.strictEqual(messages.length, 2)
      assert.sameDeepMembers(shown(messages[1]) as Array<unknown>, [
        ["a", 100],
        ["b", 0]
      ])
      yield* tick
      assert.strictEqual(messages.length, 2)
    }).pipe(Effect.provide(memoryStore))
  )

  it.scoped("a backlog that is too long is a resync, and nothing of it is sent", () =>
    Effect.gen(function* () {
      const { feed } = yield* made()
      const messages = yield* reading(feed)
      for (let index = 0; index <= Feed.maxRows; index++) yield* register(`p${index}`)
      yield* tick
      assert.deepStrictEqual(messages.map(shown), ["hello", "resync"])
      yield* note("p7", "later")
      yield* tick
      assert.deepStrictEqual(shown(messages[2]), [["p7", 1]])
      // The next one is owed, and comes when the last is long enough ago.
      for (let index = 0; index <= Feed.maxRows; index++) yield* note(`p${index}`, "again")
      yield* tick
      assert.strictEqual(messages.length, 3)
      yield* Effect.repeatN(tick, Feed.resyncEvery)
      assert.deepStrictEqual(messages.slice(3).map(shown), ["resync"])
    }).pipe(Effect.provide(memoryStore))
  )

  it.scoped("a client that does not read gets a resync in place of what it missed; others miss nothing", () =>
    Effect.gen(function* () {
      const { feed } = yield* made()
      yield* register("a")
      const pull = yield* Stream.toPull(feed.subscribe)
      const hello = parsed([...(yield* pull)][0] ?? "")
      assert.strictEqual(hello.type, "hello")
      const quick = yield* reading(feed)
      const rounds = Feed.maxWaiting * 2 + 3
      for (let round = 0; round < rounds; round++) {
        yield* note("a", String(round))
        yield* tick
      }
      assert.strictEqual(quick.length, rounds + 1)
      const late: Array<ChangeMessage> = []
      while (true) {
        const next = yield* Effect.raceFirst(
          Effect.map(pull, (chunk) => [...chunk]),
          Effect.as(settled, [])
        )
        if (next.length === 0) break
        late.push(...next.map(parsed))
      }
      assert.strictEqual(late[0]?.type, "resync")
      assert.deepStrictEqual(shown(late.at(-1)), [["a", rounds]])
      assert.isAtMost(late.length, Feed.maxWaiting)
    }).pipe(Effect.provide(memoryStore))
  )

  it.scoped("without a client nothing is marked, and a client that left is forgotten", () =>
    Effect.gen(function* () {
      const { feed } = yield* made()
      yield* register("a")
      yield* tick
      const messages = yield* Effect.scoped(reading(feed))
      assert.strictEqual(feed.clients(), 0)
      yield* note("a", "unheard")
      yield* tick
      assert.deepStrictEqual(messages.map(shown), ["hello"])
      const again = yield* reading(feed)
      yield* tick
      assert.deepStrictEqual(again.map(shown), ["hello"])
    }).pipe(Effect.provide(memoryStore))
  )

  it.scopedLive("what another program writes to the file is sent, once", () =>
    Effect.gen(function* () {
      const filename = join(yield* temporaryFolder, "a.db")
      const other = yield* Layer.build(fileStore(filename))
      yield* Effect.provide(register("a"), other)
      yield* Effect.gen(function* () {
        const { feed } = yield* made(2)
        const messages = yield* reading(feed)
        // The place in the order of changes is found first; what is written before that is in the list already.
        yield* until(
          Effect.zipRight(
            Effect.provide(note("a", "again"), other),
            Effect.sync(() => messages.length > 1)
          )
        )
        const last = messages.at(-1)
        assert.strictEqual(last?.type, "changes")
        yield* Effect.provide(register("b"), other)
        yield* until(Effect.sync(() => messages.some((message) => JSON.stringify(shown(message)).includes('"b"'))))
        assert.strictEqual(messages.filter((message) => JSON.stringify(shown(message)).includes('"b"')).length, 1)
      }).pipe(Effect.provide(fileStore(filename)))
    })
  )

  it.scoped("the last change is found by halving, in an empty store too", () =>
    Effect.gen(function* () {
      const store = yield* ProcessStore
      assert.strictEqual(yield* Feed.lastChange(store), 0)
      for (let index = 0; index < 11; index++) yield* register(`p${index}`)
      const last = yield* Feed.lastChange(store)
      assert.deepStrictEqual(yield* store.changesAfter(last, 10), [])
      assert.strictEqual((yield* store.changesAfter(last - 1, 10)).length, 1)
    }).pipe(Effect.provide(memoryStore))
  )

  it.scopedLive("over HTTP it begins with hello, and the server forgets a client that goes", () =>
    Effect.gen(function* () {
      const inspector = yield* Inspector.Inspector
      const abort = new AbortController()
      const response = yield* bounded(
        Effect.promise(() => fetch(inspector.address.replace("/?", "/api/changes?"), { signal: abort.signal }))
      )
      assert.strictEqual(response.headers.get("content-type"), "text/event-stream; charset=utf-8")
      const reader = response.body?.getReader()
      const read = yield* bounded(Effect.promise(async () => reader?.read()))
      assert.include(new TextDecoder().decode(read?.value), '"type":"hello"')
      assert.strictEqual(inspector.clients(), 1)
      abort.abort()
      yield* until(Effect.sync(() => inspector.clients() === 0))
    }).pipe(Effect.provide(Layer.provide(Layer.provideMerge(Inspector.layer(), memoryStore), quiet)))
  )
})
