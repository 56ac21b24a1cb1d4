/**
 * Peers: the same work by other libraries, each in a process and a folder of its own, so that none of their packages is this
 * project's. They are installed when they are asked for.
 */
import { execFileSync } from "node:child_process"
import { join } from "node:path"
import type { Run } from "./Contest.ts"
import { installPeers } from "./peers/installing.ts"

/** Measures the approvals of `statecharts.ts`, written with @effect/workflow on SQLite: `perSecond` and `p50Ms`. */
export const measureWorkflows =
  (callers: number) =>
  async (folder: string, seconds: number): Promise<Run> => {
    const program = join(installPeers(console.error), "effectWorkflow.mjs")
    const args = [program, join(folder, "workflows.db"), String(callers), String(seconds)]
    const answer = execFileSync(process.execPath, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] })
    return JSON.parse(answer) as Run // as that program writes it
  }
