/**
 * Every option of a host: what is of no meaning for it is refused by its name, and never taken for the default or for something else.
 */
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { CreateHostOptions } from "../../src/host/embed/createHost.ts"
import { createHost } from "../../src/host/embed/createHost.ts"
import { layerPostgres } from "../../src/host/ManyHosts.ts"
import type { HostOptions } from "../../src/host/SingleHost.ts"
import * as Inspector from "../../src/inspector/Inspector.ts"
import { InputInvalid } from "../../src/model/errors.ts"
import * as Registry from "../../src/operations/ProcessRegistry.ts"
import type { RuntimeOptions } from "../../src/runtime/RuntimeConfig.ts"
import * as RuntimeConfig from "../../src/runtime/RuntimeConfig.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import type { PostgresStoreOptions } from "../../src/store/postgres/options.ts"
import * as Server from "../../src/store/postgres/options.ts"
import type { SqliteStoreOptions } from "../../src/store/sqlite/SqliteStore.ts"
import type { WriterOptions } from "../../src/store/sqlite/WriterOptions.ts"
import { temporaryFolder } from "../support/folders.ts"
import { isLong } from "../support/samples.ts"

const no = (): never => {
  throw new Error("no")
}

/** One value of each kind that a program may hand over. */
const kinds = {
  null: null,
  true: true,
  false: false,
  none: 0,
  one: 1,
  negative: -1,
  fraction: 1.5,
  "no number": Number.NaN,
  endless: Number.POSITIVE_INFINITY,
  "no text": "",
  text: "no",
  record: {},
  list: [],
  function: () => undefined,
  symbol: Symbol("s"),
  "big integer": 1n,
  date: new Date(0),
  unreadable: new Proxy({}, { get: no, ownKeys: no, getOwnPropertyDescriptor: no })
}

type Kind = keyof typeof kinds

/** Which kinds are a value of an option. A lease of a millisecond is none: it is renewed three times. */
const ofHost: Readonly<Record<Exclude<keyof HostOptions<[]>, keyof RuntimeOptions>, ReadonlyArray<Kind>>> = {
  engines: ["list"],
  tools: ["list"],
  sessions: [],
  wakeSink: [],
  hostServices: [],
  environment: [],
  scope: ["text"],
  halfSurrogates: [],
  effects: []
}
const ofTimings: Readonly<Record<keyof RuntimeOptions, ReadonlyArray<Kind>>> = {
  leaseTtl: [],
  leaseRenewal: ["one"],
  sweepInterval: ["one", "false"],
  shutdown: ["none", "one", "big integer"],
  maxConcurrent: ["one"]
}
const ofPromises: Readonly<Record<"memory" | "log", ReadonlyArray<Kind>>> = {
  memory: ["true", "false"],
  log: ["false", "function"]
}
const ofFile: Readonly<Record<keyof SqliteStoreOptions, ReadonlyArray<Kind>>> = {
  filename: ["text"],
  synchronous: [],
  migrates: ["true", "false"],
  // A date is a record of no bounds.
  writer: ["record", "date"]
}
const ofWriter: Readonly<Record<keyof WriterOptions, ReadonlyArray<Kind>>> = {
  maxBatch: ["one"],
  maxBatchMs: ["none", "one", "fraction"],
  busyTimeoutMs: ["none", "one"]
}

const ofServer: Readonly<Record<keyof PostgresStoreOptions, ReadonlyArray<Kind>>> = {
  url: [],
  sessionUrl: [],
  schema: ["text"],
  connections: ["one"],
  migrates: ["true", "false"],
  readOnly: ["true", "false"],
  mayLoseCommits: ["true", "false"],
  isCopying: ["true", "false"],
  patienceMs: [],
  time: []
}

const ofInspector: Readonly<Record<keyof Inspector.InspectorOptions, ReadonlyArray<Kind>>> = {
  port: ["none", "one"],
  host: [],
  token: ["text"],
  actions: ["true", "false"],
  name: ["text", "no text"],
  redact: ["function"],
  announce: ["function"]
}

/** How a host takes these options: the refusal, or nothing once it has stopped. */
const refusalOf = (options: object): Effect.Effect<unknown> =>
  Effect.promise(() =>
    createHost({ engines: [], log: false, ...options } as unknown as CreateHostOptions<[]>).then(
      async (host) => {
        await host.stop()
      },
      (error: unknown) => error
    )
  )

const isRefusal = (what: string, field: string, error: unknown): void => {
  assert.instanceOf(error, InputInvalid, what)
  assert.isTrue(error.field === field || error.field.startsWith(`${field}/`), `${what}: ${error.message}`)
}

const refused = (what: string, field: string, options: object) =>
  Effect.map(refusalOf(options), (error) => isRefusal(what, field, error))

const others = (valid: ReadonlyArray<Kind>) =>
  Object.entries(kinds).filter(([kind]) => !(valid as ReadonlyArray<string>).includes(kind))

describe("a host refuses by its name", () => {
  // A host is half built before some of these are refused: a short run tries one kind of three for each.
  for (const [at, [option, valid]] of Object.entries(ofHost).entries()) {
    it.live(`${option} of another kind`, () =>
      Effect.forEach(
        others(valid).filter((_, index) => isLong || index % 3 === at % 3),
        ([kind, value]) => refused(`${option}: ${kind}`, option, { memory: true, [option]: value })
      )
    )
  }

  for (const [option, valid] of Object.entries(ofPromises)) {
    it.live(`${option} of another kind`, () =>
      Effect.forEach(others(valid), ([kind, value]) => refused(kind, option, { memory: true, [option]: value }))
    )
  }

  for (const [option, valid] of Object.entries(ofTimings)) {
    it.effect(`${option} of another kind`, () =>
      Effect.forEach(others(valid), ([kind, value]) =>
        Effect.map(Effect.flip(RuntimeConfig.check({ [option]: value })), (error) => isRefusal(kind, option, error))
      )
    )
  }

  for (const [option, valid] of Object.entries(ofFile)) {
    it.scopedLive(`${option} of a file, of another kind`, () =>
      Effect.gen(function* () {
        const filename = join(yield* temporaryFolder, "host.db")
        for (const [kind, value] of others(valid)) yield* refused(kind, option, { filename, [option]: value })
      })
    )
  }

  for (const [bound, valid] of Object.entries(ofWriter)) {
    it.scopedLive(`${bound} of a writer, of another kind`, () =>
      Effect.gen(function* () {
        const filename = join(yield* temporaryFolder, "host.db")
        for (const [kind, value] of others(valid)) {
          yield* refused(kind, `writer/${bound}`, { filename, writer: { [bound]: value } })
        }
      })
    )
  }

  for (const [option, valid] of Object.entries(ofServer)) {
    it.effect(`${option} of a server, of another kind`, () =>
      Effect.forEach(others(valid), ([kind, value]) => {
        const given = { url: "postgres://localhost/db", [option]: value }
        return Effect.map(Effect.flip(Server.checked(given)), (error) => isRefusal(kind, option, error))
      })
    )
  }

  for (const [option, valid] of Object.entries(ofInspector)) {
    it.effect(`${option} of an inspector, of another kind`, () =>
      Effect.forEach([...others(valid), ["misspelt", 1] as const], ([kind, value]) => {
        const name = kind === "misspelt" ? `${option}s` : option
        const served = Inspector.layer({ [name]: value }).pipe(
          Layer.provide(Registry.layer),
          Layer.provide(MemoryStore.layer)
        )
        return Effect.map(Effect.flip(Effect.scoped(Layer.build(served))), (error) => isRefusal(kind, name, error))
      })
    )
  }

  it.scopedLive("one that was misspelt, or that belongs to another store", () =>
    Effect.gen(function* () {
      const filename = join(yield* temporaryFolder, "host.db")
      yield* refused("misspelt, on a file", "leaseTTL", { filename, leaseTTL: "1 minute" })
      yield* refused("misspelt, in memory", "maxConcurrency", { memory: true, maxConcurrency: 1 })
      yield* refused("a file's, in memory", "synchronous", { memory: true, synchronous: "FULL" })
      yield* refused("a server's, on a file", "url", { filename, url: "postgres://localhost/db" })
      const options = { url: "postgres://localhost/db", engines: [], pool: 1 }
      const error = yield* Effect.flip(Effect.scoped(Layer.build(layerPostgres(options))))
      isRefusal("misspelt, on a server", "pool", error)
    })
  )

  it.live("none that is there without a value", () =>
    Effect.map(refusalOf({ memory: true, filename: undefined, pool: undefined }), (error) => assert.isUndefined(error))
  )

  it.scopedLive("a bound of a writer that there is none of, and a file beside memory", () =>
    Effect.gen(function* () {
      const filename = join(yield* temporaryFolder, "host.db")
      yield* refused("a misspelt bound", "writer/maxbatch", { filename, writer: { maxbatch: 1 } })
      yield* refused("both", "filename", { filename, memory: true })
      yield* refused("neither", "filename", {})
    })
  )
})
