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
import { external } from "../../src/operations/decisions/authority.ts"
import { HandleGrants } from "../../src/operations/HandleGrants.ts"
import * as Observing from "../../src/operations/Observation.ts"
import { OwnerLiveness } from "../../src/operations/OwnerLiveness.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import { type Law, LawClock, type LawEnv, lawEnv, lawsBySubject } from "../../src/testing/Certify.ts"
import { freshId, registrationOf } from "../../src/testing/fixtures.ts"
import { FailureDetector } from "../../src/testing/Law.ts"
import * as Postgres from "../support/postgres.ts"
import { isLong } from "../support/samples.ts"

/** The parts of a live snapshot that are the machine's, and the same for every process. */
const ofMachine = new Set(["machine", "_nodes", "tags", "children", "historyValue"])

/** The fields of a record or a list that are data; whatever else a value may be, such as a function, has none. */
const fieldsOf = (value: unknown): ReadonlyArray<readonly [string, unknown]> | undefined => {
  if (typeof value !== "object" || value === null) return undefined
  const prototype: unknown = Object.getPrototypeOf(value)
  if (!Array.isArray(value) && prototype !== Object.prototype && prototype !== null) return undefined
  const isLive = "machine" in value
  return Object.entries(value).filter(([key, field]) => typeof field !== "function" && !(isLive && ofMachine.has(key)))
}

/** Changes everything that can be changed in a value. */
const scramble = (value: unknown): void => {
  const fields = fieldsOf(value)
  if (fields === undefined || Object.isFrozen(value)) return
  for (const [, field] of fields) scramble(field)
  for (const [key] of fields) Reflect.set(value as object, key, "changed")
  if (Array.isArray(value)) value.push("more")
  else Reflect.set(value as object, "more", true)
}

/** A copy of the data in a value. */
const copyOf = (value: unknown): unknown => {
  const fields = fieldsOf(value)
  if (fields === undefined) return value
  const copies = fields.map(([key, field]) => [key, copyOf(field)] as const)
  return Array.isArray(value) ? copies.map(([, copy]) => copy) : { ...(value as object), ...Object.fromEntries(copies) }
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

/** What of the laws' world is no operation: the contract of a store, under the operations, and what laws are tried with. */
const world: ReadonlySet<string> = new Set([ProcessStore, LawClock, FailureDetector, OwnerLiveness].map(({ key }) => key))

const carelessly = <E>(store: Layer.Layer<ProcessStore, E>): Layer.Layer<LawEnv, E> =>
  Layer.map(lawEnv(store), (context) =>
    Context.unsafeMake<LawEnv>(
      new Map([...context.unsafeMap].map(([key, service]) => [key, world.has(key) ? service : careless(service)]))
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
