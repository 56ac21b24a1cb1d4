import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { processId } from "../../src/model/ids.ts"
import * as Lease from "../../src/model/Lease.ts"

const p = processId("p")
const wire = {
  schema_version: 2,
  process_id: "p",
  owner: {
    owner_id: "w:recovery:u",
    incarnation_id: "u",
    liveness: { kind: "local_process", host_id: "h", boot_id: "b", pid: 7, process_start: "123" }
  },
  lease_token: "token",
  fencing_token: 4,
  claimed_at_epoch_ms: 1,
  expires_at_epoch_ms: 30001
}
const lease: Lease.Lease = {
  schemaVersion: 2,
  processId: p,
  owner: {
    ownerId: "w:recovery:u",
    incarnationId: "u",
    liveness: { _tag: "LocalProcess", hostId: "h", bootId: "b", pid: 7, processStart: "123" }
  },
  leaseToken: "token",
  fencingToken: 4,
  claimedAtMs: 1,
  expiresAtMs: 30001
}
const decode = Schema.decodeUnknownSync(Lease.Lease)

describe("a lease on the wire", () => {
  it("is written in snake case and read back", () => {
    assert.deepStrictEqual<unknown>(Schema.encodeSync(Lease.Lease)(lease), wire)
    assert.deepStrictEqual(decode(JSON.parse(JSON.stringify(wire))), lease)
  })

  it("of another schema version is not read", () => {
    assert.throws(() => decode({ ...wire, schema_version: 1 }))
    assert.throws(() => decode({ ...wire, schema_version: "2" }))
  })

  for (const field of Object.keys(wire)) {
    it(`is not read without its ${field}`, () => {
      assert.throws(() => decode(Object.fromEntries(Object.entries(wire).filter(([key]) => key !== field))))
    })
  }

  it("has whole numbers only", () => {
    assert.throws(() => decode({ ...wire, fencing_token: 4.5 }))
    assert.throws(() => decode({ ...wire, expires_at_epoch_ms: "30001" }))
  })
})

describe("an owner", () => {
  const owner = Schema.decodeUnknownSync(Lease.LeaseOwner)

  it("that gives no evidence of being alive is opaque", () => {
    const opaque = { ownerId: "w", incarnationId: "i", liveness: { _tag: "Opaque" } }
    assert.deepStrictEqual<unknown>(owner({ owner_id: "w", incarnation_id: "i" }), opaque)
    assert.deepStrictEqual<unknown>(Lease.opaqueOwner("w", "i"), opaque)
  })

  it("writes its liveness out, opaque too", () => {
    assert.deepStrictEqual<unknown>(Schema.encodeSync(Lease.LeaseOwner)(Lease.opaqueOwner("w", "i")), {
      owner_id: "w",
      incarnation_id: "i",
      liveness: { kind: "opaque" }
    })
  })

  it("with half of its evidence is not read", () => {
    const half = { kind: "local_process", host_id: "h", boot_id: "b", pid: 7 }
    assert.throws(() => owner({ owner_id: "w", incarnation_id: "i", liveness: half }))
    assert.throws(() => owner({ owner_id: "w", incarnation_id: "i", liveness: { kind: "vibes" } }))
  })
})

describe("a slot", () => {
  it("that was never leased has fence zero and no holder", () => {
    assert.deepStrictEqual(Lease.emptySlot, { fencingToken: 0 })
    assert.strictEqual(Lease.leaseIn(p, Lease.emptySlot), undefined)
  })

  it("that was released has no lease, whatever its fence", () => {
    assert.strictEqual(Lease.leaseIn(p, { fencingToken: 9 }), undefined)
  })

  it("that is held has its lease, expired or not", () => {
    const { owner, leaseToken, claimedAtMs } = lease
    for (const expiresAtMs of [0, 30001]) {
      const slot = { fencingToken: 4, held: { owner, leaseToken, claimedAtMs, expiresAtMs } }
      assert.deepStrictEqual(Lease.leaseIn(p, slot), { ...lease, expiresAtMs })
    }
  })
})
