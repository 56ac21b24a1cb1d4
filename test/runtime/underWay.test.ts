import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type { Explanation } from "../../src/explain/Explanation.ts"
import { explain, noHost, reasonsOf } from "../../src/explain/explain.ts"
import { brief } from "../../src/explain/render.ts"
import { Host } from "../../src/host/Host.ts"
import { Processes } from "../../src/host/Processes.ts"
import { processId } from "../../src/model/ids.ts"
import { OwnerLiveness } from "../../src/operations/OwnerLiveness.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import { bounded, hostOn, until } from "../support/hosts.ts"

const p = processId("p")
const declared = { version: "1", payload: Schema.Null, success: Schema.Void, disposition: "rerunnable" } as const

const again: Schedule.Schedule<number, string> = Schedule.spaced("30 millis")

/** Charges a card at a shop that answers 503, until it is told not to. */
const charging = (shop: Deferred.Deferred<void>) =>
  Engine.make("charge", {
    ...declared,
    run: (_, ctx) =>
      Effect.gen(function* () {
        yield* ctx.step("reserve", Effect.void)
        const isUp = Deferred.isDone(shop)
        yield* ctx.step(
          "charge",
          Effect.flatMap(isUp, (up) => (up ? Effect.void : Effect.fail("HTTP 503"))),
          { error: Schema.String, retry: again }
        )
        yield* ctx.sleep("1 hour")
      })
  })

/** A store, and how a file of it looks to a program without a host that finds every holder dead, or can prove nothing. */
const aStore = Effect.map(Effect.flatMap(ProcessStore, Effect.succeed), (store) => ({
  store,
  found: (id = p, isDead = true) =>
    explain(id, noHost).pipe(
      Effect.provideService(ProcessStore, store),
      Effect.provide(
        Layer.effect(
          OwnerLiveness,
          Effect.map(
            Effect.succeed({ ownerId: "looker", incarnationId: "i", liveness: { _tag: "Opaque" } } as const),
            (self) =>
              OwnerLiveness.of({ identify: () => Effect.succeed(self), isDefinitelyDead: () => Effect.succeed(isDead) })
          )
        )
      )
    )
})).pipe(Effect.provide(MemoryStore.layer))

/** How the host in context explains a process. */
const here = (id = p) => Effect.flatMap(Host, ({ facts }) => explain(id, facts))

/** Asks until the answer is as it should be. */
const untilSaid = <E, R>(ask: Effect.Effect<Explanation, E, R>, isSo: (said: Explanation) => boolean) =>
  Effect.gen(function* () {
    let said = yield* ask
    yield* until(
      Effect.map(ask, (answer) => {
        said = answer
        return isSo(answer)
      })
    )
    return said
  })

const doingOf = ({ because }: Explanation) => ("doing" in because ? because.doing : undefined)

describe("a step under way", () => {
  it.scopedLive("is named by its host: since when, its tries, the last failure; and no more once it has ended", () =>
    Effect.gen(function* () {
      const shop = yield* Deferred.make<void>()
      const charge = charging(shop)
      const { store, found } = yield* aStore
      yield* Effect.gen(function* () {
        const { start } = yield* Processes
        const beganAtMs = Date.now()
        yield* start(charge, { id: "p", payload: null })
        const said = yield* untilSaid(here(), (answer) => (doingOf(answer)?.tries ?? 0) > 2)
        const doing = doingOf(said)
        assert.strictEqual(said.because._tag, "Running", "what runs here needs no evidence")
        assert.strictEqual(said.detail?.lease?.liveness, "alive")
        assert.deepInclude(doing, { key: "charge#1", name: "charge", operation: "step" })
        assert.strictEqual(doing?.error, "HTTP 503")
        assert.isAtLeast(doing?.sinceMs ?? 0, beganAtMs)
        assert.isAtLeast(doing?.nextTryAtMs ?? 0, beganAtMs)
        assert.match(said.meaning, /^Its body is in step charge since .*: try \d+, the last failure was .*HTTP 503/)
        assert.match(brief(said.because, said.lookedAtMs), /^step charge for \d+ ms, try \d+: .*HTTP 503/)
        const hidden = yield* Effect.flatMap(Host, ({ facts }) => explain(p, { ...facts, redact: () => "hidden" }))
        assert.notInclude(JSON.stringify(hidden), "HTTP 503")
        const elsewhere = yield* untilSaid(found(p, false), (answer) => doingOf(answer)?.name === "charge")
        assert.strictEqual(elsewhere.because._tag, "HeldByUnprovable")
        assert.match(
          elsewhere.meaning,
          /\. When that host was last heard of, its body was in step charge since .*HTTP 503/
        )
        assert.strictEqual(
          brief(elsewhere.because, elsewhere.lookedAtMs),
          "held by a host whose liveness is unknown, last seen in step charge"
        )
        yield* Deferred.succeed(shop, undefined)
        const after = yield* untilSaid(here(), ({ because }) => because._tag === "WaitingForTimer")
        assert.isUndefined(after.detail?.underWay)
      }).pipe(Effect.provide(hostOn(store, [charge])), bounded)
    })
  )

  it.scopedLive("is known of a file whose host died, once it lasted, and is no more once it has a record", () =>
    Effect.gen(function* () {
      const shop = yield* Deferred.make<void>()
      const charge = charging(shop)
      const { store, found } = yield* aStore
      yield* Effect.gen(function* () {
        const { start } = yield* Processes
        yield* start(charge, { id: "p", payload: null })
        const said = yield* untilSaid(found(), (answer) => doingOf(answer)?.name === "charge")
        assert.strictEqual(said.because._tag, "HolderDead")
        assert.match(said.meaning, /Step charge began at .* and left no record; .*HTTP 503/)
        yield* Deferred.succeed(shop, undefined)
        const after = yield* untilSaid(found(), ({ because }) => because._tag === "WaitingForTimer")
        assert.isUndefined(after.detail?.underWay)
      }).pipe(Effect.provide(hostOn(store, [charge])), bounded)
    })
  )

  it.scopedLive("is known of a file whose host stopped, also when it was short", () =>
    Effect.gen(function* () {
      const charge = charging(yield* Deferred.make<void>())
      const { store, found } = yield* aStore
      yield* Effect.gen(function* () {
        const { start } = yield* Processes
        yield* start(charge, { id: "p", payload: null })
        yield* untilSaid(here(), (answer) => doingOf(answer)?.name === "charge")
      }).pipe(Effect.provide(hostOn(store, [charge], { leaseTtl: "1 minutes", leaseRenewal: "20 seconds" })), bounded)
      const said = yield* found()
      assert.strictEqual(said.because._tag, "DueNow")
      assert.match(said.meaning, /no host has taken it. Step charge began at .* and left no record/)
      assert.strictEqual(said.detail?.progress, undefined, "what is kept is no progress of a step")
    })
  )
})

describe("a parent", () => {
  const leaf = Engine.make("leaf", { ...declared, run: (_, ctx) => ctx.sleep("1 hour") })
  const middle = Engine.make("middle", {
    ...declared,
    run: (_, ctx) =>
      Effect.flatMap(ctx.start(leaf, { name: "leaf", payload: null }), ({ await: end }) => Effect.ignore(end))
  })
  const root = Engine.make("root", {
    ...declared,
    run: (_, ctx) =>
      Effect.flatMap(ctx.start(middle, { name: "middle", payload: null }), ({ await: end }) => Effect.ignore(end))
  })

  it.scopedLive(
    "says which child it waits for, down to the one that nothing else waits for; with a host and without",
    () =>
      Effect.gen(function* () {
        const { store, found } = yield* aStore
        const asleep = (said: Explanation) =>
          said.because._tag === "WaitingForChild" && (said.because.leaf?.state.startsWith("sleeps") ?? false)
        const check = (said: Explanation) => {
          const { because } = said
          if (because._tag !== "WaitingForChild") return assert.fail(because._tag)
          assert.strictEqual(because.child, "p/middle")
          assert.deepStrictEqual([because.leaf?.through, because.leaf?.processId], [["p/middle"], "p/middle/leaf"])
          assert.include(said.meaning, "The chain: p/middle → p/middle/leaf: sleeps, wakes in")
          assert.include(
            said.moves.flatMap(({ command }) => command ?? []),
            "holdfast explain p/middle/leaf"
          )
        }
        yield* Effect.gen(function* () {
          const { start } = yield* Processes
          yield* start(root, { id: "p", payload: null })
          check(yield* untilSaid(here(), asleep))
          check(yield* untilSaid(found(), asleep))
          const row = yield* store.find(p)
          const { facts } = yield* Host
          const reasons = row._tag === "Present" ? yield* reasonsOf([row.row], facts) : []
          assert.match(brief(reasons[0] ?? assert.fail("there is a row"), 0), /^waits for middle: sleeps, wakes/)
        }).pipe(Effect.provide(hostOn(store, [root, middle, leaf])), bounded)
        const left = yield* found()
        check(left)
        assert.include(left.meaning, "No host has taken it up since")
      })
  )

  it.scopedLive("says that processes which wait for each other wait in a circle", () =>
    Effect.gen(function* () {
      const { store } = yield* aStore
      const waiter = Engine.make("waiter", {
        ...declared,
        payload: Schema.String,
        run: (other, ctx) => Effect.ignore(ctx.attach(leaf, other).await)
      })
      yield* Effect.gen(function* () {
        const { start } = yield* Processes
        yield* start(waiter, { id: "p", payload: "q" })
        yield* start(waiter, { id: "q", payload: "p" })
        const said = yield* untilSaid(
          here(),
          ({ because }) => because._tag === "WaitingForChild" && because.leaf?.processId === "p"
        )
        assert.include(said.meaning, "q → p: waits in a circle")
      }).pipe(Effect.provide(hostOn(store, [waiter])), bounded)
    })
  )
})
