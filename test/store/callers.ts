/**
 * Every law again, for callers of another kind: each operation of each service is wrapped, whatever services there are.
 */
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { OwnerLiveness } from "../../src/operations/OwnerLiveness.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import { type Law, LawClock, type LawEnv, lawEnv, lawsBySubject } from "../../src/testing/Certify.ts"
import { FailureDetector } from "../../src/testing/Law.ts"
import { remove } from "../support/folders.ts"
import * as Postgres from "../support/postgres.ts"
import { isLong, isWhole } from "../support/samples.ts"

/** An operation, its types aside. */
export type Operate = (...args: ReadonlyArray<unknown>) => Effect.Effect<unknown, unknown>

/** How a caller of some kind calls an operation. */
export type Caller = (operate: Operate) => Operate

/** A service as a caller of this kind uses it. */
export const usedBy = <Service extends object>(caller: Caller, service: Service): Service =>
  Object.fromEntries(
    Object.entries(service).map(([name, member]) => [
      name,
      typeof member === "function" ? caller(member as Operate) : member
    ])
  ) as Service // the same operations, by the same names

/** What of the laws' world is no operation: the contract of a store, below them, and what laws are tried with. */
const world: ReadonlySet<string> = new Set(
  [ProcessStore, LawClock, FailureDetector, OwnerLiveness].map(({ key }) => key)
)

/** The laws' world on a store, as a caller of this kind uses it. */
export const lawEnvFor = <E>(caller: Caller, store: Layer.Layer<ProcessStore, E>): Layer.Layer<LawEnv, E> =>
  Layer.map(lawEnv(store), (context) =>
    Context.unsafeMake<LawEnv>(
      new Map([...context.unsafeMap].map(([key, service]) => [key, world.has(key) ? service : usedBy(caller, service)]))
    )
  )

const folder = mkdtempSync(join(tmpdir(), "holdfast-callers-"))
afterAll(() => Effect.runPromise(remove(folder)))

/** The stores that callers are tried on. */
export const backends: Readonly<Record<string, Layer.Layer<ProcessStore, unknown>>> = {
  memory: MemoryStore.layer,
  sqlite: SqliteStore.layer({ filename: join(folder, "laws.db") }),
  ...(Postgres.hasPostgres ? { postgres: Postgres.layer({ time: "host" }) } : {})
}

/** Each law takes many transactions: a short run has one of so many on each store, of every subject at least the first. */
const oneOf: Readonly<Record<string, number>> = isWhole
  ? { memory: 4, sqlite: 8, postgres: 16 }
  : { memory: 8, sqlite: 16, postgres: 48 }

const triedOn = (backend: string, laws: ReadonlyArray<Law>): ReadonlyArray<Law> =>
  isLong ? laws : laws.filter((_, index) => index % (oneOf[backend] ?? 1) === 0)

/** Tries the laws on every store for a caller of some kind. */
export const tryLaws = (name: string, caller: Caller): void => {
  for (const [backend, store] of Object.entries(backends)) {
    for (const [subject, laws] of Object.entries(lawsBySubject)) {
      layer(lawEnvFor(caller, store))(`${backend}, ${name}: ${subject}`, (it) => {
        for (const law of triedOn(backend, laws)) it.effect(`${law.name} (${law.section})`, () => law.check)
      })
    }
  }
}
