/**
 * The named points at which a child is ended or frozen. To add one, add a line to {@link points}.
 *
 * A point is told by what the writer's transaction wrote for one process: `registered`, `registered as child`,
 * `registered as owner-bound`, `claimed`, `renewed`, `released`, `owes children`, `was owed`, `event {type}`, `wake owed`,
 * `wake {state}` (of one wake), `journal {operation}`, `timer set`, `timer fired` (a deadline too), `passivated`,
 * and `owner-bound event {type}` for work that this OS process registered.
 */

/** How far the workload goes before the child under test would end by itself. */
export type Run = "whole" | "stop" | "hold" | "recovery"

/** Where in the transaction: right before COMMIT, right after it, or with writes for two processes and no COMMIT. */
export type Moment = "before" | "after" | "middle"

/** A point: the marks that one process must have in the transaction, and those it must not have (by their beginning). */
export interface Point {
  readonly has: ReadonlyArray<string>
  readonly without?: ReadonlyArray<string>
  /** @default whole */
  readonly run?: Run
  /** Whether several processes reach it in one group commit, whatever the timing. @default false */
  readonly grouped?: boolean
  /** Whether more than one commit of a run is this point; the long run then tries the second one, too. @default false */
  readonly again?: boolean
}

const started = "event process.started"

/** The points, by name. */
export const points = {
  register: { has: ["registered"], without: ["event"], grouped: true, again: true },
  start: { has: ["registered", "claimed", started], grouped: true, again: true },
  "start a child": { has: ["registered as child", started], grouped: true, again: true },
  "start owner-bound work": { has: ["registered as owner-bound", started] },
  claim: { has: ["claimed"], without: ["event"] },
  "begin an activation": { has: [started], without: ["claimed"] },
  "take over": { has: ["claimed", started], without: ["registered"], run: "recovery" },
  renew: { has: ["renewed"], run: "hold", again: true },
  "append as a body": { has: ["event note", "wake owed"] },
  "claim a wake": { has: ["wake enqueuing"], again: true },
  "settle a wake": { has: ["wake enqueued"], again: true },
  "record a step": { has: ["journal step"], again: true },
  "enter a wait": { has: ["event process.waiting"] },
  "set a timer": { has: ["timer set", "journal sleep"], grouped: true },
  "limit a wait": { has: ["timer set", "journal await_signal"] },
  "fire a timer": { has: ["timer fired"], grouped: true, again: true },
  passivate: { has: ["passivated", "released"] },
  signal: { has: ["event signal.go"], grouped: true },
  "resume a wait": { has: ["event process.resumed"], grouped: true },
  "request a cancel": { has: ["event process.cancel_requested"], grouped: true, again: true },
  "end as cancelled": { has: ["event process.cancelled"], again: true },
  "owe children": { has: ["owes children"] },
  "pay a debt": { has: ["was owed"], grouped: true },
  complete: { has: ["event process.completed", "released"], again: true },
  "complete owner-bound work": { has: ["owner-bound event process.completed"] },
  release: { has: ["released"], without: ["event"] },
  "hand back": { has: ["event process.suspended", "released"], run: "stop", grouped: true },
  abandon: { has: ["event process.abandoned"], run: "recovery" },
  "any commit": { has: [] }
} as const satisfies Readonly<Record<string, Point>>

/** The name of a point. */
export type PointName = keyof typeof points

/** What a child does at which occurrence of a point. */
export interface Plan {
  readonly point: PointName
  readonly moment: Moment
  /** 1 is the first. */
  readonly occurrence: number
  readonly signal: "SIGKILL" | "SIGSTOP"
}

/** The point of a name, with its optional fields. */
export const pointOf = (name: PointName): Point => points[name]

/** Whether what was written for one process is the point. */
export const matches = ({ has, without = [] }: Point, marks: ReadonlyArray<string>): boolean =>
  has.every((mark) => marks.includes(mark)) &&
  !without.some((beginning) => marks.some((mark) => mark.startsWith(beginning)))

/** The moments that a point has. */
export const momentsOf = ({ grouped = false }: Point): ReadonlyArray<Moment> =>
  grouped ? ["before", "middle", "after"] : ["before", "after"]
