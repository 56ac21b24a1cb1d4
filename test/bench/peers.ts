/**
 * Peers: the same work by other libraries, each in a process and a folder of its own, so that none of their packages is this
 * project's. They are installed when they are asked for.
 */
import { execFileSync } from "node:child_process"
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Run } from "./Contest.ts"

/** What the approvals of @effect/workflow need: versions that fit each other. */
const packages = [
  "@effect/cluster@0.60.2",
  "@effect/experimental@0.61.1",
  "@effect/platform@0.97.2",
  "@effect/rpc@0.76.2",
  "@effect/sql@0.52.1",
  "@effect/sql-sqlite-node@0.53.0",
  "@effect/workflow@0.19.1",
  "effect@3.22.4"
]

/** Measures the approvals of `statecharts.ts`, written with @effect/workflow on SQLite: `perSecond` and `p50Ms`. */
export const measureWorkflows =
  (callers: number) =>
  async (folder: string, seconds: number): Promise<Run> => {
    const program = installed(join(dirname(folder), "effect-workflow"))
    const args = [program, join(folder, "workflows.db"), String(callers), String(seconds)]
    const answer = execFileSync(process.execPath, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] })
    return JSON.parse(answer) as Run // as that program writes it
  }

/** The program in its folder, with its packages: one installation does for all rounds. */
const installed = (folder: string): string => {
  const program = join(folder, "effectWorkflow.mjs")
  if (existsSync(program)) return program
  mkdirSync(folder)
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }))
  execFileSync("npm", ["install", "--no-audit", "--no-fund", "--silent", ...packages], {
    cwd: folder,
    stdio: ["ignore", "ignore", "inherit"]
  })
  // From the sources: it is no module of this program.
  copyFileSync(fileURLToPath(new URL("../../../test/bench/peers/effectWorkflow.mjs", import.meta.url)), program)
  return program
}
