/**
 * A reason in two or three words, for a terminal that has no room for more.
 *
 * Invariant: closed over `Reason`, so its keys are all the names that a reason has.
 */
import type { Reason } from "../explain/Explanation.ts"
import { duration, stateText } from "../explain/remedies.ts"

type Short = {
  readonly [Tag in Reason["_tag"]]: (reason: Extract<Reason, { readonly _tag: Tag }>, nowMs: number) => string
}

/** The largest unit alone: `2 h`. */
const about = (ms: number): string => duration(ms).split(" ").slice(0, 2).join(" ")

const orphaned = ({ noHost }: { readonly noHost?: unknown }): string => (noHost === undefined ? "" : ", no host")

const step = (doing: { readonly name: string; readonly tries: number } | undefined): string =>
  doing === undefined ? "" : `${doing.name}${doing.tries > 1 ? ` try ${doing.tries}` : ""}`

const short: Short = {
  Ended: ({ state }) => state,
  Pruned: () => "pruned",
  Running: ({ doing }) => (doing === undefined ? "running" : `▶ ${step(doing)}`),
  HeldByUnprovable: ({ doing }) => `held elsewhere${doing === undefined ? "" : `: ${step(doing)}`}`,
  HolderDead: ({ doing }) => `host dead${doing === undefined ? "" : `: ${step(doing)}`}`,
  LeaseLapsed: ({ doing }) => `lease over${doing === undefined ? "" : `: ${step(doing)}`}`,
  WaitingForSignal: (reason) => `⏸ ${reason.name}${orphaned(reason)}`,
  WaitingForTimer: (reason, nowMs) => `⏲ ${about(reason.dueAtMs - nowMs)}${orphaned(reason)}`,
  WaitingForChild: (reason) => `↳ ${reason.child.split("/").at(-1) ?? reason.child}${orphaned(reason)}`,
  ChartWaits: ({ state }) => `⏸ in ${stateText(state)}`,
  ExternallyOwned: () => "external",
  OutcomeUnknown: () => "needs you",
  AbandonWaitsForLease: () => "giving up, held",
  AbandonDue: () => "giving up",
  CancelRequested: () => "stopping",
  CancelDue: () => "to be stopped",
  AttemptsExhausted: () => "no tries left",
  NoEngine: ({ kind }) => `no engine ${kind}`,
  BackingOff: ({ untilMs }, nowMs) => `↻ ${about(untilMs - nowMs)}`,
  BeginsLater: ({ atMs }, nowMs) => `begins in ${about(atMs - nowMs)}`,
  NoSlot: () => "no slot",
  DueNow: ({ sinceMs, doing }, nowMs) => `due ${about(nowMs - sinceMs)}${doing === undefined ? "" : `: ${step(doing)}`}`
}

/** A reason in two or three words. */
export const shortly = (reason: Reason, nowMs: number): string => short[reason._tag](reason as never, nowMs) // the key picks it

/** The name of a reason as JSON has it: `waiting_for_signal`. */
export const wireName = (tag: Reason["_tag"]): string => tag.replace(/(?!^)[A-Z]/g, "_$&").toLowerCase()

/** Every reason there is, by the name that JSON has. */
export const reasonNames: ReadonlyArray<string> = (Object.keys(short) as ReadonlyArray<Reason["_tag"]>).map(wireName) // its keys
