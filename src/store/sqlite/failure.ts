/**
 * What better-sqlite3 throws, said in the library's own words: what failed, whether it was written, what to do.
 */
import { StoreError } from "../../model/errors.ts"

/** Translates a failure of the database. `written` is "unknown" only for a commit that may have reached the disk. */
export const storeError = (operation: string, cause: unknown, written: "no" | "unknown" = "no"): StoreError => {
  const reason = reasonOf(codeOf(cause))
  return new StoreError({ operation, reason, written, detail: detailOf(reason, cause), cause })
}

const codeOf = (cause: unknown): string => {
  if (typeof cause !== "object" || cause === null) return ""
  if ("code" in cause && typeof cause.code === "string") return cause.code
  // @effect/sql wraps what better-sqlite3 threw.
  return "cause" in cause ? codeOf(cause.cause) : ""
}

const reasonOf = (code: string): StoreError["reason"] => {
  if (code.startsWith("SQLITE_BUSY") || code.startsWith("SQLITE_LOCKED")) return "busy"
  if (code.startsWith("SQLITE_FULL")) return "full"
  if (code.startsWith("SQLITE_CORRUPT") || code.startsWith("SQLITE_NOTADB")) return "corrupt"
  if (code === "ENOSPC") return "full"
  if (["ENOTDIR", "EISDIR", "EEXIST", "EACCES", "EPERM", "EROFS", "ENOENT", "ENAMETOOLONG"].includes(code))
    return "unusable"
  if (code.startsWith("SQLITE_CANTOPEN") || code.startsWith("SQLITE_READONLY") || code.startsWith("SQLITE_PERM")) {
    return "unusable"
  }
  return "failed"
}

const detailOf = (reason: StoreError["reason"], cause: unknown): string => {
  switch (reason) {
    case "busy":
      return "the database is locked by another process; try again, or end the process that holds it"
    case "full":
      return "the disk is full; free some space, then try again"
    case "corrupt":
      return "the file is no SQLite database, or a damaged one; restore it from a backup, or name another file"
    case "unusable":
      return "the file cannot be opened for writing; check that its folder exists and its permissions"
    default:
      return codeOf(cause).startsWith("SQLITE_IOERR")
        ? `the disk failed to read or write (${codeOf(cause)}); check it, then try again`
        : messageOf(cause)
  }
}

const messageOf = (cause: unknown): string => {
  if (!(cause instanceof Error)) return String(cause)
  return cause.cause instanceof Error ? messageOf(cause.cause) : cause.message
}
