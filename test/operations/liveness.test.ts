import { spawn } from "node:child_process"
import { once } from "node:events"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { LeaseOwner, Liveness } from "../../src/model/Lease.ts"
import { opaqueOwner } from "../../src/model/Lease.ts"
import type { Kernel } from "../../src/operations/OwnerLiveness.ts"
import * as OwnerEvidence from "../../src/operations/OwnerLiveness.ts"
import { OwnerLiveness } from "../../src/operations/OwnerLiveness.ts"

const stat = "1234 (node) S 1 1234 1234 0 -1 4194304 1 0 0 0 1 1 0 0 20 0 11 0 987654 1 1 18446744073709551615 0"

/** A machine on which one process lives: pid 7, started at 700. */
const kernel: Kernel = {
  bootId: () => "boot",
  hostId: () => "host",
  pid: 7,
  startTime: (pid) => (pid === 7 ? "700" : "missing")
}

type Local = Extract<Liveness, { readonly _tag: "LocalProcess" }>

const owner = (changes: Partial<Local> = {}): LeaseOwner => ({
  ownerId: "worker",
  incarnationId: "life",
  liveness: { _tag: "LocalProcess", hostId: "host", bootId: "boot", pid: 7, processStart: "700", ...changes }
})

const claimant = owner({ pid: 8, processStart: "800" })

const isDead = (holder: LeaseOwner, by: LeaseOwner = claimant, on: Kernel = kernel) =>
  OwnerEvidence.make(on).isDefinitelyDead(holder, by)

const verdicts: ReadonlyArray<readonly [string, Effect.Effect<boolean>, boolean]> = [
  ["a process that is there with its start time is alive", isDead(owner()), false],
  ["a process that is missing is dead", isDead(owner({ pid: 9 })), true],
  [
    "a pid that was given to another process proves the death of the first",
    isDead(owner({ processStart: "699" })),
    true
  ],
  ["nothing is proven of another host", isDead(owner({ pid: 9, hostId: "another" })), false],
  ["nothing is proven of another boot", isDead(owner({ pid: 9, bootId: "another" })), false],
  ["nothing is proven of an opaque holder", isDead(opaqueOwner("worker", "life")), false],
  ["nothing is proven for an opaque claimant", isDead(owner({ pid: 9 }), opaqueOwner("worker", "other")), false],
  ["the claimant's own process takes no part in it", isDead(owner(), owner({ pid: 99, processStart: "0" })), false],
  [
    "nothing is proven when the kernel could not be asked",
    isDead(owner({ pid: 9 }), claimant, { ...kernel, startTime: () => undefined }),
    false
  ],
  ["nothing is proven where the platform has no evidence", isDead(owner(), claimant, OwnerEvidence.unknowing), false]
]

describe("evidence of death", () => {
  for (const [name, verdict, expected] of verdicts) {
    it.effect(name, () => Effect.map(verdict, (dead) => assert.strictEqual(dead, expected)))
  }
})

describe("the start time in a stat line", () => {
  const lines: ReadonlyArray<readonly [string, string, string | undefined]> = [
    ["it is field 22", stat, "987654"],
    ["a command with spaces does not move it", stat.replace("(node)", "(my own tool)"), "987654"],
    ["a command with brackets does not move it", stat.replace("(node)", "(a) b) (c)"), "987654"],
    ["a command that looks like a stat line does not move it", stat.replace("(node)", "(x) S 1 2 3 (y)"), "987654"],
    ["a line without a command has none", "1234 node S 1", undefined],
    ["a line that breaks off has none", "1234 (node) S 1 1234", undefined],
    ["an empty line has none", "", undefined]
  ]
  for (const [name, line, expected] of lines) {
    it(name, () => assert.strictEqual(OwnerEvidence.startTimeOf(line), expected))
  }
})

describe("the identity of this process", () => {
  const identify = (on: Kernel) => OwnerEvidence.make(on).identify("worker")

  it.effect("it carries host, boot, pid and start time", () =>
    Effect.map(identify(kernel), ({ ownerId, liveness }) => {
      assert.strictEqual(ownerId, "worker")
      assert.deepStrictEqual(liveness, {
        _tag: "LocalProcess",
        hostId: "host",
        bootId: "boot",
        pid: 7,
        processStart: "700"
      })
    })
  )

  it.effect("every call is another incarnation", () =>
    Effect.map(Effect.all([identify(kernel), identify(kernel)]), ([one, two]) => {
      assert.notStrictEqual(one.incarnationId, two.incarnationId)
    })
  )

  const partial: ReadonlyArray<readonly [string, Partial<Kernel>]> = [
    ["the boot id", { bootId: () => undefined }],
    ["the host id", { hostId: () => undefined }],
    ["the start time", { startTime: () => undefined }],
    ["its own process", { startTime: () => "missing" }]
  ]
  for (const [what, changes] of partial) {
    it.effect(`it is opaque when ${what} cannot be read`, () =>
      Effect.map(identify({ ...kernel, ...changes }), ({ liveness }) => {
        assert.deepStrictEqual(liveness, { _tag: "Opaque" })
      })
    )
  }

  it.effect("the variant without evidence is opaque and proves nothing", () =>
    Effect.gen(function* () {
      const liveness = yield* OwnerLiveness
      const own = yield* liveness.identify("worker")
      assert.deepStrictEqual(own.liveness, { _tag: "Opaque" })
      assert.strictEqual(yield* liveness.isDefinitelyDead(owner({ pid: 9 }), owner()), false)
    }).pipe(Effect.provide(OwnerEvidence.layerNoop))
  )
})

/** The platform without /proc cannot say any of this: the suite says so by name. */
describe.skipIf(process.platform !== "linux")("real processes, by /proc", () => {
  it.live("this process is alive to itself, and knows its own start time", () =>
    Effect.gen(function* () {
      const liveness = yield* OwnerLiveness
      const own = yield* liveness.identify("worker")
      assert.strictEqual(own.liveness._tag, "LocalProcess")
      assert.strictEqual(yield* liveness.isDefinitelyDead(own, own), false)
    }).pipe(Effect.provide(OwnerEvidence.layer))
  )

  it.live("a child is alive until it is killed, and dead from then on", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const liveness = yield* OwnerLiveness
        const own = yield* liveness.identify("worker")
        const child = yield* Effect.acquireRelease(
          Effect.sync(() => spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" })),
          (running) => Effect.sync(() => running.kill("SIGKILL"))
        )
        const pid = child.pid ?? 0
        const processStart = OwnerEvidence.linux.startTime(pid)
        assert.match(String(processStart), /^[0-9]+$/)
        const holder: LeaseOwner = {
          ...own,
          incarnationId: "child",
          liveness: { ...(own.liveness as Local), pid, processStart: String(processStart) }
        }
        assert.strictEqual(yield* liveness.isDefinitelyDead(holder, own), false)
        const exited = once(child, "exit")
        child.kill("SIGKILL")
        yield* Effect.timeout(
          Effect.promise(() => exited),
          "5 seconds"
        )
        assert.strictEqual(yield* liveness.isDefinitelyDead(holder, own), true)
      })
    ).pipe(Effect.provide(OwnerEvidence.layer))
  )
})
