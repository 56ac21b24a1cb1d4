/**
 * Where figures were taken: what must be equal before two of them may be compared.
 */
import { closeSync, fdatasyncSync, openSync, statfsSync, writeSync } from "node:fs"
import { cpus, loadavg } from "node:os"
import { join } from "node:path"
import Database from "better-sqlite3"
import { median } from "./statistics.ts"

/** The circumstances of a benchmark. */
export interface Environment {
  readonly node: string
  readonly cpus: string
  /** The load average of the last minute, before the first run: above 0 somebody else was at work. */
  readonly load: number
  readonly fileSystem: string
  /** One small write made durable, median. Near 0 the disk answers from a cache, and FULL costs little more than NORMAL. */
  readonly fdatasyncUs: number
  readonly sqlite: string
}

/** Looks around; `folder` is where the files of the runs will be. */
export const look = (folder: string): Environment => {
  const all = cpus()
  return {
    node: process.version,
    cpus: `${all.length} x ${all[0]?.model.trim() ?? "unknown"}`,
    load: loadavg()[0] ?? 0,
    fileSystem: fileSystemOf(folder),
    fdatasyncUs: fdatasyncUs(folder),
    sqlite: sqliteVersion()
  }
}

/** One line for people. */
export const lineOf = ({ node, cpus, load, fileSystem, fdatasyncUs, sqlite }: Environment): string =>
  [
    `node ${node}`,
    cpus,
    `load ${load.toFixed(1)}`,
    `temporary files on ${fileSystem}`,
    `fdatasync ${fdatasyncUs.toFixed(0)} us`,
    `SQLite ${sqlite}`
  ].join(" | ")

/** Linux's numbers for file systems; elsewhere the number is shown as it is. */
const fileSystems: Readonly<Record<string, string>> = {
  ef53: "ext4",
  "1021994": "tmpfs (nothing here is durable)",
  "58465342": "xfs",
  "9123683e": "btrfs",
  "794c7630": "overlayfs",
  "2fc12fc1": "zfs",
  "6969": "nfs"
}

const fileSystemOf = (folder: string): string => {
  const type = (statfsSync(folder).type >>> 0).toString(16)
  return fileSystems[type] ?? `file system 0x${type}`
}

const fdatasyncUs = (folder: string): number => {
  const file = openSync(join(folder, "fdatasync"), "w")
  try {
    const page = Buffer.alloc(4_096, 1)
    const samples = Array.from({ length: 50 }, () => {
      writeSync(file, page)
      const startedAt = performance.now()
      fdatasyncSync(file)
      return (performance.now() - startedAt) * 1_000
    })
    return median(samples)
  } finally {
    closeSync(file)
  }
}

const sqliteVersion = (): string => {
  const db = new Database(":memory:")
  const version = db.prepare("SELECT sqlite_version()").pluck().get()
  db.close()
  return String(version)
}
