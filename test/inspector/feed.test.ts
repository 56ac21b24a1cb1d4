import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { showAll } from "../../src/explain/redaction.ts"
import * as Feed from "../../src/inspector/feed.ts"
import * as Inspector from "../../src/inspector/Inspector.ts"
import type { ChangeMessage } from "../../src/inspector/View.ts"
import { hostExternalChanges } from "../../src/inspector/views/host.ts"
import { processId } from "../../src/model/ids.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import * as Pruning from "../../src/operations/Retention.ts"
import { Retention } from "../../src/operations/Retention.ts"
import { ChangeHub } from "../../src/runtime/client/ChangeHub.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import { bounded, quiet, sqlite, temporaryFolder, until } from "../support/hosts.ts"
import { fileStore, memoryStore, note, register } from "./fixtures.ts"

/** A feed of the store in context. */
const made = Effect.gen(function* () {
  const store = yield* ProcessStore
  return { feed: yield* Feed.make(store, { redact: showAll, externalChanges: Feed.polling(store) }) }
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

/** Ends a process and prunes whatever has ended. */
const endAndPrune = (id: string) =>
  Effect.gen(function* () {
    const registry = yield* ProcessRegistry
    yield* registry.completeProcess(processId(id), { _tag: "Success", value: 1 }, { _tag: "ExternalOwner" })
    const retention = yield* Retention
    yield* retention.pruneTerminalProcesses({ cutoffMs: Number.MAX_SAFE_INTEGER, watermark: { _tag: "NoProjector" } })
  }).pipe(Effect.provide(Pruning.layer))

/** Waits for a message about changes. */
const heard = (
  messages: ReadonlyArray<ChangeMessage>,
  of: (changes: Extract<ChangeMessage, { readonly type: "changes" }>) => boolean
) => until(Effect.sync(() => messages.some((message) => message.type === "changes" && of(message))))

const shown = (message: ChangeMessage | undefined) =>
  message?.type === "changes" ? message.rows.map((row) => [row.process_id, row.sequence]) : message?.type

describe("the stream of changes", () => {
  it.scoped("a change that comes alone is sent at once; those that follow are one row of one message, the latest", () =>
    Effect.gen(function* () {
      const { feed } = yield* made
      yield* register("a")
      const messages = yield* reading(feed)
      yield* register("b")
      yield* settled
      assert.deepStrictEqual(messages.map(shown), ["hello", [["b", 0]]])
      for (let index = 1; index <= 100; index++) yield* note("a", String(index))
      yield* settled
      assert.strictEqual(messages.length, 2, "the next message is not due yet")
      yield* tick
      assert.deepStrictEqual(messages.slice(2).map(shown), [[["a", 100]]])
      yield* tick
      assert.strictEqual(messages.length, 3)
    }).pipe(Effect.provide(memoryStore))
  )

  it.scoped("a backlog that is too long is a resync, and nothing of it is sent", () =>
    Effect.gen(function* () {
      const { feed } = yield* made
      const messages = yield* reading(feed)
      yield* register("first")
      yield* settled
      for (let index = 0; index <= Feed.maxRows; index++) yield* register(`p${index}`)
      yield* tick
      assert.deepStrictEqual(messages.slice(2).map(shown), ["resync"])
      yield* tick
      yield* note("p7", "later")
      yield* settled
      assert.deepStrictEqual(messages.slice(3).map(shown), [[["p7", 1]]])
      // The next one is owed, and comes when the last is long enough ago; what changes meanwhile is sent.
      for (let index = 0; index <= Feed.maxRows; index++) yield* note(`p${index}`, "again")
      yield* tick
      yield* note("p8", "meanwhile")
      yield* tick
      assert.deepStrictEqual(messages.slice(4).map(shown), [[["p8", 2]]])
      yield* Effect.repeatN(tick, Feed.resyncMs / Feed.intervalMs)
      assert.deepStrictEqual(messages.slice(5).map(shown), ["resync"])
    }).pipe(Effect.provide(memoryStore))
  )

  it.scoped("a quiet stream gives a sign of life", () =>
    Effect.gen(function* () {
      const { feed } = yield* made
      const texts: Array<string> = []
      yield* Effect.forkScoped(Stream.runForEach(feed.subscribe, (text) => Effect.sync(() => texts.push(text))))
      yield* settled
      yield* TestClock.adjust(Feed.heartbeatMs)
      yield* settled
      assert.deepStrictEqual(texts.slice(1), [": still here\n\n"])
    }).pipe(Effect.provide(memoryStore))
  )

  it.scoped("a client that does not read gets a resync in place of what it missed; others miss nothing", () =>
    Effect.gen(function* () {
      const { feed } = yield* made
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
      const { feed } = yield* made
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

  it.scopedLive("what another program writes to the file is sent, and what it prunes is gone", () =>
    Effect.gen(function* () {
      const filename = join(yield* temporaryFolder, "a.db")
      const other = yield* Layer.build(fileStore(filename))
      yield* Effect.provide(register("a"), other)
      yield* Effect.gen(function* () {
        const { feed } = yield* made
        const messages = yield* reading(feed)
        yield* Effect.provide(note("a", "again"), other)
        yield* heard(messages, ({ rows }) => rows.some((row) => row.process_id === "a" && row.sequence === 1))
        yield* Effect.provide(endAndPrune("a"), other)
        yield* heard(messages, ({ gone }) => gone.includes("a"))
      }).pipe(Effect.provide(fileStore(filename)))
    })
  )

  it.scopedLive(
    "a live host hears of other programs' writes while a page is open, and asks its store no more after it",
    () =>
      Effect.gen(function* () {
        const filename = join(yield* temporaryFolder, "a.db")
        const other = yield* Layer.build(fileStore(filename))
        yield* Effect.gen(function* () {
          const store = yield* ProcessStore
          const hub = Option.getOrThrow(yield* Effect.serviceOption(ChangeHub))
          const feed = yield* Feed.make(store, { redact: showAll, externalChanges: yield* hostExternalChanges })
          assert.strictEqual(hub.size(), 0)
          yield* Effect.scoped(
            Effect.gen(function* () {
              const messages = yield* reading(feed)
              yield* until(Effect.sync(() => hub.size() === 1))
              yield* Effect.provide(register("a"), other)
              yield* heard(messages, ({ rows }) => rows.some((row) => row.process_id === "a"))
            })
          )
          yield* until(Effect.sync(() => hub.size() === 0))
        }).pipe(Effect.provide(sqlite(filename, [])))
      })
  )

  it.scopedLive("over HTTP it begins with hello, and the server forgets a client that goes", () =>
    Effect.gen(function* () {
      const inspector = yield* Inspector.Inspector
      const abort = new AbortController()
      const response = yield* bounded(
        Effect.promise(() =>
          fetch(`http://127.0.0.1:${inspector.port}/api/changes`, {
            headers: { authorization: `Bearer ${inspector.token}` },
            signal: abort.signal
          })
        )
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
