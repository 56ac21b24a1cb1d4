/**
 * An explanation as text for people: the reason first, then what would move the process, then the facts behind it.
 *
 * Lines are as long as they need to be; the caller wraps or cuts them.
 */
import { textOf as failureText } from "../model/Failure.ts"
import { quoted } from "../model/ids.ts"
import type { UnderWay } from "../model/JournalEntry.ts"
import type {
  Accepted,
  Detail,
  Explanation,
  FailureFacts,
  LeaseFacts,
  Reason,
  Sender,
  Verdict,
  WakeFacts
} from "./Explanation.ts"
import { ago, away, duration, engineName, holderName, moment, stateText, stepText } from "./remedies.ts"

/** One line: its role, which sets its indent, and its text. `command` is to be copied as it is. */
export interface Line {
  readonly role: "reason" | "heading" | "text" | "command"
  readonly text: string
}

/** The lines of an explanation. */
export const lines = (explanation: Explanation): ReadonlyArray<Line> => {
  const { processId, meaning, moves, detail } = explanation
  return [
    { role: "reason", text: `${processId}: ${meaning}` },
    ...(moves.length === 0 ? [] : [heading("What would move it")]),
    ...moves.flatMap(
      ({ by, sentence, command }): ReadonlyArray<Line> => [
        text(`${senderNames[by]}: ${sentence}`),
        ...(command === undefined ? [] : [{ role: "command" as const, text: command }])
      ]
    ),
    ...(detail === undefined ? [] : detailLines(detail, explanation.lookedAtMs))
  ]
}

/** The same as one text, indented and without colours. */
export const render = (explanation: Explanation): string =>
  lines(explanation)
    .map(({ role, text: said }) => `${indents[role]}${said}`)
    .join("\n")

/** How far each role is indented. */
export const indents: Readonly<Record<Line["role"], string>> = {
  reason: "",
  heading: "",
  text: "  ",
  command: "    $ "
}

/** A reason in a few words, for a row of a list. */
export const brief = (reason: Reason, nowMs: number): string => {
  switch (reason._tag) {
    case "Ended":
      return reason.problem === undefined ? reason.state : `${reason.state}: ${reason.problem}`
    case "Pruned":
      return `pruned (${reason.state})`
    case "Running":
      return reason.doing === undefined ? "running" : doing(reason.doing, nowMs)
    case "HeldByUnprovable":
      return `held by a host whose liveness is unknown${reason.doing === undefined ? "" : `, last seen in step ${reason.doing.name}`}`
    case "HolderDead":
      return `its holder is dead${left(reason.doing)}`
    case "LeaseLapsed":
      return `its lease expired${left(reason.doing)}`
    case "WaitingForSignal":
      return `waits for signal ${reason.name}${hostless(reason)}`
    case "WaitingForTimer":
      return `sleeps, wakes ${away(reason.dueAtMs, nowMs)}${hostless(reason)}`
    case "WaitingForChild":
      // What holds up the last of the chain says the same of those before it.
      return `waits for ${lastPart(reason.child)}${reason.leaf === undefined ? hostless(reason) : `: ${reason.leaf.state}`}`
    case "ChartWaits":
      // It may wait for the end of its child, or for an event meanwhile.
      return `waits in ${stateText(reason.state)}${reason.leaf === undefined ? "" : `; its child: ${reason.leaf.state}`}`
    case "ExternallyOwned":
      return "run by an external system"
    case "OutcomeUnknown":
      return `outcome unknown${left(reason.doing)}, needs you`
    case "AbandonWaitsForLease":
      return "to be abandoned, still held"
    case "AbandonDue":
      return "to be abandoned"
    case "CancelRequested":
      return "is being stopped"
    case "CancelDue":
      return "to be stopped"
    case "AttemptsExhausted":
      return reason.most === 1 ? "its one attempt is used up" : `its ${reason.most} attempts are used up`
    case "NoEngine":
      return `no engine ${reason.kind}`
    case "BackingOff":
      return `backs off, tries ${away(reason.untilMs, nowMs)}`
    case "BeginsLater":
      return `begins ${away(reason.atMs, nowMs)}`
    case "NoSlot":
      return "waits for a slot"
    case "DueNow":
      return `due for ${duration(nowMs - reason.sinceMs)}, no host took it${left(reason.doing)}`
  }
}

/** A step that runs: how long, and what its last try failed with. */
const doing = ({ name, sinceMs, tries, error }: UnderWay, nowMs: number): string =>
  `step ${name} for ${duration(nowMs - sinceMs)}${error === undefined ? "" : `, try ${tries}: ${error}`}`

const left = (step: UnderWay | undefined): string => (step === undefined ? "" : `, was in step ${step.name}`)

/** A child's id begins with its parent's. */
const lastPart = (id: string): string => id.slice(id.lastIndexOf("/") + 1)

const hostless = ({ noHost }: { readonly noHost?: unknown }): string => (noHost === undefined ? "" : ", no host")

/** What a sweep would do, as a clause. */
const verdictText = (verdict: Verdict): string => {
  switch (verdict._tag) {
    case "Run":
      return "take it and run it"
    case "Cancel":
      return "end it as cancelled"
    case "Exhausted":
      return "end it as failed, its attempts being used up"
    case "Abandon":
      return verdict.writer === "sweep"
        ? "end it as abandoned, its holder being dead"
        : "end it as abandoned, as was requested"
    case "Leave":
      return `leave it (${leaveTexts[verdict.why]})`
  }
}

const heading = (said: string): Line => ({ role: "heading", text: said })

const text = (said: string): Line => ({ role: "text", text: said })

const senderNames: Readonly<Record<Sender, string>> = {
  owner: "its holder",
  sweep: "a sweep",
  operator: "you",
  parent: "its parent",
  child: "a child",
  signal_sender: "a sender",
  timer: "a timer",
  external_system: "the external system",
  host: "a host"
}

const leaveTexts = {
  settled: "it has ended",
  externally_owned: "an external system runs it",
  busy: "a live host holds it",
  outcome_unknown: "its outcome is unknown",
  no_engine: "no engine on this host",
  not_yet: "its start time is still to come",
  at_rest: "its machine waits for an event"
} as const

const detailLines = (detail: Detail, nowMs: number): ReadonlyArray<Line> => [
  ...section("Failure", detail.failure === undefined ? [] : failureTexts(detail.failure)),
  heading("State"),
  ...detail.states.map(text),
  text(
    `${detail.disposition.replace("_", "-")}; attempt ${detail.attempts}${detail.maxAttempts === undefined ? "" : ` of at most ${detail.maxAttempts}`}`
  ),
  ...(detail.engine === undefined
    ? []
    : [text(`${engineName(detail.engine)} (${presenceTexts[detail.engine.presence]})`)]),
  ...(detail.dueAtMs === null ? [] : [text(`due ${moment(detail.dueAtMs)}`)]),
  ...requests(detail),
  ...section("Lease", detail.lease === undefined ? ["free"] : leaseTexts(detail.lease, nowMs)),
  ...section(
    "Open waits",
    detail.waits.map(
      ({ kind, sinceMs, deadlineMs }) =>
        `${kind.key}, since ${moment(sinceMs)} (${ago(sinceMs, nowMs)})${
          deadlineMs === undefined ? "" : `, until ${moment(deadlineMs)} (${away(deadlineMs, nowMs)})`
        }`
    )
  ),
  ...section(
    "Steps under way, by their last word",
    (detail.progress ?? []).map(
      ({ key, atMs, detail: said }) => `step ${key}, progress ${JSON.stringify(said)}, ${ago(atMs, nowMs)}`
    )
  ),
  ...section(
    "Under way",
    (detail.underWay ?? []).map((each) =>
      each.child === undefined
        ? `${stepText(each, nowMs)}, ${each.key}`
        : `waits for ${each.child} since ${moment(each.sinceMs)} (${ago(each.sinceMs, nowMs)})`
    )
  ),
  ...section("Children still running", detail.runningChildren),
  ...section(
    "Pending close requests to children",
    detail.closeRequests === undefined ? [] : [String(detail.closeRequests)]
  ),
  ...wakeLines(detail, nowMs),
  ...section("A sweep would now", sweepTexts(detail)),
  ...section("Events it accepts from here", detail.accepts.map(acceptedText))
]

const failureTexts = ({ class: kind, code, message, thrown }: FailureFacts): ReadonlyArray<string> => [
  `${message} (${kind}, ${code})`,
  ...(thrown === undefined ? [] : failureText(thrown).split("\n"))
]

const presenceTexts = {
  present: "on this host",
  missing: "not on this host",
  unknown: "unknown from a file"
} as const

const section = (title: string, texts: ReadonlyArray<string>): ReadonlyArray<Line> =>
  texts.length === 0 ? [] : [heading(title), ...texts.map(text)]

const requests = ({ cancelRequest, abandonRequest }: Detail): ReadonlyArray<Line> => [
  ...(cancelRequest === undefined
    ? []
    : [text(`cancel requested at ${moment(cancelRequest.requestedAtMs)}${because(cancelRequest.reason)}`)]),
  ...(abandonRequest === undefined
    ? []
    : [
        text(
          `abandonment requested by ${abandonRequest.requestedBy} at ${moment(abandonRequest.requestedAtMs)}${because(abandonRequest.reason)}`
        )
      ])
]

const because = (reason: string | null | undefined): string => (reason ? `: ${reason}` : "")

const leaseTexts = ({ holder, expiresAtMs, isExpired, liveness, fencingToken }: LeaseFacts, nowMs: number) => [
  `${holderName(holder)}, ${livenessTexts[liveness]}`,
  `${isExpired ? "expired" : "expires"} ${moment(expiresAtMs)} (${isExpired ? ago(expiresAtMs, nowMs) : away(expiresAtMs, nowMs)}), fence ${fencingToken}`
]

const livenessTexts = {
  dead: "proven dead",
  alive: "alive",
  unprovable: "neither provably dead nor seen alive"
} as const

const sweepTexts = ({ sweep: { looksNow, verdict, withoutEngine } }: Detail): ReadonlyArray<string> => {
  if (!looksNow && verdict._tag !== "Leave") return ["not look at it: only an event makes it due"]
  return withoutEngine === undefined
    ? [verdictText(verdict)]
    : [`${verdictText(verdict)}, where its engine is`, `${verdictText(withoutEngine)}, where it is not`]
}

const wakeLines = ({ wakes, earlierWakes }: Detail, nowMs: number): ReadonlyArray<Line> =>
  wakes.length === 0
    ? []
    : [
        heading("Unacknowledged wakes"),
        ...(earlierWakes === undefined ? [] : [text(`${earlierWakes} earlier ones, not shown`)]),
        ...wakes.flatMap((wake) => [
          text(
            `${wake.eventType} #${wake.sequence}${wake.targetScopeId === undefined ? "" : ` for ${wake.targetScopeId}`}: ${wakeText(wake, nowMs)}`
          ),
          ...(wake.state === "discarded" && wake.wakeId !== undefined
            ? [{ role: "command" as const, text: `holdfast redrive ${quoted(wake.wakeId)}` }]
            : [])
        ])
      ]

const wakeText = (wake: WakeFacts, nowMs: number): string => {
  switch (wake.state) {
    case "no_target":
      return "no session to wake"
    case "unacknowledged":
      return wake.wakeId === undefined ? "not acknowledged" : "delivered, not acknowledged"
    case "enqueuing":
      return `being delivered, attempt ${wake.attempts}`
    case "discarded":
      return `discarded, ${wake.discardReason === undefined ? "no reason is known" : discardTexts[wake.discardReason]}`
    case "pending":
      return wake.blockedBy === undefined
        ? pendingText(wake, nowMs)
        : `waits for ${wake.blockedBy}, which must be delivered or discarded first`
  }
}

const pendingText = ({ attempts, nextAttemptAtMs = 0 }: WakeFacts, nowMs: number): string =>
  nextAttemptAtMs <= nowMs
    ? `due since ${moment(nextAttemptAtMs)}, not delivered; is a host with a sink running?`
    : `not delivered by attempt ${attempts}, the next one is ${away(nextAttemptAtMs, nowMs)}`

const discardTexts: Readonly<Record<NonNullable<WakeFacts["discardReason"]>, string>> = {
  expired: "it could not be delivered in time",
  target_gone: "its session is gone",
  retargeted: "its message goes to another session"
}

const acceptedText = ({ eventType, from }: Accepted): string =>
  `${eventType}, from ${from.map((sender) => senderNames[sender].replace(/^you$/, "an operator")).join(", ")}`
