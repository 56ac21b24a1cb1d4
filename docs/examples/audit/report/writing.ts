/**
 * Writes the two reports, each whole or not at all.
 *
 * Invariant: a second write changes nothing, so an interrupted body simply writes again.
 */
import { createHash } from "node:crypto"
import { mkdir, open, readFile, rename, rm, stat } from "node:fs/promises"
import { dirname, join } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { toMarkdown } from "./markdown.ts"
import type { Report } from "./report.ts"
import { toJson } from "./report.ts"

/** The names of the reports. */
export const reportNames = { json: "audit-report.json", markdown: "audit-report.md" } as const

/** The names of reports before their approval. Their content is the same. */
export const draftNames = { json: "audit-report.draft.json", markdown: "audit-report.draft.md" } as const

/** The names of a pair of reports. */
export type Names = Readonly<Record<keyof typeof reportNames, string>>

/** A report could not be written: make room or give permission, then start the audit again. */
export class ReportNotWritten extends Schema.TaggedError<ReportNotWritten>()("ReportNotWritten", {
  path: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `the report could not be written to ${this.path}: ${this.problem}`
  }
}

/** The SHA-256 of both reports. */
export const Digests = Schema.Struct({ json: Schema.String, markdown: Schema.String })
/** The SHA-256 of both reports. */
export type Digests = typeof Digests.Type

/** A draft is not what was approved: start the audit again. */
export class DraftChanged extends Schema.TaggedError<DraftChanged>()("DraftChanged", { path: Schema.String }) {
  override get message(): string {
    return `${this.path} has changed since it was drafted, so it was not published: start the audit again`
  }
}

/** Writes both reports into a folder, and answers their digests; the id of the writing process is in the names of its temporary files. */
export const writeReports = (
  folder: string,
  names: Names,
  writer: string,
  report: Report
): Effect.Effect<Digests, ReportNotWritten> =>
  Effect.gen(function* () {
    const [json, markdown] = [toJson(report), toMarkdown(report)]
    yield* attempt(folder, () => makeFolder(folder))
    yield* replace(join(folder, names.json), writer, json)
    yield* replace(join(folder, names.markdown), writer, markdown)
    return { json: digestOf(json), markdown: digestOf(markdown) }
  })

/** Writes both drafts again under their final names, and removes the drafts. A draft that has other bytes is not published. */
export const publishDraft = (
  folder: string,
  writer: string,
  digests: Digests
): Effect.Effect<void, ReportNotWritten | DraftChanged> =>
  Effect.gen(function* () {
    const places = (["json", "markdown"] as const).map((format) => ({
      draft: join(folder, draftNames[format]),
      final: join(folder, reportNames[format]),
      digest: digests[format]
    }))
    const drafts = yield* Effect.forEach(places, ({ draft, final, digest }) =>
      Effect.gen(function* () {
        // It may have been published before an interruption, and its draft removed.
        if (digestOf(yield* contentOf(final)) === digest) return { draft, final }
        const content = yield* contentOf(draft)
        return digestOf(content) === digest ? { draft, final, content } : yield* new DraftChanged({ path: draft })
      })
    )
    for (const { final, content } of drafts) if (content !== undefined) yield* replace(final, writer, content)
    for (const { draft } of drafts) yield* attempt(draft, () => rm(draft, { force: true }))
  })

/** The content of a file; that of one that cannot be read is empty, which no report is. */
const contentOf = (path: string): Effect.Effect<string> => Effect.promise(() => readFile(path, "utf8").catch(() => ""))

const digestOf = (content: string): string => createHash("sha256").update(content).digest("hex")

/** Makes a folder and its parents. Not with `recursive`, which never returns where a folder refuses entries (`/proc`). */
export const makeFolder = async (folder: string): Promise<void> => {
  const refusal = await makeOne(folder)
  if (refusal === undefined) return
  if (refusal.code !== "ENOENT" || dirname(folder) === folder) throw refusal
  await makeFolder(dirname(folder))
  const again = await makeOne(folder)
  if (again !== undefined) throw again
}

/** Makes one folder; returns the error, if there is one. An existing folder is none. */
const makeOne = async (folder: string): Promise<NodeJS.ErrnoException | undefined> => {
  const refusal = await mkdir(folder).then(
    () => undefined,
    (cause: NodeJS.ErrnoException) => cause
  )
  return refusal?.code === "EEXIST" && (await stat(folder)).isDirectory() ? undefined : refusal
}

/** Replaces a file: its new content is on disk before the name points to it. */
const replace = (path: string, writer: string, content: string): Effect.Effect<void, ReportNotWritten> => {
  const temporary = `${path}.${createHash("sha256").update(writer).digest("hex").slice(0, 12)}.tmp`
  return Effect.acquireUseRelease(
    attempt(path, () => open(temporary, "w")),
    (file) => attempt(path, () => file.writeFile(content).then(() => file.sync())),
    (file) => Effect.promise(() => file.close())
  ).pipe(
    Effect.zipRight(attempt(path, () => rename(temporary, path))),
    Effect.tapErrorCause(() => Effect.ignore(attempt(path, () => rm(temporary, { force: true }))))
  )
}

const attempt = <A>(path: string, operation: () => Promise<A>): Effect.Effect<A, ReportNotWritten> =>
  Effect.tryPromise({
    try: operation,
    catch: (cause) => new ReportNotWritten({ path, problem: cause instanceof Error ? cause.message : String(cause) })
  })
