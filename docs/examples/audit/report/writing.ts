/**
 * Puts the two reports where they belong, each whole or not at all.
 *
 * Invariant: writing again changes nothing, so a body that is interrupted here simply does it again.
 */
import { createHash } from "node:crypto"
import { mkdir, open, rename, rm, stat } from "node:fs/promises"
import { dirname, join } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { toMarkdown } from "./markdown.ts"
import type { Report } from "./report.ts"
import { toJson } from "./report.ts"

/** The names of the reports. */
export const reportNames = { json: "audit-report.json", markdown: "audit-report.md" } as const

/** The names of reports that nobody has approved yet. Their content is the same. */
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

/** Writes both reports into a folder, on behalf of a process whose id keeps its half-written files apart from others'. */
export const writeReports = (
  folder: string,
  names: Names,
  writer: string,
  report: Report
): Effect.Effect<void, ReportNotWritten> =>
  Effect.gen(function* () {
    yield* attempt(folder, () => makeFolder(folder))
    yield* replace(join(folder, names.json), writer, toJson(report))
    yield* replace(join(folder, names.markdown), writer, toMarkdown(report))
  })

/** Removes both reports; those that are not there are removed already. */
export const removeReports = (folder: string, names: Names): Effect.Effect<void, ReportNotWritten> =>
  Effect.forEach(
    Object.values(names).map((name) => join(folder, name)),
    (path) => attempt(path, () => rm(path, { force: true })),
    { discard: true }
  )

/** Makes a folder and those above it. Not with `recursive`, which never returns where a folder refuses entries (`/proc`). */
export const makeFolder = async (folder: string): Promise<void> => {
  const refusal = await makeOne(folder)
  if (refusal === undefined) return
  if (refusal.code !== "ENOENT" || dirname(folder) === folder) throw refusal
  await makeFolder(dirname(folder))
  const again = await makeOne(folder)
  if (again !== undefined) throw again
}

/** Answers what stands against it; a folder that is there already does not. */
const makeOne = async (folder: string): Promise<NodeJS.ErrnoException | undefined> => {
  const refusal = await mkdir(folder).then(
    () => undefined,
    (cause: NodeJS.ErrnoException) => cause
  )
  return refusal?.code === "EEXIST" && (await stat(folder)).isDirectory() ? undefined : refusal
}

/** The new content is on the disk before the name points to it. */
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
