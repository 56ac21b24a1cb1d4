/**
 * Reads what an explanation depends on beside the row: who lives, what the body has under way, and what that waits for.
 *
 * Invariant: a chain of processes that wait for each other is followed to its end, and a circle of them is cut where it closes.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { ChartState } from "../../machines/chart/state.ts"
import { isDormant, isStarted } from "../../machines/process/lifecycle.ts"
import type { StoreError } from "../model/errors.ts"
import type { ProcessId } from "../model/ids.ts"
import type { UnderWay } from "../model/JournalEntry.ts"
import { apart, stillUnderWay } from "../model/JournalEntry.ts"
import type { LeaseOwner } from "../model/Lease.ts"
import type { Registration } from "../model/Registration.ts"
import { OwnerLiveness } from "../operations/OwnerLiveness.ts"
import type { ProcessRow } from "../store/Decision.ts"
import { runsAs } from "../store/Decision.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import type { Leaf } from "./Explanation.ts"
import type { Facts } from "./reason.ts"
import { reasonOf } from "./reason.ts"
import type { Redact } from "./redaction.ts"
import { redactRow } from "./redaction.ts"
import { brief } from "./render.ts"

/** What an explanation may use beyond the store: a live host knows its engines, slots and bodies, a bare file does not. */
export interface ExplainOptions {
  readonly engine: (registration: Registration) => "present" | "missing" | "unknown"
  readonly slots: () => Facts["slots"]
  /** What the body of a process has under way, where it runs here. */
  readonly underWay?: (id: ProcessId) => ReadonlyArray<UnderWay> | undefined
  /** Hides what people and bodies wrote: reasons of requests, problems of a start. @default shows it */
  readonly redact?: Redact
}

/** One look at processes: when, from where, and with what knowledge. */
export interface Look {
  readonly nowMs: number
  readonly self: LeaseOwner
  readonly view: ExplainOptions
  /** Whether an owner is proven dead; each is looked at once. */
  readonly isDead: (owner: LeaseOwner) => Effect.Effect<boolean>
}

/** Begins to look. */
export const look = (view: ExplainOptions): Effect.Effect<Look, never, OwnerLiveness> =>
  Effect.gen(function* () {
    const liveness = yield* OwnerLiveness
    const self = yield* liveness.identify("holdfast:explain")
    const known = new Map<string, boolean>()
    return {
      nowMs: yield* Clock.currentTimeMillis,
      self,
      view,
      isDead: (owner) => {
        const key = JSON.stringify(owner)
        const before = known.get(key)
        return before === undefined
          ? Effect.tap(liveness.isDefinitelyDead(owner, self), (dead) => Effect.sync(() => known.set(key, dead)))
          : Effect.succeed(before)
      }
    }
  })

/** What surrounds a row in the store. */
export type Around = Pick<Facts, "wakes" | "runningChildren" | "closeRequests" | "progress">

/** Nothing around it. */
export const alone: Around = { wakes: { wakes: [], earlier: 0 }, runningChildren: [], closeRequests: 0, progress: [] }

/** The facts of a row, besides what surrounds it. */
export const factsOf = (
  row: ProcessRow,
  { nowMs, self, view, isDead }: Look
): Effect.Effect<Omit<Facts, keyof Around | keyof Doing>> => {
  const holder = row.lease.held?.owner
  return Effect.map(holder === undefined ? Effect.succeed(false) : isDead(holder), (dead) => ({
    row: view.redact === undefined ? row : redactRow(row, view.redact),
    nowMs,
    self,
    dead: holder !== undefined && dead ? [holder] : [],
    engine: view.engine(runsAs(row)),
    slots: view.slots()
  }))
}

/** What the body of a process has under way, which process it waits for, and how a child of its machine is. */
export type Doing = Pick<Facts, "underWay" | "awaits" | "runsHere" | "invoked">

/** Reads what a body has under way: from the worker that runs it, else what was kept of it last. */
export const doingOf = (
  row: ProcessRow,
  look: Look,
  above: ReadonlySet<ProcessId> = new Set()
): Effect.Effect<Doing, StoreError, ProcessStore> =>
  Effect.gen(function* () {
    const { snapshot, base } = row
    const { id } = base.registration
    const live = look.view.underWay?.(id)
    const here = live === undefined ? {} : { runsHere: true }
    const { chart } = snapshot.context
    if (chart !== undefined && snapshot.status === "active") {
      const invoked = yield* invokedBy(chart, look, new Set([...above, id]))
      return { underWay: [], ...here, ...(invoked === undefined ? {} : { invoked }) }
    }
    if (snapshot.status !== "active" || !isStarted(snapshot)) return { underWay: [], ...here }
    const underWay = (live ?? (yield* keptOf(row))).map((operation) => redacted(operation, look.view.redact))
    const waiting = underWay.find(({ child }) => child !== undefined)
    const child = waiting?.child ?? (yield* leftWaitingFor(row))
    if (child === undefined) return { underWay, ...here }
    const leaf = yield* leafOf(child, look, new Set([...above, id]))
    const since = waiting === undefined ? {} : { sinceMs: waiting.sinceMs }
    return { underWay, ...here, awaits: { child, ...since, ...(leaf === undefined ? {} : { leaf }) } }
  })

const redacted = (operation: UnderWay, redact: Redact | undefined): UnderWay =>
  redact === undefined || operation.error === undefined
    ? operation
    : { ...operation, error: String(redact(operation.error)) }

/** What was kept of the last activation, without what has ended since. */
export const keptOf = ({ base, lease }: ProcessRow): Effect.Effect<ReadonlyArray<UnderWay>, StoreError, ProcessStore> =>
  Effect.gen(function* () {
    const { id } = base.registration
    const { execution } = yield* ProcessStore
    const { kept } = apart(yield* execution.progress(id), lease.fencingToken)
    if (kept.length === 0) return []
    const over = new Set<ProcessId>()
    for (const { child } of kept) if (child !== undefined && !(yield* isRunning(child))) over.add(child)
    const journal = kept.some(({ operation }) => operation === "step") ? yield* execution.journal(id) : []
    return stillUnderWay(kept, journal, (child) => over.has(child))
  })

/** A body that left memory and has no open wait waits for a child. */
const leftWaitingFor = ({
  base,
  snapshot,
  dueAtMs
}: ProcessRow): Effect.Effect<ProcessId | undefined, StoreError, ProcessStore> =>
  isDormant(snapshot) && dueAtMs === null && snapshot.context.waits.length === 0
    ? Effect.flatMap(ProcessStore, ({ children }) =>
        Effect.map(
          children.of(base.registration.id),
          (of) => of.find(({ lifecycle }) => lifecycle === "running")?.processId
        )
      )
    : Effect.succeed(undefined)

const isRunning = (id: ProcessId): Effect.Effect<boolean, StoreError, ProcessStore> =>
  Effect.flatMap(ProcessStore, (store) =>
    Effect.map(store.find(id), (found) => found._tag === "Present" && found.row.snapshot.status === "active")
  )

/** How the first child of a machine is that still runs. */
const invokedBy = (
  { children }: ChartState,
  look: Look,
  above: ReadonlySet<ProcessId>
): Effect.Effect<Leaf | undefined, StoreError, ProcessStore> =>
  Effect.gen(function* () {
    for (const { process } of Object.values(children)) {
      const child = process as ProcessId // written from a child's id
      if (yield* isRunning(child)) return yield* leafOf(child, look, above)
    }
    return undefined
  })

/** Longer chains than any program has are damage. */
const longestChain = 1_000

const leafOf = (
  child: ProcessId,
  look: Look,
  above: ReadonlySet<ProcessId>
): Effect.Effect<Leaf | undefined, StoreError, ProcessStore> =>
  Effect.gen(function* () {
    if (above.has(child)) return { processId: child, through: [], state: "waits in a circle: nothing moves it" }
    const store = yield* ProcessStore
    const found = yield* store.find(child)
    if (found._tag !== "Present" || above.size > longestChain) return undefined
    const doing = yield* doingOf(found.row, look, above)
    const reason = reasonOf({ ...alone, ...(yield* factsOf(found.row, look)), ...doing })
    const further = reason._tag === "WaitingForChild" ? reason.leaf : undefined
    return further === undefined
      ? { processId: child, through: [], state: brief(reason, look.nowMs) }
      : { ...further, through: [child, ...further.through] }
  })
