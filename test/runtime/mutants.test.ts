import { spawnSync } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { patienceMs } from "../support/patience.ts"
import { projectRoot } from "../support/projectRoot.ts"
import { isLong } from "../support/samples.ts"
import { builtFile, mutants } from "./mutants.ts"

/** Tries random bodies on a build with one edit; answers what the program of them said. */
const tried = (
  name: keyof typeof mutants,
  form: "effects" | "promises"
): { readonly code: number | null; readonly said: string } => {
  const edit = mutants[name]
  if (edit === undefined) throw new Error(`there is no mutant ${name}`)
  const folder = mkdtempSync(join(tmpdir(), "holdfast-mutant-"))
  try {
    for (const part of ["src", "machines", "test/runtime", "test/support"]) {
      mkdirSync(join(folder, "dist", part), { recursive: true })
      cpSync(join(projectRoot, "dist", part), join(folder, "dist", part), { recursive: true })
    }
    cpSync(join(projectRoot, "package.json"), join(folder, "package.json"))
    symlinkSync(join(projectRoot, "node_modules"), join(folder, "node_modules"))
    writeFileSync(
      join(folder, "dist", edit.file),
      builtFile(edit).replace(edit.find, () => edit.replace)
    )
    const program = join(folder, "dist/test/runtime/randomBodiesProgram.js")
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, "memory", form, "1000", "1"], {
      encoding: "utf8",
      timeout: 30 * patienceMs
    })
    return { code: status, said: `${stdout}${stderr}` }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

describe("a mutant of the library", () => {
  for (const [name, edit] of Object.entries(mutants)) {
    it(`without ${name} can be made: its text is in the build once, and begins no half of a name`, () => {
      const [before = "", ...after] = builtFile(edit).split(edit.find)
      assert.strictEqual(after.length, 1)
      // Of `where.is…`, what replaces `is…` would be a field of that name, and the mutant the library itself.
      assert.notMatch(before, /[\w$.]$/)
    })

    it.runIf(isLong)(
      `without ${name} is found by the random bodies within 1,000 programs`,
      { timeout: 60 * patienceMs },
      () => {
        const { code, said } = tried(name, "effects")
        assert.strictEqual(code, 1, said)
        assert.include(said, "broken by this body")
      }
    )
  }
})
