import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { Processes } from "../../src/host/Processes.ts"
import { StoreError } from "../../src/model/errors.ts"
import { processId } from "../../src/model/ids.ts"
import * as Authority from "../../src/operations/decisions/authority.ts"
import * as Registry from "../../src/operations/ProcessRegistry.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import { temporaryFolder, until } from "../support/hosts.ts"
import { hostOn, logOf } from "./harness.ts"

const Endless = Engine.make("endless", {
  version: "1",
  payload: Schema.Null,
  success: Schema.Null,
  disposition: "rerunnable",
  run: () => Effect.never
})

type Store = typeof ProcessStore.Service

const id = processId("p")

const hasBegun = (store: Store) =>
  Effect.orElseSucceed(
    Effect.map(logOf(store, id), (log) => log.includes("process.started")),
    () => false
  )

const cancelledBy = (store: Store) =>
  Effect.flatMap(Registry.make, (registry) => registry.requestProcessCancel(id, "enough", Authority.external)).pipe(
    Effect.provideService(ProcessStore, store)
  )

/** Reads fail once in a row that another program has changed. */
const readingBadly = (own: Store, other: Store) =>
  Effect.sync(() => {
    const outage = new StoreError({ operation: "read", reason: "busy", written: "no", detail: "it is out" })
    let fails = false
    return {
      store: ProcessStore.of({
        ...own,
        find: (of) =>
          Effect.suspend(() => {
            if (!fails) return own.find(of)
            fails = false
            return Effect.fail(outage)
          })
      }),
      whenBegun: Effect.suspend(() => {
        fails = true
        return cancelledBy(other)
      })
    }
  })

/** The other program is faster than what follows the commit by which an activation begins. */
const beginningLate = (own: Store, other: Store) =>
  Effect.sync(() => {
    let isOver = false
    const overtaken = Effect.gen(function* () {
      if (isOver || !(yield* hasBegun(other))) return
      isOver = true
      yield* cancelledBy(other)
      // This program looks for what others did several times meanwhile.
      yield* Effect.sleep("100 millis")
    })
    return {
      store: ProcessStore.of({
        ...own,
        transact: (plan, decide) => Effect.tap(own.transact(plan, decide), () => Effect.orDie(overtaken))
      }),
      whenBegun: Effect.void
    }
  })

describe("a request to stop, by another program, reaches the body", () => {
  for (const [when, world] of [
    ["although the first read of it fails", readingBadly],
    ["although it comes before the actor of the body is there", beginningLate]
  ] as const) {
    it.scopedLive(when, () =>
      Effect.gen(function* () {
        const layer = SqliteStore.layer({ filename: `${yield* temporaryFolder}/shared.db` })
        const opened = Effect.map(Layer.build(Layer.fresh(layer)), (context) =>
          ProcessStore.pipe(Effect.provide(context))
        )
        const own = yield* Effect.flatten(opened)
        const other = yield* Effect.flatten(opened)
        const { store, whenBegun } = yield* world(own, other)
        yield* Effect.gen(function* () {
          const processes = yield* Processes
          // Where nothing runs, nothing is looked for.
          yield* processes.start(Endless, { id: "bystander", payload: null })
          yield* processes.start(Endless, { id, payload: null })
          yield* until(hasBegun(other))
          yield* whenBegun
          yield* until(Effect.map(logOf(other, id), (log) => log.includes("process.cancelled")))
        }).pipe(Effect.provide(hostOn(store, [Endless])))
        assert.deepStrictEqual(yield* logOf(other, id), [
          "process.started",
          "process.cancel_requested",
          "process.cancelled"
        ])
      })
    )
  }
})
