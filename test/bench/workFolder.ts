/**
 * The temporary folder of a benchmark: one for the whole program, with a folder of its own for each run.
 *
 * Invariant: nothing is left behind, whether the program ends, fails or is interrupted.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** A folder that exists as long as the program. */
export interface WorkFolder {
  readonly path: string
  /** Runs with a new folder inside, and removes it afterwards, so that no run pays for the files of another. */
  readonly withRunFolder: <A>(run: (folder: string) => Promise<A>) => Promise<A>
}

/** Makes the folder below the system's temporary one (`TMPDIR`), and sees to its removal. */
export const make = (): WorkFolder => {
  const path = mkdtempSync(join(tmpdir(), "holdfast-bench-"))
  process.on("exit", () => remove(path))
  process.on("SIGINT", () => process.exit(130))
  process.on("SIGTERM", () => process.exit(143))
  return {
    path,
    withRunFolder: async (run) => {
      const folder = mkdtempSync(join(path, "run-"))
      try {
        return await run(folder)
      } finally {
        remove(folder)
        // What holds the loop for a whole run would hold up Ctrl-C too: a turn between runs lets it in.
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
  }
}

const remove = (path: string): void => rmSync(path, { recursive: true, force: true })
