/**
 * Laws of the sweep's verdict: the table, row by row, each look and act in one transaction.
 *
 * A row of the table is arranged as data: whose work it is, whether it began, what became of its lease, what was asked.
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
import { isFold, keptOf, logOf, writesNothing } from "../evidence.ts"
import { begin, claimed, freshOwner, freshProcess, longMs, recoverer, shortMs } from "../fixtures.ts"
import type { Law } from "../Law.ts"
import { expectEquals, LawClock, law } from "../Law.ts"

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

const rows = (
  name: string,
  section: string,
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

/** The laws of the verdict. */
export const laws: ReadonlyArray<Law> = [
  ...rows(
    "externally owned work without a request is left alone",
    "11 row 1",
    every,
    [external_, { ...external_, ...cancelled }],
    "Left externally_owned"
  ),

  ...rows(
    "externally owned work that was asked for is given up once nobody holds it",
    "11 row 2",
    free,
    [{ ...external_, ...asked }],
    "Abandoned on request"
  ),

  ...rows(
    "externally owned work is not given up while its lease is live",
    "11 row 3",
    ["live", "live, holder dead"],
    [{ ...external_, ...asked }],
    "Left busy"
  ),

  ...rows("rerunnable work that nobody holds runs, whatever was asked", "11 row 4", unproven, anyRerunnable, "Run"),

  ...rows("rerunnable work of a dead holder runs", "11 row 5", dead, anyRerunnable, "Run"),

  ...rows(
    "rerunnable work of a live holder is skipped",
    "11 row 6",
    ["live"],
    [...anyRerunnable, { ...rerunnable, ...cancelled }],
    "Left busy"
  ),

  ...rows(
    "owner-bound work that never began runs",
    "11 row 7",
    unproven,
    [unstarted, { ...unstarted, ...asked }],
    "Run"
  ),

  ...rows(
    "owner-bound work that a dead holder never began runs",
    "11 row 8",
    dead,
    [unstarted, { ...unstarted, ...asked }],
    "Run"
  ),

  ...rows(
    "owner-bound work that a live holder has not begun is skipped",
    "11 row 9",
    ["live"],
    [unstarted, { ...unstarted, ...asked }],
    "Left busy"
  ),

  ...rows(
    "owner-bound work that began is given up on proof of its holder's death",
    "11 row 10, R19",
    dead,
    [started, { ...started, ...asked }],
    "Abandoned by sweep: holder"
  ),

  ...rows(
    "owner-bound work that began is given up on request once nobody holds it",
    "11 row 11",
    unproven,
    [{ ...started, ...asked }],
    "Abandoned on request: first owner"
  ),

  ...rows(
    "time alone ends no owner-bound work",
    "11 row 12",
    unproven,
    [started, { ...started, ...cancelled }],
    "Left outcome_unknown"
  ),

  ...rows(
    "owner-bound work of a live holder is skipped, whatever was asked",
    "11 row 13",
    ["live"],
    [started, { ...started, ...asked }],
    "Left busy"
  ),

  ...rows(
    "cancelled work that never began ends without running",
    "R9",
    unproven,
    [
      { ...rerunnable, ...cancelled },
      { ...unstarted, ...cancelled }
    ],
    "Cancelled"
  ),

  ...rows(
    "cancelled work ends without running where its engine is missing",
    "R9",
    unproven,
    [{ ...rerunnable, started: true, ...cancelled, engine: "missing" }],
    "Cancelled"
  ),

  ...rows(
    "cancelled work that began runs again, so that it can compensate",
    "R9",
    unproven,
    [{ ...rerunnable, started: true, ...cancelled }],
    "Run"
  ),

  ...rows(
    "work whose engine is missing stays as it is",
    "R8",
    unproven,
    [
      { ...rerunnable, engine: "missing" },
      { ...unstarted, engine: "missing" },
      { ...rerunnable, started: true, engine: "missing" }
    ],
    "Left no_engine"
  )
]

/** The stable identity of whoever began first: not the one that holds the lease. */
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
    yield* expectEquals("the outcome", summaryOf(outcome, holder), expected)
    yield* expectEquals("the fence", after.fencingToken, (before.fencingToken ?? 0) + 1)
    yield* expectEquals("the log so far", after.log.slice(0, -1), before.log)
    yield* expectEquals("the answer", outcome._tag !== "Deferred" && outcome.row.sequence, after.sequence)
    if (outcome._tag === "Run") {
      yield* expectEquals("the lease", [after.lease, after.lease?.owner], [outcome.lease, by.claimant.owner])
      const began = (yield* logOf(id)).at(-1)
      yield* expectEquals("the activation", began?.replayKey, `process:${id}:started:${after.record?.activations}`)
      yield* expectEquals("its owner", after.record?.firstStarted?.owner, row.started ? first : by.owner)
    } else {
      yield* expectEquals("the lease", after.lease, undefined)
    }
    yield* isFold(id)
  })

const summaryOf = (outcome: RecoveryOutcome, holder?: LeaseOwner): string => {
  if (outcome._tag === "Run") return "Run"
  if (outcome._tag === "Deferred") return `Left ${outcome.reason.why}`
  const output: AwaitOutput | undefined = outcome.row.snapshot.context.output
  if (output?._tag !== "Abandoned") return output?._tag ?? "nothing"
  const { writer, owner } = output.evidence
  const named = owner?.incarnationId
  if (writer === "sweep") return `Abandoned by sweep: ${named === holder?.incarnationId ? "holder" : String(named)}`
  const whom = named === undefined ? "" : `: ${named === first.incarnationId ? "first owner" : named}`
  return `Abandoned on request${whom}`
}
