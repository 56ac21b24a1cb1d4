/**
 * The bounds of the writer, apart from it: a host names them, and has no types of the database driver.
 */

/** Bounds of a batch, and of the wait for another process's lock. */
export interface WriterOptions {
  /** @default 512 */
  readonly maxBatch: number
  /** How long one batch may hold the event loop, commit excluded. Units: milliseconds. @default 8 */
  readonly maxBatchMs: number
  /** How long a batch waits for a lock that another process holds. Units: milliseconds. @default 5000 */
  readonly busyTimeoutMs: number
}
