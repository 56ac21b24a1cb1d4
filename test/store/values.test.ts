/**
 * Every law again, for a caller that goes on changing whatever it handed over and whatever it was answered.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { ChangeFeed } from "../../src/operations/ChangeFeed.ts"
import { external } from "../../src/operations/decisions/authority.ts"
import { Environments } from "../../src/operations/Environments.ts"
import { HandleGrants } from "../../src/operations/HandleGrants.ts"
import { Leases } from "../../src/operations/Leases.ts"
import * as Observing from "../../src/operations/Observation.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import { Retention } from "../../src/operations/Retention.ts"
import { Waits } from "../../src/operations/Waits.ts"
import { WakeOutbox } from "../../src/operations/WakeOutbox.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import type { ProcessStore } from "../../src/store/ProcessStore.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import { type Law, type LawEnv, lawEnv, lawsBySubject } from "../../src/testing/Certify.ts"
import { freshId, registrationOf } from "../../src/testing/fixtures.ts"
import * as Postgres from "../support/postgres.ts"
import { isLong } from "../support/samples.ts"

/** Changes everything that can be changed in a value. */
const scramble = (value: unknown): void => {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return
  for (const child of Object.values(value)) scramble(child)
  for (const key of Object.keys(value)) Reflect.set(value, key, "changed")
  if (Array.isArray(value)) value.push("more")
  else Reflect.set(value, "more", true)
}

/** A copy of data; of what is none, such as a function, the value itself. */
const copyOf = (value: unknown): unknown => {
  try {
    return structuredClone(value)
  } catch {
    return value
  }
}

/** Copies what a law hands over and is answered; the originals are changed, while the operation runs and after it. */
const careless = <Service extends object>(service: Service): Service => {
  const operation =
    (operate: (...args: ReadonlyArray<unknown>) => Effect.Effect<unknown, unknown>) =>
    (...args: ReadonlyArray<unknown>) =>
      Effect.gen(function* () {
        const handed = args.map(copyOf)
        const running = yield* Effect.fork(operate(...handed))
        yield* Effect.yieldNow()
        for (const [index, arg] of handed.entries()) if (arg !== args[index]) scramble(arg)
        const answer = yield* Fiber.join(running)
        const told = copyOf(answer)
        if (told !== answer) scramble(answer)
        return told
      })
  return Object.fromEntries(
    Object.entries(service).map(([name, member]) => [name, typeof member === "function" ? operation(member) : member])
  ) as Service // the same operations, by the same names
}

const tags = [ChangeFeed, Environments, HandleGrants, Leases, ProcessRegistry, Retention, Waits, WakeOutbox] as const

const carelessly = <E>(store: Layer.Layer<ProcessStore, E>): Layer.Layer<LawEnv, E> =>
  Layer.map(lawEnv(store), (context) =>
    tags.reduce<Context.Context<LawEnv>>(
      (services, tag) =>
        Context.add(services, tag as never, careless(Context.unsafeGet(services, tag as never)) as never),
      context
    )
  )

const folder = mkdtempSync(join(tmpdir(), "holdfast-values-"))
afterAll(() => rmSync(folder, { recursive: true }))

const backends: Readonly<Record<string, Layer.Layer<ProcessStore, unknown>>> = {
  memory: MemoryStore.layer,
  sqlite: SqliteStore.layer({ filename: join(folder, "laws.db") }),
  ...(Postgres.hasPostgres ? { postgres: Postgres.layer({ time: "host" }) } : {})
}

/** Each law takes many transactions on a server: a short run has some of each subject there. */
const triedOn = (backend: string, laws: ReadonlyArray<Law>): ReadonlyArray<Law> =>
  backend === "postgres" && !isLong ? laws.filter((_, index) => index % 6 === 0) : laws

for (const [backend, store] of Object.entries(backends)) {
  for (const [subject, laws] of Object.entries(lawsBySubject)) {
    layer(carelessly(store))(`${backend}, a careless caller: ${subject}`, (it) => {
      for (const law of triedOn(backend, laws)) it.effect(`${law.name} (${law.section})`, () => law.check)
    })
  }
}

for (const [backend, store] of Object.entries(backends)) {
  layer(carelessly(store))(`${backend}, a careless observer`, (it) => {
    it.effect("is shown the same again", () =>
      Effect.gen(function* () {
        const registry = yield* ProcessRegistry
        const grants = yield* HandleGrants
        const careful = yield* Observing.make
        const observation = careless(careful)
        const id = yield* freshId
        const session = { sessionId: `s-${id}` }
        const originator = { _tag: "Session" as const, scope: session }
        yield* registry.registerProcess(
          registrationOf(id, "externally_owned", { provenance: { originator }, wakeTarget: session })
        )
        yield* registry.appendEvent(id, { eventType: "note", payload: { deep: ["a"] } }, external)
        yield* grants.grantHandle(session, id, { label: "mine" })
        const looks = {
          observe: observation.observe(id),
          snapshotForSession: observation.snapshotForSession(session.sessionId),
          listGrantedTo: observation.listGrantedTo(session, { status: "any" }),
          listOriginatedBy: observation.listOriginatedBy(session, { status: "any" })
        }
        for (const [name, look] of Object.entries(looks)) {
          const first = yield* look
          assert.include(JSON.stringify(first), id)
          assert.deepStrictEqual(yield* look, first, name)
        }
        const [first] = yield* careful.snapshotForSession(session.sessionId)
        assert.deepStrictEqual(first?.events[0]?.payload, { deep: ["a"] })
      })
    )
  })
}
