/**
 * Attachments as files of one folder, each named by the SHA-256 of its content.
 *
 * Invariant: a file under its name is whole: it is written under another name, synced, and renamed. So the same bytes may be put
 * twice, by two hosts, or again after a crash.
 */
import { createHash, randomUUID } from "node:crypto"
import { mkdir, open, readFile, rename, rm } from "node:fs/promises"
import { dirname, join, resolve } from "node:path"
import * as Effect from "effect/Effect"
import { InputInvalid, StoreError } from "../model/errors.ts"
import { messageOf } from "../model/Failure.ts"

/** What puts and gets the files of a folder. */
export interface AttachmentFolder {
  readonly durability: "durable"
  readonly put: (bytes: Uint8Array) => Effect.Effect<string, InputInvalid | StoreError>
  readonly get: (ref: string) => Effect.Effect<Uint8Array | undefined, StoreError>
}

/** Makes the attachments of a folder. A file whose content is not what its name says is a failure, never an answer. */
export const make = (folder: string): AttachmentFolder => ({
  durability: "durable",
  put: (bytes) => {
    if (!(bytes instanceof Uint8Array)) {
      return Effect.fail(new InputInvalid({ field: "bytes of an attachment", problem: "must be a Uint8Array" }))
    }
    const digest = digestOf(bytes)
    // Once begun it is carried through: half a file would be left otherwise.
    return attempt("keep an attachment", () => write(folder, digest, bytes)).pipe(
      Effect.as(`${scheme}${digest}`),
      Effect.uninterruptible
    )
  },
  get: (ref) => {
    const digest = ref.slice(scheme.length)
    if (!ref.startsWith(scheme) || !isDigest.test(digest)) return Effect.succeed(undefined)
    return Effect.filterOrFail(
      attempt("read an attachment", () => read(join(folder, digest))),
      (bytes) => bytes === undefined || digestOf(bytes) === digest,
      () =>
        failed(
          "read an attachment",
          "corrupt",
          `the file ${join(folder, digest)} has another content than its name says`
        )
    )
  }
})

const scheme = "sha256:"

const isDigest = /^[0-9a-f]{64}$/

const digestOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")

const write = async (folder: string, digest: string, bytes: Uint8Array): Promise<void> => {
  await made(folder)
  const partial = join(folder, `${randomUUID()}.partial`)
  try {
    const file = await open(partial, "wx")
    try {
      await file.writeFile(bytes)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(partial, join(folder, digest))
    await synced(folder)
  } catch (cause) {
    await rm(partial, { force: true })
    throw cause
  }
}

/** Makes a folder, and those above it that are missing: each is a name of the one above. */
const made = async (folder: string): Promise<void> => {
  const first = await mkdir(folder, { recursive: true })
  if (first === undefined) return
  const top = dirname(resolve(first))
  for (let path = resolve(folder); path !== top; path = dirname(path)) await synced(dirname(path))
}

/** A name is durable once its folder is; systems that cannot open a folder need no sync of it. */
const synced = async (folder: string): Promise<void> => {
  const opened = await open(folder, "r").catch(() => undefined)
  try {
    await opened?.sync()
  } finally {
    await opened?.close()
  }
}

const read = (path: string): Promise<Uint8Array | undefined> =>
  readFile(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT") return undefined
    throw cause
  })

const attempt = <A>(operation: string, run: () => Promise<A>): Effect.Effect<A, StoreError> =>
  Effect.tryPromise({
    try: run,
    catch: (cause) => failed(operation, isFull(cause) ? "full" : "failed", messageOf(cause), cause)
  })

const isFull = (cause: unknown): boolean => (cause as NodeJS.ErrnoException).code === "ENOSPC" // what a file system rejects with

const failed = (operation: string, reason: StoreError["reason"], detail: string, cause?: unknown): StoreError =>
  new StoreError({ operation, reason, written: "unknown", detail, ...(cause === undefined ? {} : { cause }) })
