/**
 * Where a run of tests keeps its temporary files: in memory where Linux offers it, since a third of the time would go into
 * waiting for a disk.
 *
 * A process that is killed loses nothing there, and no test cuts the power. The long run uses the disk, as do machines without
 * room in memory.
 */
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statfsSync } from "node:fs"
import { join } from "node:path"
import { isLong } from "./samples.ts"

const memory = "/dev/shm"

/** How much must be free there. Units: bytes. */
const room = 2 ** 32

/** Has temporary files in memory, also those of the programs that tests start, and removes them after the run. */
export const setup = (): (() => void) | undefined => {
  if (isLong || process.env["TMPDIR"] !== undefined || !hasRoom()) return undefined
  forsaken().forEach(remove)
  const folder = mkdtempSync(join(memory, `holdfast-${process.pid}-`))
  // Servers and readers that run as another user find their files in it.
  chmodSync(folder, 0o755)
  process.env["TMPDIR"] = folder
  return () => remove(folder)
}

const remove = (folder: string): void => rmSync(folder, { recursive: true, force: true })

const hasRoom = (): boolean => {
  try {
    const { bavail, bsize } = statfsSync(memory)
    const [, options = ""] =
      new RegExp(`^\\S+ ${memory} \\S+ (\\S+)`, "m").exec(readFileSync("/proc/mounts", "utf8")) ?? []
    return bavail * bsize > room && !options.split(",").includes("noexec")
  } catch {
    return false
  }
}

/** The folders of runs that were killed. */
const forsaken = (): ReadonlyArray<string> =>
  readdirSync(memory).flatMap((name) => {
    const pid = /^holdfast-(\d+)-/.exec(name)?.[1]
    return pid === undefined || isAlive(Number(pid)) ? [] : [join(memory, name)]
  })

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM"
  }
}
