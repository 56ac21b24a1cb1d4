/**
 * The right to run a process: one holder at a time, fenced by a number that only rises.
 *
 * Source: fencing tokens after M. Kleppmann, "How to do distributed locking" (2016).
 */
import * as Schema from "effect/Schema"
import type { Owner as MachineOwner } from "../../machines/process/types.ts"
import { ProcessId } from "./ids.ts"
import { renamed, tagged } from "./json.ts"

/** Evidence by which others may prove that an owner died. `Opaque` never proves anything. */
export const Liveness = Schema.Union(
  Schema.Struct({ _tag: tagged("kind", "opaque", "Opaque") }),
  Schema.Struct({
    _tag: tagged("kind", "local_process", "LocalProcess"),
    hostId: renamed("host_id", Schema.String),
    bootId: renamed("boot_id", Schema.String),
    pid: Schema.Int,
    processStart: renamed("process_start", Schema.String)
  })
)
/** Evidence by which others may prove that an owner died. */
export type Liveness = typeof Liveness.Type

/** Who holds a lease: a stable stem, one life of it, and its liveness evidence. */
export const LeaseOwner = Schema.Struct({
  ownerId: renamed("owner_id", Schema.String),
  incarnationId: renamed("incarnation_id", Schema.String),
  liveness: Schema.optionalWith(Liveness, { default: () => ({ _tag: "Opaque" as const }) })
})
/** Who holds a lease. */
export type LeaseOwner = typeof LeaseOwner.Type

/** An owner whose death can never be proven. */
export const opaqueOwner = (ownerId: string, incarnationId: string): LeaseOwner => ({
  ownerId,
  incarnationId,
  liveness: { _tag: "Opaque" }
})

/**
 * A lease as its holder knows it. Units: epoch milliseconds, UTC; a lease whose `expiresAtMs` is now is expired.
 *
 * `leaseToken` names this holding; `fencingToken` rises with every later one, also after a release.
 */
export const Lease = Schema.Struct({
  schemaVersion: renamed("schema_version", Schema.Literal(2)),
  processId: renamed("process_id", ProcessId),
  owner: LeaseOwner,
  leaseToken: renamed("lease_token", Schema.String),
  fencingToken: renamed("fencing_token", Schema.Int),
  claimedAtMs: renamed("claimed_at_epoch_ms", Schema.Int),
  expiresAtMs: renamed("expires_at_epoch_ms", Schema.Int)
})
/** A lease as its holder knows it. */
export type Lease = typeof Lease.Type

/** How a claim ended: the caller holds the process, or another owner does. `Busy` is an answer, not a failure. */
export type ClaimOutcome =
  | { readonly _tag: "Acquired"; readonly lease: Lease }
  | { readonly _tag: "Busy"; readonly holder: Lease }

/** A held lease, as a store keeps it. */
export interface Held extends Omit<Lease, "schemaVersion" | "processId" | "fencingToken"> {
  /** Who renews it together with its other leases; absent when its holder renews it alone. No part of the lease itself. */
  readonly renewerId?: string
}

/** What a store keeps of the lease of a process: the fence survives a release, the holding does not. */
export interface LeaseSlot {
  readonly fencingToken: number
  readonly held?: Held
}

/** The slot of a process that was never leased. */
export const emptySlot: LeaseSlot = { fencingToken: 0 }

/** The lease in a slot, whether or not it has expired; `undefined` when released or never held. */
export const leaseIn = (processId: ProcessId, slot: LeaseSlot): Lease | undefined => {
  if (slot.held === undefined) return undefined
  const { owner, leaseToken, claimedAtMs, expiresAtMs } = slot.held
  return {
    schemaVersion: 2,
    processId,
    owner,
    leaseToken,
    fencingToken: slot.fencingToken,
    claimedAtMs,
    expiresAtMs
  }
}

// The machines know owners as plain data; this line does not compile once the two drift apart.
null as unknown as MachineOwner satisfies LeaseOwner
