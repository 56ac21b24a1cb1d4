/**
 * What each library is asked to do, in its own words: the work is the same, and one program measures them all (`drive.ts`).
 *
 * Invariant: a promise of these answers once what it says is durable, so that a `kill -9` in the next moment loses nothing of it.
 */

/** Where a library keeps its data: a folder of its own, a database of its own, and how many connections it may have to that. */
export interface Where {
  readonly folder: string
  readonly url: string
  readonly pool: number
}

/** A library that runs, on what an earlier one left where it keeps its data. */
export interface Peer {
  /** Starts a process that ends with the number it was given, and answers what it ended with. */
  readonly complete: (id: string, value: number) => Promise<number>
  /** Starts a process that waits for a number. */
  readonly wait: (id: string) => Promise<void>
  /** Hands the number to a process that waits for it. */
  readonly signal: (id: string, value: number) => Promise<void>
  /** Answers the number that a process ended with: the one it waited for. */
  readonly ended: (id: string) => Promise<number>
  /** Starts a process that starts children at once and awaits them all; answers how many ended. */
  readonly family: (id: string, children: number) => Promise<number>
  readonly close: () => Promise<void>
}

/** What the module of a library exports. */
export interface PeerModule {
  readonly open: (where: Where) => Promise<Peer>
}
