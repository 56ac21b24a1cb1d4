/**
 * A small directory to audit: a few languages, something to find, something to leave out, and a git history.
 */
import { execFileSync } from "node:child_process"
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"

/** What the directory comes to; written down by hand, not counted by the code under test. */
export const expected = {
  totals: { files: 154, binaryFiles: 1, bytes: 3439, lines: 308, todos: 2, fixmes: 1, secrets: 1, unread: 0 },
  commits: 2
} as const

const write = (folder: string, path: string, content: string | Buffer): void => {
  mkdirSync(dirname(join(folder, path)), { recursive: true })
  writeFileSync(join(folder, path), content)
}

/** Fills a folder. Without a history it is a directory that git knows nothing of. */
export const plant = (folder: string, options: { readonly history: boolean }): void => {
  for (let number = 100; number < 250; number++)
    write(folder, `src/part-${number % 5}/f${number}.ts`, `export const n = ${number}\n\n`)
  write(folder, "src/work.ts", "// TODO: first\nconst a = 1 // FIXME second\n// a todo in small letters is none\n")
  write(folder, "README.md", "# Read me\n\nTODO third") // its last line has no end
  write(folder, "settings.env", `TOKEN=${["a1b2", "c3d4", "e5f6"].join("")}\nNAME=value\n`)
  write(folder, "image.png", Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 0, 1, 2, 0x0a, 0x0a]))
  write(folder, "node_modules/left-out/index.js", "// TODO never seen\n")
  write(folder, "deep/dist/left-out.js", "// TODO never seen\n")
  symlinkSync("README.md", join(folder, "link.md"))
  if (!options.history) return
  git(folder, "init", "--quiet", "--initial-branch=main")
  commit(folder, "first", "Ada", "2024-01-02T03:04:05Z")
  commit(folder, "second", "Bob", "2024-02-03T04:05:06Z")
}

const commit = (folder: string, message: string, name: string, date: string): void => {
  const who = ["-c", `user.name=${name}`, "-c", `user.email=${name.toLowerCase()}@example.org`]
  git(folder, "add", "--all")
  execFileSync("git", [...who, "-C", folder, "commit", "--quiet", "--allow-empty", "-m", message], {
    env: { ...process.env, GIT_AUTHOR_DATE: date, GIT_COMMITTER_DATE: date }
  })
}

const git = (folder: string, ...args: ReadonlyArray<string>): void => {
  execFileSync("git", ["-C", folder, ...args])
}
