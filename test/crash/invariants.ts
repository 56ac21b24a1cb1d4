/**
 * What must hold after every trial, whatever was killed where.
 *
 * Each check answers the problems it finds, as sentences; none means that it held. They read
 * what a trial left (`remains.ts`) and the side log only.
 */
import type { Fact } from "./sideLog.ts"
import { only } from "./sideLog.ts"
import { sleeperOutput, sumOutput } from "./workload.ts"

/** One row as it ended. */
export interface Row {
  readonly pk: number
  readonly id: string
  readonly kind: string | null
  readonly disposition: string
  readonly lifecycle: string
  readonly output: unknown
}

/** One event of a log. */
export interface Event {
  readonly id: string
  readonly sequence: number
  readonly eventType: string
  readonly payload: string
  readonly occurredAtMs: number
}

/** One event that wakes, with its row in the outbox; `state` is null when it has none. */
export interface Wake {
  readonly source: string
  readonly wakeId: string | null
  readonly state: string | null
}

/** What a trial left behind. */
export interface Remains {
  readonly facts: ReadonlyArray<Fact>
  readonly rows: ReadonlyArray<Row>
  readonly events: ReadonlyArray<Event>
  readonly leases: number
  /** What is owed, by the id of the child. */
  readonly debts: ReadonlyArray<string>
  readonly wakes: ReadonlyArray<Wake>
  readonly differences: ReadonlyArray<string>
}

const ends = new Set(["process.completed", "process.failed", "process.cancelled", "process.abandoned"])

/** Also checked right after a crash, since the next host does again what is missing. */
export const acknowledged = "what was acknowledged is there"

/** The invariants, by the sentence that they are. */
export const invariants: Readonly<Record<string, (remains: Remains) => ReadonlyArray<string>>> = {
  "every row is the fold of its log": ({ differences }) => differences,

  "every process that a host may run ends exactly once, and nobody holds it": ({ rows, events, leases }) => [
    ...rows
      .filter(({ disposition }) => disposition !== "externally_owned")
      .flatMap(({ id }) => {
        const found = events.filter((event) => event.id === id && ends.has(event.eventType)).length
        return found === 1 ? [] : [`${id} has ${found} ends`]
      }),
    ...(leases === 0 ? [] : [`${leases} leases are held`])
  ],

  "every rerunnable process finishes, with the value it would have without a crash": ({ rows, events }) =>
    rows
      .filter(({ disposition }) => disposition === "rerunnable")
      .flatMap(({ id, kind, lifecycle, output }) => {
        const isCancelled = events.some((event) => event.id === id && event.eventType === "process.cancel_requested")
        // The gate may let the child go on in the moment in which it is asked to stop.
        const mayComplete = !isCancelled || kind === "held-child"
        const isExpected = (isCancelled && lifecycle === "cancelled") || (mayComplete && lifecycle === "completed")
        if (!isExpected) return [`${id} is ${lifecycle}`]
        const expected = kind === "sum" ? sumOutput : kind === "sleeper" ? sleeperOutput : output
        return output === expected ? [] : [`${id} completed with ${output}`]
      }),

  "every timer fires once, and not before its time": ({ events }) =>
    events.flatMap(({ id, eventType, payload }) => {
      if (eventType !== "process.waiting") return []
      const { wait } = JSON.parse(payload) as { readonly wait: WaitOnWire } // a wait's
      if (wait.deadline_ms === undefined) return []
      const firings = events.filter((event) => event.id === id && resumedKeyOf(event) === wait.kind.key)
      const early = firings.filter(({ occurredAtMs }) => occurredAtMs < (wait.deadline_ms ?? 0))
      return firings.length === 1 && early.length === 0
        ? []
        : [`${wait.kind.key} ended ${firings.length} times, ${early.length} of them too early`]
    }),

  "what a parent owed its children was paid: each was asked": ({ events, rows, debts }) => [
    ...debts.map((id) => `${id} is still owed a request`),
    ...rows
      .filter(({ kind }) => kind === "nest")
      .flatMap(({ id }) =>
        events.filter((event) => event.id === id && event.eventType === "process.cancel_requested").length === 1
          ? []
          : [`${id} was not asked once`]
      )
  ],

  "owner-bound work is started at most once, and ends as completed or abandoned": ({ facts, rows, events }) =>
    rows
      .filter(({ disposition }) => disposition === "owner_bound")
      .flatMap(({ id, lifecycle }) => {
        const begun = only(facts, "began").filter((fact) => fact.id === id).length
        const starts = events.filter((event) => event.id === id && event.eventType === "process.started").length
        const isEnd = lifecycle === "abandoned" || (lifecycle === "completed" && begun === 1)
        return begun <= 1 && starts <= 1 && isEnd
          ? []
          : [`${id} has ${starts} starts, its body began ${begun} times, and it is ${lifecycle}`]
      }),

  "fences only rise in the log, and no two bodies begin under the same one": ({ facts, events }) => {
    const started = events.filter(({ eventType }) => eventType === "process.started")
    const logged = started.map(({ id, payload }) => ({ id, fence: fenceOf(payload) }))
    // A body that was frozen before its first line begins late; what it may not do is share a fence.
    return [...notRising(logged), ...repeated(only(facts, "began").map(({ id, fence }) => `${id} ${fence}`))]
  },

  "a body begins only after the commit that says so": ({ facts, events }) => {
    const begun = new Set(
      events
        .filter(({ eventType }) => eventType === "process.started")
        .map(({ id, payload }) => `${id} ${fenceOf(payload)}`)
    )
    return only(facts, "began").flatMap(({ id, fence }) =>
      begun.has(`${id} ${fence}`) ? [] : [`${id} began under fence ${fence}, of which the log knows nothing`]
    )
  },

  [acknowledged]: ({ facts, rows, events }) => {
    const has = (id: string, eventType: string, sequence?: number) =>
      events.some(
        (event) =>
          event.id === id && event.eventType === eventType && (sequence === undefined || event.sequence === sequence)
      )
    return facts.flatMap((fact) => {
      const isThere =
        (fact.fact !== "registered" || rows.some(({ id }) => id === fact.id)) &&
        (fact.fact !== "appended" || has(fact.id, fact.eventType, fact.sequence)) &&
        (fact.fact !== "cancel requested" || has(fact.id, "process.cancel_requested")) &&
        (fact.fact !== "ended" || has(fact.id, `process.${fact.state}`))
      return isThere ? [] : [`${JSON.stringify(fact)} is not in the store`]
    })
  },

  "every wake is owed with its event, and delivered at least once, always under its own id": ({ facts, wakes }) =>
    wakes.flatMap(({ source, wakeId, state }) => {
      const ids = new Set(only(facts, "delivered").flatMap((fact) => (fact.source === source ? [fact.wakeId] : [])))
      return state === "enqueued" && ids.size === 1 && ids.has(wakeId ?? "")
        ? []
        : [`${source} is ${state ?? "owed to nobody"}, and was delivered as ${[...ids].join(", ") || "nothing"}`]
    }),

  "a zombie's writes are refused with LeaseLost and change nothing": ({ facts }) =>
    only(facts, "tried").flatMap(({ attempts }) =>
      attempts.flatMap(({ name, answer, changed }) => {
        // A release is by its token alone, and silent when it holds nothing. A context may have noticed that its body is over.
        const expected =
          name === "release" ? ["accepted"] : ["LeaseLost", ...(viaContext(name) ? ["OutsideProcess"] : [])]
        return expected.includes(answer) && changed.length === 0
          ? []
          : [`${name}: ${answer}${changed.map((row) => `, changed: ${row}`).join("")}`]
      })
    )
}

const viaContext = (name: string): boolean => / by (the context|its handle)$/.test(name)

/** This one is checked right after the crash, before another host writes. */
export const wholeTransactions = "a transaction is there as a whole or not at all"

/** What the log says of a wait, as far as its time goes. */
interface WaitOnWire {
  readonly kind: { readonly key: string }
  readonly deadline_ms?: number
}

const resumedKeyOf = ({ eventType, payload }: Event): string | undefined =>
  eventType === "process.resumed" ? (JSON.parse(payload) as { readonly wait_key: string }).wait_key : undefined // a resumption's

const fenceOf = (payload: string): number =>
  (JSON.parse(payload) as { readonly started: { readonly fencing_token: number } }).started.fencing_token // a start's

const notRising = (fences: ReadonlyArray<{ readonly id: string; readonly fence: number }>): ReadonlyArray<string> => {
  const last = new Map<string, number>()
  return fences.flatMap(({ id, fence }) => {
    const before = last.get(id) ?? 0
    last.set(id, fence)
    return fence > before ? [] : [`the fence of ${id} goes from ${before} to ${fence}`]
  })
}

const repeated = (names: ReadonlyArray<string>): ReadonlyArray<string> =>
  names.flatMap((name, index) => (names.indexOf(name) === index ? [] : [`${name} began twice`]))
