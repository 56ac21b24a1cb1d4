/**
 * Evidence of death: whether the holder of a lease is proven to be gone.
 *
 * Invariant: "not proven" is the answer to every doubt. Time is no evidence.
 */

import { randomUUID } from "node:crypto"
import { readFileSync, readlinkSync } from "node:fs"
import { hostname, platform } from "node:os"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { LeaseOwner, Liveness } from "../model/Lease.ts"
import { opaqueOwner } from "../model/Lease.ts"
import type { ProcessRow } from "../store/Decision.ts"

/** Proves deaths, and names the owner that this OS process is. */
export class OwnerLiveness extends Context.Tag("holdfast/store/OwnerLiveness")<
  OwnerLiveness,
  {
    /** An identity for this OS process, with the evidence others need about it. The incarnation is new for each call. */
    readonly identify: (ownerId: string) => Effect.Effect<LeaseOwner>

    /** Whether `holder` is definitely dead, as far as `claimant` can know. */
    readonly isDefinitelyDead: (holder: LeaseOwner, claimant: LeaseOwner) => Effect.Effect<boolean>
  }
>() {}

/** The holder of a lease, if it is proven dead. */
export const deadHolder = (
  { isDefinitelyDead }: Pick<typeof OwnerLiveness.Service, "isDefinitelyDead">,
  { lease: { held } }: Pick<ProcessRow, "lease">,
  claimant: LeaseOwner
): Effect.Effect<ReadonlyArray<LeaseOwner>> =>
  held === undefined
    ? Effect.succeed([])
    : Effect.map(isDefinitelyDead(held.owner, claimant), (isDead) => (isDead ? [held.owner] : []))

/** What the kernel knows; tests supply their own. Each answers `undefined` when it could not look. */
export interface Kernel {
  readonly bootId: () => string | undefined
  readonly hostId: () => string | undefined
  readonly pid: number
  /** The start time of a process; "missing" when the kernel says that there is no such process. */
  readonly startTime: (pid: number) => string | "missing" | undefined
}

/** Makes the service on a kernel's evidence. */
export const make = (kernel: Kernel): typeof OwnerLiveness.Service =>
  OwnerLiveness.of({
    identify: (ownerId) =>
      Effect.sync(() => {
        const incarnationId = randomUUID()
        const evidence = ownEvidence(kernel)
        return evidence === undefined
          ? opaqueOwner(ownerId, incarnationId)
          : { ownerId, incarnationId, liveness: evidence }
      }),
    isDefinitelyDead: (holder, claimant) => Effect.sync(() => isDead(kernel, holder.liveness, claimant.liveness))
  })

/** The kernel of this machine, by /proc. */
export const linux: Kernel = {
  bootId: () => attempt(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim() || undefined),
  // Containers share a boot id and may share a host name; their pids mean different things.
  hostId: () => attempt(() => `${hostname()}/${readlinkSync("/proc/self/ns/pid")}`),
  pid: process.pid,
  startTime: (pid) => {
    try {
      return startTimeOf(readFileSync(`/proc/${pid}/stat`, "utf8"))
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code // readFileSync throws nothing else
      return code === "ENOENT" || code === "ESRCH" ? "missing" : undefined
    }
  }
}

/** A kernel that proves nothing: for platforms without /proc. */
export const unknowing: Kernel = {
  bootId: () => undefined,
  hostId: () => undefined,
  pid: process.pid,
  startTime: () => undefined
}

/** Field 22 of a stat line; the command before it may itself contain spaces and brackets. */
export const startTimeOf = (stat: string): string | undefined => {
  const end = stat.lastIndexOf(") ")
  return end === -1 ? undefined : stat.slice(end + 2).split(/\s+/)[19]
}

/** Evidence by /proc on Linux, none elsewhere. */
export const layer: Layer.Layer<OwnerLiveness> = Layer.sync(OwnerLiveness, () =>
  make(platform() === "linux" ? linux : unknowing)
)

/** Never proves a death: leases of others run out, and started owner-bound work waits for an operator. */
export const layerNoop: Layer.Layer<OwnerLiveness> = Layer.sync(OwnerLiveness, () => make(unknowing))

const ownEvidence = (kernel: Kernel): Liveness | undefined => {
  const bootId = kernel.bootId()
  const hostId = kernel.hostId()
  const processStart = kernel.startTime(kernel.pid)
  if (bootId === undefined || hostId === undefined) return undefined
  if (processStart === undefined || processStart === "missing") return undefined
  return { _tag: "LocalProcess", hostId, bootId, pid: kernel.pid, processStart }
}

const isDead = (kernel: Kernel, holder: Liveness, claimant: Liveness): boolean => {
  if (holder._tag !== "LocalProcess" || claimant._tag !== "LocalProcess") return false
  if (holder.hostId !== claimant.hostId || holder.bootId !== claimant.bootId) return false
  const present = kernel.startTime(holder.pid)
  return present === "missing" || (present !== undefined && present !== holder.processStart)
}

const attempt = <A>(read: () => A): A | undefined => {
  try {
    return read()
  } catch {
    return undefined
  }
}
