/**
 * Everything that is measured, and the figures and targets that go with it.
 */
import { withoutBrowser } from "../inspector/browser.ts"
import { measureAppends, measureLogLength } from "./append.ts"
import type { RawVariant } from "./baseline.ts"
import { nameOf, variants } from "./baseline.ts"
import type { Contest, FigureSpec } from "./Contest.ts"
import { ofRaw, ofRun, reading } from "./Contest.ts"
import { crowdFigures, measureCrowd } from "./crowd.ts"
import { doorFigures, measureDoor } from "./door.ts"
import { elsewhereFigures, measureElsewhere } from "./elsewhere.ts"
import {
  childrenFigures,
  measureChildren,
  measureSignals,
  measureSteps,
  measureWaiting,
  signalFigures,
  stepFigures,
  waitingFigures
} from "./execution.ts"
import { loopHeldFigure } from "./HoldWatch.ts"
import { measureNews, measureTakeover, newsFigures, takeoverFigures, withoutServer } from "./hosts.ts"
import type { LifecycleOptions } from "./lifecycle.ts"
import { measureLifecycle } from "./lifecycle.ts"
import { coldStartFigures, measureColdStart, measureRenewal, renewalFigures } from "./ownership.ts"
import {
  busyPageFigures,
  measureBusyPage,
  measureOpening,
  measureVisible,
  openingFigures,
  visibleFigures
} from "./page.ts"
import { looksFigures, measureLooks, measurePayload, payloadFigures } from "./pageLooks.ts"
import { measureWorkflows } from "./peers.ts"
import { measureRecovery, recoveryFigures } from "./recovery.ts"
import { measureScale, scaleFigures } from "./scale.ts"
import {
  approvalFigures,
  eventFigures,
  measureActors,
  measureApprovals,
  measureEvents,
  measureResuming,
  measureWaitingMachines,
  resumingFigures,
  waitingMachineFigures
} from "./statecharts.ts"
import { measureSaturated, measureSubscription, subscriptionFigures } from "./subscription.ts"
import { measureTelemetry, telemetryFigures } from "./telemetry.ts"

const raw = (synchronous: "FULL" | "NORMAL", pairsPerCommit: 1 | 64): RawVariant => ({ synchronous, pairsPerCommit })

const baselineOnly = (baseline: RawVariant): Contest => ({ id: nameOf(baseline), baseline, figures: [] })

/** The figures of a baseline, whether it ran for itself or beside a subject. */
export const rawFigures: ReadonlyArray<FigureSpec> = [
  { name: "event + snapshot", unit: "pairs/s", value: reading("perSecond") },
  { name: "one commit, p50", unit: "ms", value: reading("p50Ms") },
  { name: "one commit, p99", unit: "ms", value: reading("p99Ms") },
  { name: "CPU time", unit: "us/pair", value: reading("cpuUs") }
]

/** Figures of W1 that are shown whatever the number of callers. */
const lifecycleFigures = (targets: {
  readonly throughput?: FigureSpec["target"]
  readonly p50?: FigureSpec["target"]
}): ReadonlyArray<FigureSpec> => [
  {
    name: "start to complete",
    unit: "processes/s",
    value: reading("perSecond"),
    against: ofRaw("perSecond"),
    ...(targets.throughput === undefined ? {} : { target: targets.throughput })
  },
  {
    name: "latency p50",
    unit: "ms",
    value: reading("p50Ms"),
    ...(targets.p50 === undefined ? {} : { against: ofRaw("p50Ms"), target: targets.p50 })
  },
  { name: "latency p99", unit: "ms", value: reading("p99Ms") },
  { name: "CPU time", unit: "us/process", value: reading("cpuUs"), against: ofRaw("cpuUs") },
  loopHeldFigure
]

const holdFigures: ReadonlyArray<FigureSpec> = [
  { name: "loop held by a batch, p99", unit: "ms", value: reading("batchP99Ms") },
  {
    name: "loop held by a batch, max",
    unit: "ms",
    value: reading("batchMaxMs"),
    target: { of: "figure", max: 20 }
  },
  { name: "turn with a batch, p99", unit: "ms", value: reading("turnP99Ms") },
  { name: "turn with a batch, max", unit: "ms", value: reading("turnMaxMs") }
]

const lifecycle = (id: string, options: LifecycleOptions, figures: ReadonlyArray<FigureSpec>): Contest => ({
  id,
  baseline: raw(options.synchronous, options.callers === 1 ? 1 : 64),
  measure: (folder, seconds) => measureLifecycle(folder, seconds, options),
  figures
})

/** All contests, in the order in which a round runs them. */
export const contests: ReadonlyArray<Contest> = [
  ...variants.map(baselineOnly),
  lifecycle("W1@1", { callers: 1, synchronous: "FULL" }, lifecycleFigures({ p50: { of: "ratio", max: 4 } })),
  lifecycle("W1@64", { callers: 64, synchronous: "FULL" }, [
    ...lifecycleFigures({ throughput: { of: "ratio", min: 0.2 } }),
    ...holdFigures
  ]),
  lifecycle("W1@64 NORMAL", { callers: 64, synchronous: "NORMAL" }, lifecycleFigures({})),
  lifecycle("W1@1000", { callers: 1_000, synchronous: "FULL" }, [...lifecycleFigures({}), ...holdFigures]),
  lifecycle("W1@1000 slots 1000", { callers: 1_000, synchronous: "FULL", maxConcurrent: 1_000 }, [
    ...lifecycleFigures({}),
    ...holdFigures
  ]),
  {
    id: "append@64",
    baseline: raw("FULL", 64),
    measure: measureAppends,
    figures: [{ name: "append an event", unit: "events/s", value: reading("perSecond"), against: ofRaw("perSecond") }]
  },
  {
    id: "append length",
    measure: measureLogLength,
    figures: [
      { name: "one append, 10 events in the log, p50", unit: "ms", value: reading("shortP50Ms") },
      {
        name: "one append, 10,000 events in the log, p50",
        unit: "ms",
        value: reading("longP50Ms"),
        against: ofRun("10 events", "shortP50Ms"),
        target: { of: "ratio", min: 0.8, max: 1.2 }
      }
    ]
  },
  { id: "scale", measure: measureScale, figures: scaleFigures },
  { id: "cold start", measure: measureColdStart, figures: coldStartFigures },
  { id: "renewal", measure: measureRenewal, figures: renewalFigures },
  {
    id: "W2@1",
    baseline: raw("FULL", 1),
    measure: measureSignals(1),
    figures: signalFigures({ p50: { of: "ratio", max: 4.5 } })
  },
  {
    id: "W2@64",
    baseline: raw("FULL", 64),
    measure: measureSignals(64),
    figures: signalFigures({ perSecond: { of: "ratio", min: 0.1 } })
  },
  { id: "W2 elsewhere", measure: measureElsewhere, figures: elsewhereFigures },
  { id: "W2 hosts", measure: measureNews("held"), figures: newsFigures, once: true, without: withoutServer },
  {
    id: "W2 hosts dormant",
    measure: measureNews("left memory"),
    figures: newsFigures,
    once: true,
    without: withoutServer
  },
  { id: "W4 hosts", measure: measureTakeover("seen"), figures: takeoverFigures, once: true, without: withoutServer },
  {
    id: "W4 hosts apart",
    measure: measureTakeover("unseen"),
    figures: takeoverFigures,
    once: true,
    without: withoutServer
  },
  { id: "W3", baseline: raw("FULL", 64), measure: measureChildren, figures: childrenFigures },
  { id: "W4@3000", measure: measureRecovery(3_000), figures: recoveryFigures, once: true },
  { id: "W4@10000", measure: measureRecovery(10_000), figures: recoveryFigures, once: true },
  { id: "W4@100000", measure: measureCrowd("left memory"), figures: crowdFigures, once: true },
  { id: "W4@100000 held", measure: measureCrowd("held"), figures: crowdFigures, once: true },
  { id: "W5", measure: measureWaiting, figures: waitingFigures, once: true },
  { id: "W6", measure: measureSteps, figures: stepFigures },
  {
    id: "M9@1",
    baseline: raw("FULL", 1),
    measure: measureEvents(1),
    figures: eventFigures({ p50: { of: "ratio", max: 3 } })
  },
  {
    id: "M9@64",
    baseline: raw("FULL", 64),
    measure: measureEvents(64),
    figures: eventFigures({ perSecond: { of: "ratio", min: 0.25 } })
  },
  { id: "M9 approval@1", baseline: raw("FULL", 1), measure: measureApprovals(1), figures: approvalFigures() },
  {
    id: "M9 approval@1 @effect/workflow",
    baseline: raw("FULL", 1),
    measure: measureWorkflows(1),
    figures: approvalFigures(),
    isPeer: true
  },
  {
    id: "M9 approval@64",
    baseline: raw("FULL", 64),
    measure: measureApprovals(64),
    figures: approvalFigures({ of: "ratio", min: 0.15 })
  },
  {
    id: "M9 approval@64 @effect/workflow",
    baseline: raw("FULL", 64),
    measure: measureWorkflows(64),
    figures: approvalFigures(),
    isPeer: true
  },
  { id: "M9 approval in memory", baseline: raw("FULL", 64), measure: measureActors, figures: approvalFigures() },
  { id: "M9 resuming", measure: measureResuming, figures: resumingFigures },
  { id: "M9 waiting", measure: measureWaitingMachines, figures: waitingMachineFigures, once: true },
  { id: "page opening", measure: measureOpening, figures: openingFigures, without: withoutBrowser },
  { id: "page looks", measure: measureLooks, figures: looksFigures, without: withoutBrowser },
  { id: "page payload", measure: measurePayload, figures: payloadFigures, without: withoutBrowser },
  { id: "page live", measure: measureVisible, figures: visibleFigures, without: withoutBrowser },
  { id: "page busy", measure: measureBusyPage, figures: busyPageFigures, without: withoutBrowser },
  { id: "subscriber", measure: measureSubscription, figures: subscriptionFigures({ p50: { of: "ratio", max: 1.05 } }) },
  {
    id: "subscriber unpaced",
    measure: measureSaturated,
    figures: subscriptionFigures({ perSecond: { of: "ratio", min: 0.95 } })
  },
  { id: "telemetry", measure: measureTelemetry, figures: telemetryFigures },
  { id: "door", measure: measureDoor, figures: doorFigures }
]

/**
 * The contests of a choice, names with commas between them: for each the one with exactly this name, or all whose name begins so.
 * Case does not matter.
 */
export const chosen = (only = ""): ReadonlyArray<Contest> => {
  const meant = only.split(",").flatMap((name) => {
    const wanted = name.toLowerCase()
    const exact = contests.filter(({ id }) => id.toLowerCase() === wanted)
    return exact.length > 0 ? exact : contests.filter(({ id }) => id.toLowerCase().startsWith(wanted))
  })
  return contests.filter((contest) => meant.includes(contest))
}
