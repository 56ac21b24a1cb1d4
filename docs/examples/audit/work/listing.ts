/**
 * The files to read: walks a directory, sorts its files, and cuts them into shares and batches.
 *
 * Invariant: the same directory content gives the same shares and batches, under the same names. Links are never followed.
 */

import type { Dirent } from "node:fs"
import { lstat, readdir } from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { alwaysExcluded, byPath, PassedOver, Unread } from "../report/parts.ts"
import { problemOf } from "./reading.ts"

/** Files that one child reads. The name is the child's. */
export const Batch = Schema.Struct({ name: Schema.String, files: Schema.Array(Schema.String) })

/** Files that one child reads. */
export type Batch = typeof Batch.Type

/** The work of one sub-agent: a directory directly below the audited one, or a part of it. `path` is "." for the files at the top. */
export const Share = Schema.Struct({ name: Schema.String, path: Schema.String, batches: Schema.Array(Batch) })

/** The work of one sub-agent. */
export type Share = typeof Share.Type

/** Everything a walk found. Paths are relative to the directory, with `/` between their parts. */
export const Listing = Schema.Struct({
  shares: Schema.Array(Share),
  /** Folders that could not be read. */
  unread: Schema.Array(Unread),
  passedOver: PassedOver
})

/** Everything a walk found. */
export type Listing = typeof Listing.Type

/** What to walk, and what to leave out: names at any depth, and paths relative to the directory. */
export interface WalkOptions {
  readonly directory: string
  readonly names: ReadonlyArray<string>
  readonly paths: ReadonlyArray<string>
}

/** Bounds of one batch. */
export const batchBounds = { files: 64, bytes: 4 * 1024 * 1024 } as const

/** The directory itself could not be listed: there is nothing to audit. */
export class DirectoryUnreadable extends Schema.TaggedError<DirectoryUnreadable>()("DirectoryUnreadable", {
  directory: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `${this.directory} ${this.problem}`
  }
}

/** Walks a directory and cuts what it finds into shares. */
export const list = (options: WalkOptions): Effect.Effect<Listing, DirectoryUnreadable> =>
  Effect.gen(function* () {
    const { directory } = options
    const excluded = excluder(options)
    const found: Array<SizedFile> = []
    const unread: Array<Unread> = []
    const folders: Array<string> = [""]
    let links = 0
    let special = 0
    for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
      const entries = yield* Effect.either(entriesOf(directory, folder))
      if (entries._tag === "Left") {
        if (folder === "") return yield* new DirectoryUnreadable({ directory, problem: entries.left })
        unread.push({ path: folder, problem: entries.left })
        continue
      }
      const files: Array<string> = []
      for (const entry of entries.right) {
        const path = folder === "" ? entry.name : `${folder}/${entry.name}`
        if (excluded(entry.name, path)) continue
        if (entry.isDirectory()) folders.push(path)
        else if (entry.isFile()) files.push(path)
        else if (entry.isSymbolicLink()) links++
        else special++
      }
      for (const file of yield* Effect.forEach(files, (path) => sized(directory, path), { concurrency: 16 }))
        found.push(file)
    }
    return {
      shares: sharesOf(found.sort(byPath)),
      unread: unread.sort(byPath),
      passedOver: { links, special }
    }
  })

/** A file with its size when it was listed. */
export interface SizedFile {
  readonly path: string
  readonly bytes: number
}

/** Cuts sorted files into batches: in order, full when the next file would exceed a bound. */
export const batchesOf = (files: ReadonlyArray<SizedFile>): ReadonlyArray<Batch> => {
  const batches: Array<Array<string>> = []
  let bytes = 0
  for (const file of files) {
    const last = batches.at(-1)
    if (last === undefined || last.length >= batchBounds.files || bytes + file.bytes > batchBounds.bytes) {
      batches.push([file.path])
      bytes = file.bytes
    } else {
      last.push(file.path)
      bytes += file.bytes
    }
  }
  return batches.map((paths, index) => ({ name: `batch-${String(index + 1).padStart(4, "0")}`, files: paths }))
}

/** How many batches one sub-agent reads, so that the size of a record is bounded. */
export const batchesInShare = 16

/** Cuts sorted files into shares: one for each directory directly below, or several when it is large. */
export const sharesOf = (files: ReadonlyArray<SizedFile>): ReadonlyArray<Share> => {
  const directories = new Map<string, Array<SizedFile>>()
  for (const file of files) {
    const path = file.path.includes("/") ? file.path.slice(0, file.path.indexOf("/")) : "."
    const known = directories.get(path)
    if (known === undefined) directories.set(path, [file])
    else known.push(file)
  }
  const parts = Array.from(directories, ([path, own]) => ({ path, batches: batchesOf(own) }))
    .sort(byPath)
    .flatMap(({ path, batches }) => chunksOf(batches, batchesInShare).map((chunk) => ({ path, batches: chunk })))
  return parts.map((part, index) => ({ name: `directory-${String(index + 1).padStart(4, "0")}`, ...part }))
}

const chunksOf = <A>(all: ReadonlyArray<A>, size: number): ReadonlyArray<ReadonlyArray<A>> =>
  Array.from({ length: Math.ceil(all.length / size) }, (_, index) => all.slice(index * size, (index + 1) * size))

const excluder = ({ names, paths }: WalkOptions): ((name: string, path: string) => boolean) => {
  const excludedNames = new Set([...alwaysExcluded, ...names])
  const excludedPaths = new Set(paths)
  return (name, path) => excludedNames.has(name) || excludedPaths.has(path) || isReport(name)
}

/** Whether a file is a report of this program, or the temporary file of one. */
const isReport = (name: string): boolean => /^audit-report(?:\.draft)?\.(?:json|md)(?:\..*tmp)?$/.test(name)

const entriesOf = (directory: string, folder: string): Effect.Effect<ReadonlyArray<Dirent>, string> =>
  Effect.tryPromise({ try: () => readdir(join(directory, folder), { withFileTypes: true }), catch: problemOf })

/** The size of a file. A file that is gone stays in the list: the read reports it. */
const sized = (directory: string, path: string): Effect.Effect<SizedFile> =>
  Effect.tryPromise(() => lstat(join(directory, path))).pipe(
    Effect.match({ onFailure: () => ({ path, bytes: 0 }), onSuccess: ({ size }) => ({ path, bytes: size }) })
  )
