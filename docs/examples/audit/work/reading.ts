/**
 * Reads one file: hashes and counts all of it, and scans its text up to a limit.
 *
 * Invariant: a read never fails. A file that cannot be read is reported as such.
 */
import { createHash } from "node:crypto"
import { constants } from "node:fs"
import type { FileHandle } from "node:fs/promises"
import { open } from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type { FileReport, Unread } from "../report/parts.ts"
import { languageOf } from "./languages.ts"
import { maxFindings, scan } from "./scan.ts"

/** How much of a text is scanned; hash and counts cover the whole file. Units: bytes. */
export const scanCapBytes = 1024 * 1024

/** Reads a file below a directory. */
export const readOne = (directory: string, path: string): Effect.Effect<FileReport | Unread> =>
  Effect.acquireUseRelease(
    attempt(() => open(join(directory, path), flags)),
    (file) =>
      Effect.flatMap(
        attempt(() => file.stat()),
        (stat) => (stat.isFile() ? contentOf(file) : notRegular)
      ),
    (file) => Effect.promise(() => file.close())
  ).pipe(
    Effect.map((content) => reportOf(path, content)),
    Effect.catchAll((problem) => Effect.succeed({ path, problem }))
  )

/** Why a file could not be read, in words that are the same on every machine. */
export const problemOf = (cause: unknown): string => {
  const code = typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : "unknown error"
  return problems[code] ?? `cannot be read (${code})`
}

/** What is known of the lines of a text: text after the last line break is a line, too. */
export interface LineCount {
  readonly breaks: number
  readonly lastByte: number | undefined
}

/** The number of lines of a text. */
export const linesOf = ({ breaks, lastByte }: LineCount): number =>
  breaks + (lastByte === undefined || lastByte === newline ? 0 : 1)

/** Whether a file is binary, by git's rule: a zero byte near its beginning. */
export const isBinary = (head: Uint8Array): boolean => head.subarray(0, 8000).includes(0)

const newline = 10

const problems: Readonly<Record<string, string>> = {
  ENOENT: "was listed, and is not there any more",
  EACCES: "cannot be read: no permission",
  EPERM: "cannot be read: no permission",
  ELOOP: "was listed, and is not a regular file any more",
  EISDIR: "was listed, and is not a regular file any more"
}

const attempt = <A>(operation: () => Promise<A>): Effect.Effect<A, string> =>
  Effect.tryPromise({ try: operation, catch: problemOf })

const notRegular = Effect.fail("was listed, and is not a regular file any more")

// A path may have been replaced since it was listed: a link is not followed, and a pipe must not block.
const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)

interface Content extends LineCount {
  readonly bytes: number
  readonly sha256: string
  readonly head: Buffer
}

const chunkBytes = 64 * 1024

const contentOf = (file: FileHandle): Effect.Effect<Content, string> =>
  Effect.gen(function* () {
    const hash = createHash("sha256")
    const buffer = Buffer.allocUnsafe(chunkBytes)
    const kept: Array<Buffer> = []
    let bytes = 0
    let breaks = 0
    let lastByte: number | undefined
    while (true) {
      const { bytesRead } = yield* attempt(() => file.read(buffer, 0, chunkBytes, null))
      if (bytesRead === 0) break
      const chunk = buffer.subarray(0, bytesRead)
      hash.update(chunk)
      if (bytes < scanCapBytes) kept.push(Buffer.from(chunk.subarray(0, scanCapBytes - bytes)))
      for (let at = chunk.indexOf(newline); at !== -1; at = chunk.indexOf(newline, at + 1)) breaks++
      lastByte = chunk[bytesRead - 1]
      bytes += bytesRead
    }
    return { bytes, breaks, lastByte, sha256: hash.digest("hex"), head: Buffer.concat(kept) }
  })

const reportOf = (path: string, content: Content): FileReport => {
  const { bytes, sha256, head } = content
  if (isBinary(head)) {
    return { path, bytes, sha256, language: null, lines: 0, findings: [], notes: ["binary: hashed, not scanned"] }
  }
  const { findings, more } = scan(textOf(head, bytes))
  const notes = [
    ...(bytes > scanCapBytes ? [`only the first ${scanCapBytes} bytes were scanned`] : []),
    ...(more > 0 ? [`only the first ${maxFindings} findings are listed, of ${maxFindings + more}`] : [])
  ]
  return { path, bytes, sha256, language: languageOf(path), lines: linesOf(content), findings, notes }
}

/** Decodes a text; a truncated text ends with its last whole line, if it has one. */
const textOf = (head: Buffer, bytes: number): string => {
  const end = bytes > head.length ? head.lastIndexOf(newline) + 1 : head.length
  return head.toString("utf8", 0, end === 0 ? head.length : end)
}
