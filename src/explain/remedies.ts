/**
 * What each reason means and what would move the process, in sentences; with the command to type where there is one.
 *
 * Invariant: closed over `Reason`. No sentence promises what the sweep's verdict would not do.
 */
import type { Disposition } from "../../machines/recovery.ts"
import type { ProcessId } from "../model/ids.ts"
import { quoted } from "../model/ids.ts"
import type { UnderWay } from "../model/JournalEntry.ts"
import type { LeaseOwner } from "../model/Lease.ts"
import type { Leaf, Move, NoHost, Reason, Sender } from "./Explanation.ts"

/** What the sentences speak of besides the reason. */
export interface About {
  readonly id: ProcessId
  readonly nowMs: number
  readonly disposition: Disposition
  readonly engine?: { readonly kind: string; readonly version: string }
  readonly hasAbandonRequest: boolean
  readonly runningChildren: ReadonlyArray<ProcessId>
}

/** What a reason means, and what would move the process. */
export interface Remedies {
  readonly meaning: string
  readonly moves: ReadonlyArray<Move>
}

/** The meaning of a reason, and its remedies. */
export const remediesFor = (reason: Reason, about: About): Remedies => {
  const remedies = byReason[reason._tag](reason as never, about) // the key picks the matching reason
  return about.hasAbandonRequest && about.disposition === "rerunnable" && reason._tag !== "Ended"
    ? {
        ...remedies,
        meaning: `${remedies.meaning} The abandon request has no effect: work that may run again is not abandoned.`
      }
    : remedies
}

/** The first way to move it, as one sentence; an ended process has none. */
export const firstRemedy = ([first]: ReadonlyArray<Move>): string => first?.sentence ?? "It has ended."

/** A holder as people name it. */
export const holderName = ({ ownerId, liveness }: LeaseOwner): string =>
  liveness._tag === "LocalProcess" ? `${ownerId} (pid ${liveness.pid})` : ownerId

type ByReason = {
  readonly [Tag in Reason["_tag"]]: (reason: Extract<Reason, { readonly _tag: Tag }>, about: About) => Remedies
}

const move = (by: Sender, sentence: string, command?: string): Move => ({
  by,
  sentence,
  ...(command === undefined ? {} : { command })
})

const explained = (meaning: string, ...moves: ReadonlyArray<Move>): Remedies => ({ meaning, moves })

const cancel = ({ id }: About): Move =>
  move("operator", "Ask it to stop.", `holdfast cancel ${quoted(id)} --reason 'no longer needed'`)

const abandon = ({ id }: About): Move =>
  move(
    "operator",
    "Find out by other means what became of the work, then allow it to be abandoned; its outcome stays unknown.",
    `holdfast abandon ${quoted(id)} --reason 'checked by hand'`
  )

const sweeps = (sentence: string): ReadonlyArray<Move> => [
  move("sweep", sentence),
  move("operator", "Let a sweep look now; it needs no engine for this.", "holdfast sweep")
]

/** An engine as people name it; what the host's own code runs has no version. */
export const engineName = ({ kind, version }: { readonly kind: string; readonly version: string }): string =>
  version === "" ? `engine ${kind}` : `engine ${kind} version ${version}`

const hostWith = ({ engine }: About): string =>
  engine === undefined ? "a host that can run it" : `a host with ${engineName(engine)}`

const onDeadline = (deadlineAtMs: number | undefined, nowMs: number): ReadonlyArray<Move> =>
  deadlineAtMs === undefined ? [] : [move("timer", `Its deadline ends the wait ${away(deadlineAtMs, nowMs)}.`)]

/** That no host takes it up, behind what it waits for. */
const unattended = (noHost: NoHost | undefined, { nowMs }: About): string => {
  if (noHost === undefined) return ""
  const { holder, sinceMs } = noHost
  if (sinceMs === undefined) return ` Its host ${holder === undefined ? "" : `${holderName(holder)} `}is gone.`
  const since = `${moment(sinceMs)} (${ago(sinceMs, nowMs)})`
  return holder === undefined
    ? ` No host has taken it up since ${since}: is one running?`
    : ` The lease of ${holderName(holder)} expired at ${since}, and no host has taken it up: is one running?`
}

/** The step that a body is in, before anything else: mostly that is the reason. */
const inStep = (step: UnderWay | undefined, { nowMs }: About): string =>
  step === undefined ? "" : `Its body is in ${stepText(step, nowMs)}. `

/** The step that was under way when the lease was renewed last, under a host that may be gone since. */
const lastSeen = (step: UnderWay | undefined, { nowMs }: About): string =>
  step === undefined ? "" : ` When that host was last heard of, its body was in ${stepText(step, nowMs)}.`

/** The step that was under way when its host was last heard of. */
const leftStep = (step: UnderWay | undefined, { nowMs }: About): string =>
  step === undefined
    ? " "
    : ` Step ${step.name} began at ${moment(step.sinceMs)} (${ago(step.sinceMs, nowMs)}) and left no record${
        step.error === undefined ? "" : `; by then its last try had failed with ${step.error}`
      }. `

/** A step under way as a phrase: since when, which try, what the last one failed with, when the next one is. */
export const stepText = ({ name, sinceMs, tries, error, nextTryAtMs }: UnderWay, nowMs: number): string => {
  const next = nextTryAtMs === undefined || nextTryAtMs <= nowMs ? "" : `, the next is ${away(nextTryAtMs, nowMs)}`
  const failed = error === undefined ? "" : `: try ${tries}, the last failure was ${error}${next}`
  return `step ${name} since ${moment(sinceMs)} (${ago(sinceMs, nowMs)})${failed}`
}

/** The line that threw, and because of what. */
const threw = (thrownAt: string | undefined, cause: string | undefined): string => {
  const because = cause === undefined ? "" : `, caused by ${cause}`
  return thrownAt === undefined
    ? cause === undefined
      ? ""
      : ` It was caused by ${cause}.`
    : ` The line that threw: ${thrownAt}${because}.`
}

/** Where a chain of processes that wait for each other ends. */
const chain = (leaf: Leaf | undefined): string => (leaf === undefined ? "" : ` The chain: ${linksOf(leaf)}.`)

const linksOf = ({ through, processId, state }: Leaf): string => `${[...through, processId].join(" → ")}: ${state}`

const takenUp = (noHost: NoHost | undefined, about: About): ReadonlyArray<Move> =>
  noHost === undefined
    ? []
    : [move("host", `The next sweep of ${hostWith(about)} takes it up; what is sent before that is kept.`)]

const children = ({ runningChildren }: About): ReadonlyArray<Move> => {
  const [first] = runningChildren
  if (first === undefined) return []
  const count = runningChildren.length === 1 ? "1 child is" : `${runningChildren.length} children are`
  return [
    move(
      "child",
      `${count} still running; if its body awaits one, ask about that one.`,
      `holdfast explain ${quoted(first)}`
    )
  ]
}

/** A state as people write it: `paying`, `open.waiting`, both of a parallel one. */
export const stateText = (value: unknown): string =>
  typeof value === "string"
    ? value
    : Object.entries(value as Readonly<Record<string, unknown>>) // a state value is text or a record of them
        .map(([key, inner]) => {
          const within = stateText(inner)
          return within === "" ? key : `${key}.${within}`
        })
        .join(" and ")

const byReason: ByReason = {
  Ended: ({ state, problem, thrownAt, cause }) =>
    explained(
      `It has ended as ${state}${problem === undefined ? "" : ` (${problem})`}.${threw(thrownAt, cause)} An end is final: nothing moves it any more.`
    ),
  Pruned: ({ state, prunedAtMs }, { nowMs }) =>
    explained(`It ended as ${state} and was pruned ${ago(prunedAtMs, nowMs)}. Only its tombstone is left.`),
  Running: ({ holder, expiresAtMs, doing }, about) =>
    explained(
      `${inStep(doing, about)}${holderName(holder)} holds it and is alive, so its body runs; the lease lasts until ${moment(expiresAtMs)} and is renewed in time.`,
      move("owner", doing === undefined ? "Its body ends, or begins to wait." : `Its step ${doing.name} ends.`),
      ...children(about),
      cancel(about)
    ),
  HeldByUnprovable: ({ holder, expiresAtMs, doing }, about) =>
    explained(
      `${holderName(holder)} holds it until ${moment(expiresAtMs)}. Whether that host is alive is unknown here: it runs on another machine, or gives no evidence.${lastSeen(doing, about)}`,
      move("owner", "Its holder finishes, or renews the lease."),
      ...children(about),
      move(
        "sweep",
        about.disposition === "owner_bound"
          ? "Once the lease has expired, an operator must decide: it must not run twice."
          : `Once the lease has expired (${away(expiresAtMs, about.nowMs)} unless it is renewed), a sweep takes it.`
      ),
      cancel(about)
    ),
  HolderDead: ({ holder, doing }, about) =>
    about.disposition === "owner_bound"
      ? explained(
          `${holderName(holder)} ran it and is proven dead. ${leftStep(doing, about)}It must not run twice, so it will be abandoned.`,
          ...sweeps("The next sweep ends it as abandoned, with that evidence.")
        )
      : explained(
          `${holderName(holder)} ran it and is proven dead; the body is not running.${leftStep(doing, about).trimEnd()}`,
          move("sweep", `The next sweep of ${hostWith(about)} runs it again, as another attempt.`)
        ),
  LeaseLapsed: ({ holder, expiredAtMs, doing }, about) =>
    explained(
      `The lease of ${holderName(holder)} expired ${ago(expiredAtMs, about.nowMs)} and was not released.${leftStep(doing, about).trimEnd()}`,
      move("sweep", `The next sweep of ${hostWith(about)} runs it again.`),
      move("owner", "A holder that was only suspended re-acquires its lease, unless another held it in between.")
    ),
  WaitingForSignal: ({ name, sinceMs, deadlineAtMs, noHost }, about) =>
    explained(
      `It has waited for the signal ${name} since ${moment(sinceMs)} (${ago(sinceMs, about.nowMs)}).${unattended(noHost, about)}`,
      move(
        "signal_sender",
        `A sender sends it the signal ${name}.`,
        `holdfast signal ${quoted(about.id)} ${quoted(name)} --payload '{}'`
      ),
      ...onDeadline(deadlineAtMs, about.nowMs),
      ...takenUp(noHost, about),
      cancel(about)
    ),
  WaitingForTimer: ({ dueAtMs, noHost }, about) =>
    explained(
      `It sleeps until ${moment(dueAtMs)}.${unattended(noHost, about)}`,
      move("timer", `Its timer fires ${away(dueAtMs, about.nowMs)}, where a host is running.`),
      ...takenUp(noHost, about),
      cancel(about)
    ),
  WaitingForChild: ({ child, sinceMs, leaf, noHost }, about) =>
    explained(
      `It waits for ${child}${sinceMs === undefined ? "" : `, since ${moment(sinceMs)} (${ago(sinceMs, about.nowMs)})`}.${chain(leaf)}${unattended(noHost, about)}`,
      move("child", "That process ends.", `holdfast explain ${quoted(child)}`),
      ...(leaf === undefined || leaf.processId === child
        ? []
        : [move("child", "The last of the chain moves.", `holdfast explain ${quoted(leaf.processId)}`)]),
      ...takenUp(noHost, about),
      cancel(about)
    ),
  ChartWaits: ({ state, lastEventAtMs, signals, timer, children: started, leaf }, about) =>
    explained(
      `Its machine is in state ${stateText(state)} and waits for an event; the last one was at ${moment(lastEventAtMs)} (${ago(lastEventAtMs, about.nowMs)}).${leaf === undefined ? "" : ` Its child ${linksOf(leaf)}.`}`,
      ...signals.map((name) =>
        move(
          "signal_sender",
          `A sender sends it the event ${name}, if this state takes that.`,
          `holdfast send ${quoted(about.id)} ${quoted(name)} '{}'`
        )
      ),
      ...(timer === undefined
        ? []
        : [move("timer", `Its timer ${timer.id} fires ${away(timer.atMs, about.nowMs)}, where a host is running.`)]),
      ...started.map((child) => move("child", `Its child ${child} ends.`, `holdfast explain ${quoted(child)}`)),
      cancel(about)
    ),
  ExternallyOwned: (_reason, about) =>
    explained(
      "An external system runs the work; no host runs it, and no sweep ends it.",
      move("external_system", "The external system reports the end."),
      move(
        "operator",
        "If that system will never report, allow the process to be abandoned.",
        `holdfast abandon ${quoted(about.id)} --reason 'never reported'`
      )
    ),
  OutcomeUnknown: ({ startedBy, doing }, about) =>
    explained(
      `It was started${startedBy === undefined ? "" : ` by ${holderName(startedBy)}`} and its lease is free.${leftStep(doing, about)}It must not run twice, and its progress is unknown.`,
      abandon(about)
    ),
  AbandonWaitsForLease: ({ holder, expiresAtMs }, { nowMs }) =>
    explained(
      `Its abandonment was requested, but ${holderName(holder)} holds it until ${moment(expiresAtMs)}, and its lease is respected.`,
      move("owner", "Its holder ends it, or releases it."),
      move("sweep", `Once the lease has ended (${away(expiresAtMs, nowMs)} unless it is renewed), a sweep abandons it.`)
    ),
  AbandonDue: () =>
    explained(
      "Its abandonment was requested, and its lease is free.",
      ...sweeps("The next sweep ends it as abandoned.")
    ),
  CancelRequested: ({ holder }) =>
    explained(
      `It was asked to stop and ${holderName(holder)} runs it: its body is being interrupted, and its finalisers run.`,
      move("owner", "Its body ends: as cancelled, or as completed if it got there first.")
    ),
  CancelDue: ({ runs }, about) =>
    runs
      ? explained(
          "It was asked to stop between two activations.",
          move("sweep", `The next sweep of ${hostWith(about)} activates it once more, so that its body can clean up.`)
        )
      : explained(
          "It was asked to stop before it could run.",
          ...sweeps("The next sweep ends it as cancelled, without running it.")
        ),
  AttemptsExhausted: ({ attempts, most }) =>
    explained(
      `${attempts} of at most ${most} attempts left no result.`,
      ...sweeps("The next sweep ends it as failed (process_attempts_exhausted), without running it.")
    ),
  NoEngine: (engine, about) =>
    explained(
      `The host that was asked has no ${engineName(engine)}.`,
      move("host", `A host with ${engineName(engine)} starts; its first sweep runs it.`),
      cancel(about)
    ),
  BackingOff: ({ untilMs, failures, problem }, about) =>
    explained(
      `Starting it failed ${failures === 1 ? "once" : `${failures} times in a row`}, so it backs off until ${moment(untilMs)}. The last problem was "${problem}".`,
      move("sweep", `The first sweep after that (${away(untilMs, about.nowMs)}) tries again.`),
      cancel(about)
    ),
  BeginsLater: ({ atMs }, about) =>
    explained(
      `Its registered start is ${moment(atMs)}.`,
      move("sweep", `The first sweep after that (${away(atMs, about.nowMs)}) of ${hostWith(about)} runs it.`),
      cancel(about)
    ),
  NoSlot: ({ slots }, about) =>
    explained(
      `It could run, but all ${slots} slots of this host are taken.`,
      move("host", "A body of this host ends or begins to wait; queued processes are admitted in order."),
      move("host", "Another host, or a higher maxConcurrent, makes more room."),
      cancel(about)
    ),
  DueNow: ({ sinceMs, doing }, about) =>
    explained(
      `It could run, has been due since ${moment(sinceMs)} (${ago(sinceMs, about.nowMs)}), and no host has taken it.${leftStep(doing, about)}Is a host running?`,
      move("sweep", `The next sweep of ${hostWith(about)} runs it; hosts sweep every second by default.`),
      cancel(about)
    )
}

/** A moment, as `2026-03-01 12:00:00.000Z`. */
export const moment = (atMs: number): string => {
  const date = new Date(atMs)
  return Number.isNaN(date.getTime()) ? `${atMs} ms` : date.toISOString().replace("T", " ")
}

/** How long something takes, in its one or two largest units: `2 min 5 s`. */
export const duration = (ms: number): string => {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`
  const seconds = Math.floor(ms / 1_000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return two(minutes, "min", seconds % 60, "s")
  const hours = Math.floor(minutes / 60)
  if (hours < 48) return two(hours, "h", minutes % 60, "min")
  return two(Math.floor(hours / 24), "d", hours % 24, "h")
}

/** `2 min 5 s ago`. */
export const ago = (atMs: number, nowMs: number): string => `${duration(nowMs - atMs)} ago`

/** `in 2 min 5 s`, or `now`. */
export const away = (atMs: number, nowMs: number): string => (atMs <= nowMs ? "now" : `in ${duration(atMs - nowMs)}`)

const two = (large: number, unit: string, small: number, smallUnit: string): string =>
  small === 0 ? `${large} ${unit}` : `${large} ${unit} ${small} ${smallUnit}`
