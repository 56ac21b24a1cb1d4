/**
 * Laws of recovery: the verdict table, row by row, and what its outcomes write.
 */
import * as Effect from "effect/Effect"
import type { Disposition } from "../../../machines/recovery.ts"
import type { AwaitOutput } from "../../model/AwaitOutput.ts"
import type { LeaseOwner } from "../../model/Lease.ts"
import { Activations } from "../../operations/Activations.ts"
import { external } from "../../operations/decisions/authority.ts"
import type { RecoveryOutcome } from "../../operations/decisions/recover.ts"
import { Leases } from "../../operations/Leases.ts"
import { ProcessRegistry } from "../../operations/ProcessRegistry.ts"
import { isFold, keptOf, logOf, recordOf, refused, rowOf, typesOf, writesNothing } from "../evidence.ts"
import {
  begin,
  claimed,
  freshId,
  freshOwner,
  freshProcess,
  leasedProcess,
  longMs,
  outputs,
  recoverer,
  shortMs
} from "../fixtures.ts"
import type { Law } from "../Law.ts"
import { expectEquals, LawClock, law, lawsOf } from "../Law.ts"

type LeaseHistory = "never" | "released" | "lapsed" | "lapsed, holder dead" | "live" | "live, holder dead"

interface Arrangement {
  readonly disposition: Disposition
  readonly started?: true
  readonly lease: LeaseHistory
  readonly abandonRequested?: true
  readonly cancelRequested?: true
  readonly engine?: "missing"
}

type Expected = "Run" | "Left busy" | "Left externally_owned" | "Left outcome_unknown" | "Left no_engine" | Ending

/** How it ends, and whom the evidence names. */
type Ending = "Cancelled" | "Abandoned by sweep: holder" | "Abandoned on request: first owner" | "Abandoned on request"

const free = ["never", "released", "lapsed", "lapsed, holder dead"] as const
const unproven = ["never", "released", "lapsed"] as const
const dead = ["live, holder dead", "lapsed, holder dead"] as const
const every = [...free, "live", "live, holder dead"] as const

const section = "What happens when: The host and its machine"

const rows = (
  name: string,
  leases: ReadonlyArray<LeaseHistory>,
  cases: ReadonlyArray<Omit<Arrangement, "lease">>,
  expected: Expected
): ReadonlyArray<Law> =>
  leases.map((lease) =>
    law(
      `${name} (lease: ${lease})`,
      section,
      Effect.forEach(cases, (row) => recovers({ ...row, lease }, expected))
    )
  )

const external_ = { disposition: "externally_owned" } as const
const rerunnable = { disposition: "rerunnable" } as const
const unstarted = { disposition: "owner_bound" } as const
const started = { disposition: "owner_bound", started: true } as const
const asked = { abandonRequested: true } as const
const cancelled = { cancelRequested: true } as const
const anyRerunnable = [rerunnable, { ...rerunnable, ...asked }, { ...rerunnable, started: true }] as const

const verdictLaws: ReadonlyArray<Law> = [
  ...rows(
    "externally owned work without a request is left alone",
    every,
    [external_, { ...external_, ...cancelled }],
    "Left externally_owned"
  ),

  ...rows(
    "externally owned work with a request is given up once it has no holder",
    free,
    [{ ...external_, ...asked }],
    "Abandoned on request"
  ),

  ...rows(
    "externally owned work is not given up while its lease is live",
    ["live", "live, holder dead"],
    [{ ...external_, ...asked }],
    "Left busy"
  ),

  ...rows("rerunnable work without a holder runs, whatever was asked", unproven, anyRerunnable, "Run"),

  ...rows("rerunnable work of a dead holder runs", dead, anyRerunnable, "Run"),

  ...rows(
    "rerunnable work of a live holder is skipped",
    ["live"],
    [...anyRerunnable, { ...rerunnable, ...cancelled }],
    "Left busy"
  ),

  ...rows("owner-bound work that never began runs", unproven, [unstarted, { ...unstarted, ...asked }], "Run"),

  ...rows("owner-bound work that a dead holder never began runs", dead, [unstarted, { ...unstarted, ...asked }], "Run"),

  ...rows(
    "owner-bound work that a live holder has not begun is skipped",
    ["live"],
    [unstarted, { ...unstarted, ...asked }],
    "Left busy"
  ),

  ...rows(
    "owner-bound work that began is given up on proof of its holder's death",
    dead,
    [started, { ...started, ...asked }],
    "Abandoned by sweep: holder"
  ),

  ...rows(
    "owner-bound work that began is given up on request once it has no holder",
    unproven,
    [{ ...started, ...asked }],
    "Abandoned on request: first owner"
  ),

  ...rows(
    "time alone ends no owner-bound work",
    unproven,
    [started, { ...started, ...cancelled }],
    "Left outcome_unknown"
  ),

  ...rows(
    "owner-bound work of a live holder is skipped, whatever was asked",
    ["live"],
    [started, { ...started, ...asked }],
    "Left busy"
  ),

  ...rows(
    "cancelled work that never began ends without running",
    unproven,
    [
      { ...rerunnable, ...cancelled },
      { ...unstarted, ...cancelled }
    ],
    "Cancelled"
  ),

  ...rows(
    "cancelled work ends without running where its engine is missing",
    unproven,
    [{ ...rerunnable, started: true, ...cancelled, engine: "missing" }],
    "Cancelled"
  ),

  ...rows(
    "cancelled work that began runs again, so that it can compensate",
    unproven,
    [{ ...rerunnable, started: true, ...cancelled }],
    "Run"
  ),

  ...rows(
    "work whose engine is missing stays as it is",
    unproven,
    [
      { ...rerunnable, engine: "missing" },
      { ...unstarted, engine: "missing" },
      { ...rerunnable, started: true, engine: "missing" }
    ],
    "Left no_engine"
  )
]

/** The stable identity of the first owner: not the one that holds the lease. */
const first: LeaseOwner = { ownerId: "first", incarnationId: "life", liveness: { _tag: "Opaque" } }

const arrange = (row: Arrangement) =>
  Effect.gen(function* () {
    const registry = yield* ProcessRegistry
    const leases = yield* Leases
    const clock = yield* LawClock
    const id = yield* freshProcess(row.disposition)
    const holder = yield* freshOwner("holder")
    if (row.lease === "never") {
      if (row.started) yield* registry.recordFirstStarted(id, { owner: first, startedAtMs: 1 })
    } else {
      const lease = yield* claimed(id, holder, row.lease.startsWith("lapsed") ? shortMs : longMs)
      if (row.started) yield* begin(lease, first)
      if (row.lease === "released") yield* leases.completeProcessLease({ processId: id, leaseToken: lease.leaseToken })
    }
    if (row.abandonRequested)
      yield* registry.requestProcessAbandon(id, { requestedBy: "operator", requestedAtMs: 1 }, external)
    if (row.cancelRequested) yield* registry.requestProcessCancel(id, "stop", external)
    if (row.lease.startsWith("lapsed")) yield* clock.advance(shortMs)
    return { id, holder }
  })

const recovers = (row: Arrangement, expected: Expected) =>
  Effect.gen(function* () {
    const activations = yield* Activations
    const { id, holder } = yield* arrange(row)
    const before = yield* keptOf(id)
    const by = yield* recoverer({
      ...(row.lease.endsWith("dead") ? { dead: [yield* freshOwner(), holder] } : {}),
      ...(row.engine ? { engine: row.engine } : {})
    })
    if (expected.startsWith("Left")) {
      const outcome = yield* writesNothing([id], activations.recover(id, by))
      yield* expectEquals("the outcome", summaryOf(outcome), expected)
      return
    }
    const outcome = yield* activations.recover(id, by)
    const after = yield* keptOf(id)
    const { output } = (yield* rowOf(id)).snapshot.context
    yield* expectEquals("the outcome", summaryOf(outcome, output, holder), expected)
    yield* expectEquals("the fence", after.fencingToken, (before.fencingToken ?? 0) + 1)
    yield* expectEquals("the log so far", after.log.slice(0, -1), before.log)
    if (outcome._tag === "Run") {
      yield* expectEquals("the answer", outcome.row.sequence, after.sequence)
      yield* expectEquals("the lease", [after.lease, after.lease?.owner], [outcome.lease, by.claimant.owner])
      const began = (yield* logOf(id)).at(-1)
      yield* expectEquals("the activation", began?.replayKey, `process:${id}:started:${after.record?.activations}`)
      yield* expectEquals("its owner", after.record?.firstStarted?.owner, row.started ? first : by.owner)
    } else {
      yield* expectEquals("the lease", after.lease, undefined)
    }
    yield* isFold(id)
  })

const summaryOf = (outcome: RecoveryOutcome, output?: AwaitOutput, holder?: LeaseOwner): string => {
  if (outcome._tag === "Run") return "Run"
  if (outcome._tag === "Deferred") return `Left ${outcome.reason.why}`
  if (output?._tag !== "Abandoned") return output?._tag ?? "nothing"
  const { writer, owner } = output.evidence
  const named = owner?.incarnationId
  if (writer === "sweep") return `Abandoned by sweep: ${named === holder?.incarnationId ? "holder" : String(named)}`
  const whom = named === undefined ? "" : `: ${named === first.incarnationId ? "first owner" : named}`
  return `Abandoned on request${whom}`
}

const recoveryLaws: ReadonlyArray<Law> = lawsOf(section, {
  *"an ended process is left as it is, also where it has a holder"({ activations, registry }) {
    const { id, lease } = yield* leasedProcess()
    yield* registry.completeProcessWithLease(lease, outputs.Success)
    const left = { _tag: "Deferred", reason: { why: "settled" } }
    yield* expectEquals("free", yield* writesNothing([id], activations.recover(id, yield* recoverer())), left)
    const holder = yield* freshOwner()
    yield* claimed(id, holder)
    const sweep = activations.recover(id, yield* recoverer({ dead: [holder] }))
    yield* expectEquals("held by a dead one", yield* writesNothing([id], sweep), left)
  },

  *"an unknown process is not recovered"({ activations }) {
    const id = yield* freshId
    yield* refused("it", "ProcessUnknown", [id], activations.recover(id, yield* recoverer()))
  },

  *"of racing sweeps one runs the row and the others find it busy"({ activations }) {
    const id = yield* freshProcess()
    const sweeps = yield* Effect.all(Array.from({ length: 6 }, () => recoverer()))
    const outcomes = yield* Effect.forEach(sweeps, (by) => activations.recover(id, by), { concurrency: "unbounded" })
    yield* expectEquals("the outcomes", outcomes.map((outcome) => outcome._tag).sort(), [
      "Deferred",
      "Deferred",
      "Deferred",
      "Deferred",
      "Deferred",
      "Run"
    ])
    yield* expectEquals("the log", yield* typesOf(id), ["process.started"])
  },

  *"when the attempts are used up, the next one fails the process without running it"({ activations, clock }) {
    const id = yield* freshProcess("rerunnable", { maxAttempts: 2 })
    for (const activation of [1, 2]) {
      const by = yield* recoverer()
      const outcome = yield* activations.recover(id, { ...by, claimant: { ...by.claimant, ttlMs: shortMs } })
      yield* expectEquals(`activation ${activation}`, outcome._tag, "Run")
      yield* clock.advance(shortMs)
    }
    const outcome = yield* activations.recover(id, yield* recoverer())
    yield* expectEquals("the outcome", [outcome._tag, outcome._tag === "Ended" && outcome.as], ["Ended", "failed"])
    const { status, attempts } = yield* recordOf(id)
    const output = status._tag === "Failed" && status.output._tag === "Failure" ? status.output : undefined
    yield* expectEquals("the failure", [output?.class, output?.code], ["resource_limit", "process_attempts_exhausted"])
    yield* expectEquals("the attempts", attempts, 2)
    yield* expectEquals("the log", yield* typesOf(id), ["process.started", "process.started", "process.failed"])
    yield* isFold(id)
  },

  *"a request to cancel goes before attempts that are used up"({ activations, clock, registry }) {
    const id = yield* freshProcess("rerunnable", { maxAttempts: 1 })
    const by = yield* recoverer()
    yield* activations.recover(id, { ...by, claimant: { ...by.claimant, ttlMs: shortMs } })
    yield* registry.requestProcessCancel(id, "stop", external)
    yield* clock.advance(shortMs)
    yield* activations.recover(id, yield* recoverer())
    const output = { _tag: "Cancelled", message: "stop" }
    yield* expectEquals("the status", (yield* recordOf(id)).status, { _tag: "Cancelled", output })
  },

  *"an attempt that was handed back is not used up"({ activations }) {
    const id = yield* freshProcess("rerunnable", { maxAttempts: 1 })
    for (const activation of [1, 2, 3]) {
      const outcome = yield* activations.recover(id, yield* recoverer())
      yield* expectEquals(`activation ${activation}`, outcome._tag, "Run")
      if (outcome._tag === "Run") yield* activations.suspend(outcome.lease, "handed_back")
    }
  },

  *"a cancellation that a sweep carries out forwards its reason"({ activations, registry }) {
    const id = yield* freshProcess()
    yield* registry.requestProcessCancel(id, "not needed any more", external)
    yield* activations.recover(id, yield* recoverer())
    const output = { _tag: "Cancelled", message: "not needed any more" }
    yield* expectEquals("the status", (yield* recordOf(id)).status, { _tag: "Cancelled", output })
  },

  *"a death that is proven of another life of the holder proves nothing"({ activations }) {
    const { id, owner } = yield* leasedProcess()
    const by = yield* recoverer({ dead: [{ ...owner, incarnationId: "another" }] })
    const outcome = yield* writesNothing([id], activations.recover(id, by))
    yield* expectEquals("the outcome", outcome, { _tag: "Deferred", reason: { why: "busy", holder: owner.ownerId } })
  }
})

/** The laws of this file, by subject. */
export const laws: ReadonlyArray<Law> = [...verdictLaws, ...recoveryLaws]
