/**
 * From the command line to the payload of an audit: resolves every path, and checks early whatever could fail later.
 */
import { opendir, realpath, rm, stat, writeFile } from "node:fs/promises"
import { basename, dirname, join, relative, resolve, sep } from "node:path"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { Errors } from "../../../../src/index.ts"
import { draftNames, makeFolder, reportNames } from "../report/writing.ts"
import type { AuditPayload } from "../work/audit.ts"

/** The values of the command line. */
export interface Inputs {
  readonly directory: string
  readonly out: string
  readonly state: string
  readonly exclude: ReadonlyArray<string>
  /** Units: seconds. */
  readonly fileTimeout: number
}

/** What an audit is started with. Paths are absolute, with links resolved. */
export interface Request {
  readonly payload: AuditPayload
  readonly stateFile: string
}

/** The audit cannot be done: one line with the cause, and what to do about it. */
export class CannotAudit extends Data.TaggedError("CannotAudit")<{ readonly line: string }> {
  override get message(): string {
    return this.line
  }
}

/** An error of a store or a process as one line for the user. */
export const lineOf = (error: { readonly message: string }, stateFile: string): string =>
  error instanceof Errors.StoreError ? `the state file ${stateFile} cannot be used: ${error.detail}` : error.message

/** Resolves and checks the values of the command line. */
export const checked = (inputs: Inputs): Effect.Effect<Request, CannotAudit> =>
  Effect.gen(function* () {
    const directory = yield* readableDirectory(inputs.directory)
    const out = yield* folder("the folder for the reports (--out)", inputs.out, createsFiles)
    for (const name of [reportNames, draftNames].flatMap((names) => Object.values(names)))
      yield* replaceable(join(out, name))
    const stateFolder = yield* folder("the folder for the state (--state)", dirname(inputs.state))
    const stateFile = join(stateFolder, basename(inputs.state))
    return {
      payload: {
        directory,
        out,
        exclude: [...new Set(inputs.exclude)].sort(),
        ownPaths: ownPaths(directory, stateFile),
        fileTimeoutMs: inputs.fileTimeout * 1_000
      },
      stateFile
    }
  })

/** The paths below a directory that hold the program's state: the folder of the state file, or its files in the directory itself. */
export const ownPaths = (directory: string, stateFile: string): ReadonlyArray<string> => {
  const folder = pathBelow(directory, dirname(stateFile))
  if (folder !== undefined && folder !== "") return [folder]
  const file = pathBelow(directory, stateFile)
  return file === undefined ? [] : [file, `${file}-shm`, `${file}-wal`]
}

const pathBelow = (directory: string, path: string): string | undefined => {
  const way = relative(directory, path)
  return way === ".." || way.startsWith(`..${sep}`) || resolve(way) === way ? undefined : way.split(sep).join("/")
}

const readableDirectory = (typed: string): Effect.Effect<string, CannotAudit> =>
  Effect.gen(function* () {
    const { path, isDirectory } = yield* looking(`the directory to audit, ${typed},`, async () => {
      const path = await realpath(typed)
      return { path, isDirectory: (await stat(path)).isDirectory() }
    })
    if (!isDirectory) {
      return yield* new CannotAudit({ line: `${typed} is a file, not a directory: name the directory that holds it` })
    }
    yield* looking(`the directory to audit, ${typed},`, async () => (await opendir(path)).close())
    return path
  })

const folder = (
  what: string,
  typed: string,
  check: (path: string) => Promise<void> = async () => {}
): Effect.Effect<string, CannotAudit> =>
  looking(`${what}, ${typed},`, async () => {
    await makeFolder(resolve(typed))
    const path = await realpath(typed)
    await check(path)
    return path
  })

/** Creates a file to be sure: permissions alone are no proof, since some file systems accept no files. */
const createsFiles = async (path: string): Promise<void> => {
  const probe = join(path, `${reportNames.json}.probe.tmp`)
  await writeFile(probe, "")
  await rm(probe, { force: true })
}

const replaceable = (path: string): Effect.Effect<void, CannotAudit> =>
  Effect.flatMap(
    Effect.promise(() =>
      stat(path).then(
        (found) => found.isDirectory(),
        () => false
      )
    ),
    (isDirectory) =>
      isDirectory
        ? new CannotAudit({ line: `${path} is a directory: move it away, or name another folder with --out` })
        : Effect.void
  )

const looking = <A>(what: string, look: () => Promise<A>): Effect.Effect<A, CannotAudit> =>
  Effect.tryPromise({
    try: look,
    catch: (cause) => {
      const code = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause)
      return new CannotAudit({ line: `${what} ${problems[code] ?? `cannot be used (${code})`}` })
    }
  })

const problems: Readonly<Record<string, string>> = {
  ENOENT: "does not exist: check the path",
  ENOTDIR: "runs through a file: check the path",
  EEXIST: "is a file, not a folder: name another path",
  EACCES: "is closed to this user: change its permissions, or name another path",
  EPERM: "is closed to this user: change its permissions, or name another path",
  EROFS: "is on a read-only file system: name another path",
  ELOOP: "is a circle of links: check the path",
  ENAMETOOLONG: "is longer than a path may be: check the path"
}
