/**
 * Random bodies as data: programs over everything that a context offers.
 *
 * Invariant: every node has a number of its own, by which its operations are named. What a program does outside of its context
 * has no order that a journal knows; so there is nothing of that in a race, nor under a time limit of the program's own, nor beside
 * what may fail, or leaves a wait behind: that would be a race, too.
 */
import * as FC from "effect/FastCheck"
import * as Schema from "effect/Schema"
import * as Signal from "../../runtime/engine/Signal.ts"

/**
 * How the effect of a step goes. `flaky` fails the first time that it is run, and succeeds afterwards; `odd` throws something
 * that is hardly an error; `unrecordable` has a value that is not JSON.
 */
export type Going = "ok" | "slow" | "fail" | "flaky" | "die" | "odd" | "unrecordable"

/** What is started as a child. `waiter` ends when its parent signals it; `outside` when an outside system says so; `turn` is one of a session. */
export type ChildKind = "ok" | "fail" | "slow" | "waiter" | "tool" | "outside" | "turn"

/** A program. Units: milliseconds. */
export type Program =
  | { readonly is: "step"; readonly at: number; readonly going: Going }
  | { readonly is: "sleep"; readonly at: number; readonly ms: number }
  /** A pause of the program's own clock; a sleep with Promises. */
  | { readonly is: "pause"; readonly at: number; readonly ms: number }
  | { readonly is: "wait"; readonly at: number; readonly signal: 0 | 1; readonly timeout?: number | undefined }
  /** A wait that is let go of after a time: the loser of a race with Effects, aborted by its signal with Promises. */
  | { readonly is: "given up"; readonly at: number; readonly signal: 0 | 1; readonly ms: number }
  /** Time, chance, and whether the code is new; and a step that knows what they were. */
  | { readonly is: "chance"; readonly at: number }
  | { readonly is: "event"; readonly at: number }
  /** A step that asks for an operation of the context. */
  | { readonly is: "inside"; readonly at: number; readonly asks: "sleep" | "wait" | "step" }
  /** What is refused for its arguments, or since there is no such process. */
  | { readonly is: "refused"; readonly at: number; readonly asks: "sleep" | "event" | "end" }
  /** Something that no journal knows, and that takes a turn of the event loop. */
  | { readonly is: "plain"; readonly at: number }
  | {
      readonly is: "child"
      readonly at: number
      readonly kind: ChildKind
      /** `ask`: it goes one way where its child still runs, and another where that has ended; then it awaits the end. */
      readonly ending: "await" | "cancel" | "leave" | "ask"
    }
  | { readonly is: "seq"; readonly at: number; readonly parts: ReadonlyArray<Program> }
  | { readonly is: "all"; readonly at: number; readonly parts: ReadonlyArray<Program> }
  | { readonly is: "race"; readonly at: number; readonly parts: ReadonlyArray<Program> }
  /** A time limit: of the program's own clock with Effects, a race with a sleep with Promises. */
  | { readonly is: "limit"; readonly at: number; readonly ms: number; readonly part: Program }
  | { readonly is: "caught"; readonly at: number; readonly part: Program; readonly otherwise: Program }
  | { readonly is: "loop"; readonly at: number; readonly times: number; readonly part: Program }
  | { readonly is: "finally"; readonly at: number; readonly part: Program; readonly after: Program }
  /** What nothing interrupts; Promises do not know it, so there it is its part. */
  | { readonly is: "insist"; readonly at: number; readonly part: Program }

/** The signals that programs wait for. */
export const signals: readonly [Signal.Signal<"zero", number>, Signal.Signal<"one", number>] = [
  Signal.make("zero", { payload: Schema.Number }),
  Signal.make("one", { payload: Schema.Number })
]

/** The event that programs append. */
export const Noted: Signal.EventDefinition<number> = Signal.event("noted", { payload: Schema.Number })

/** The failure of a step or a child that has a schema. */
export class Refused extends Schema.TaggedError<Refused>()("Refused", { by: Schema.Number }) {}

const ms = FC.constantFrom(5, 10, 20, 40, 80)

const leaf: FC.Arbitrary<Program> = FC.oneof(
  {
    weight: 5,
    arbitrary: FC.constantFrom<Going>(
      "ok",
      "ok",
      "ok",
      "slow",
      "slow",
      "fail",
      "flaky",
      "die",
      "odd",
      "unrecordable"
    ).map((going): Program => ({ is: "step", at: 0, going }))
  },
  { weight: 2, arbitrary: ms.map((length): Program => ({ is: "sleep", at: 0, ms: length })) },
  { weight: 1, arbitrary: ms.map((length): Program => ({ is: "pause", at: 0, ms: length })) },
  {
    weight: 4,
    arbitrary: FC.record({
      signal: FC.constantFrom<0 | 1>(0, 1),
      timeout: FC.option(ms, { nil: undefined })
    }).map((of): Program => ({ is: "wait", at: 0, ...of }))
  },
  {
    weight: 2,
    arbitrary: FC.record({ signal: FC.constantFrom<0 | 1>(0, 1), ms }).map(
      (of): Program => ({ is: "given up", at: 0, ...of })
    )
  },
  {
    weight: 3,
    arbitrary: FC.constantFrom<"chance" | "event" | "plain">("chance", "chance", "event", "plain").map(
      (is): Program => ({ is, at: 0 })
    )
  },
  {
    weight: 1,
    arbitrary: FC.constantFrom<"sleep" | "wait" | "step">("sleep", "wait", "step").map(
      (asks): Program => ({ is: "inside", at: 0, asks })
    )
  },
  {
    weight: 1,
    arbitrary: FC.constantFrom<"sleep" | "event" | "end">("sleep", "event", "end").map(
      (asks): Program => ({ is: "refused", at: 0, asks })
    )
  },
  {
    weight: 2,
    arbitrary: FC.record({
      kind: FC.constantFrom<ChildKind>("ok", "fail", "slow", "waiter", "tool", "outside", "turn"),
      ending: FC.constantFrom<"await" | "cancel" | "leave" | "ask">("await", "await", "cancel", "leave", "ask")
    }).map((of): Program => ({ is: "child", at: 0, ...of }))
  }
)

const composed = FC.letrec<{ program: Program }>((tie) => {
  const parts = FC.array(tie("program"), { minLength: 1, maxLength: 3 })
  const two = FC.array(tie("program"), { minLength: 2, maxLength: 3 })
  return {
    program: FC.oneof(
      { depthSize: "small", withCrossShrink: true },
      leaf,
      parts.map((of): Program => ({ is: "seq", at: 0, parts: of })),
      two.map((of): Program => ({ is: "all", at: 0, parts: of })),
      two.map((of): Program => ({ is: "race", at: 0, parts: of })),
      FC.tuple(ms, tie("program")).map(([limit, part]): Program => ({ is: "limit", at: 0, ms: limit, part })),
      FC.tuple(tie("program"), tie("program")).map(
        ([part, otherwise]): Program => ({ is: "caught", at: 0, part, otherwise })
      ),
      FC.tuple(FC.integer({ min: 2, max: 3 }), tie("program")).map(
        ([times, part]): Program => ({ is: "loop", at: 0, times, part })
      ),
      FC.tuple(tie("program"), tie("program")).map(([part, after]): Program => ({ is: "finally", at: 0, part, after })),
      tie("program").map((part): Program => ({ is: "insist", at: 0, part })),
      FC.tuple(ms, tie("program"), tie("program")).map(
        ([limit, part, otherwise]): Program => ({
          is: "caught",
          at: 0,
          part: { is: "limit", at: 0, ms: limit, part },
          otherwise
        })
      )
    )
  }
}).program

/** What a failure of does not end the program: what comes after it is to be reached. */
const survived = FC.tuple(composed, leaf).map(
  ([part, otherwise]): Program => ({ is: "caught", at: 0, part, otherwise })
)

/** What takes a while, of the program's time. */
const pause: FC.Arbitrary<Program> = FC.oneof(
  FC.constantFrom(20, 40, 80).map((length): Program => ({ is: "sleep", at: 0, ms: length })),
  FC.constantFrom(20, 40).map((length): Program => ({ is: "pause", at: 0, ms: length })),
  FC.constant<Program>({ is: "step", at: 0, going: "slow" }),
  FC.record({ signal: FC.constantFrom<0 | 1>(0, 1), timeout: ms }).map((of): Program => ({ is: "wait", at: 0, ...of })),
  FC.constant<Program>({ is: "child", at: 0, kind: "slow", ending: "await" })
)

const briefly = FC.constantFrom(5, 10, 20)

const limited = (part: FC.Arbitrary<Program>): FC.Arbitrary<Program> =>
  FC.tuple(briefly, part).map(([limit, of]): Program => ({ is: "limit", at: 0, ms: limit, part: of }))

/** What takes a while, part of it perhaps under a time limit of its own, or beside another pause. */
const pauses: FC.Arbitrary<Program> = FC.oneof(
  { withCrossShrink: true },
  { weight: 3, arbitrary: pause },
  { weight: 1, arbitrary: FC.tuple(pause, leaf).map((parts): Program => ({ is: "seq", at: 0, parts })) },
  { weight: 1, arbitrary: FC.tuple(pause, pause).map((parts): Program => ({ is: "all", at: 0, parts })) },
  {
    weight: 2,
    arbitrary: FC.tuple(limited(pause), pause).map(
      ([part, otherwise]): Program => ({ is: "caught", at: 0, part, otherwise })
    )
  }
)

/** What waits where nothing interrupts it: in a finaliser, or in a region of its own. */
const uninterrupted: FC.Arbitrary<Program> = FC.oneof(
  pauses.map((part): Program => ({ is: "insist", at: 0, part })),
  FC.tuple(leaf, pauses).map(([part, after]): Program => ({ is: "finally", at: 0, part, after }))
)

/** What a time limit or a race is over before it has ended, since nothing interrupts it; and something that the body does then. */
const outlasting: FC.Arbitrary<Program> = FC.tuple(
  FC.oneof(
    { weight: 3, arbitrary: limited(uninterrupted) },
    { weight: 1, arbitrary: FC.tuple(uninterrupted, leaf).map((parts): Program => ({ is: "race", at: 0, parts })) }
  ),
  leaf,
  leaf
).map(
  ([part, otherwise, then]): Program => ({
    is: "seq",
    at: 0,
    parts: [{ is: "caught", at: 0, part, otherwise }, then]
  })
)

const part = FC.oneof(
  { withCrossShrink: true },
  { weight: 1, arbitrary: composed },
  { weight: 2, arbitrary: survived },
  { weight: 1, arbitrary: outlasting }
)

/** Programs of a few operations each. */
export const programs: FC.Arbitrary<Program> = FC.array(part, { minLength: 1, maxLength: 3 }).map((parts) =>
  numbered({ is: "seq", at: 0, parts })
)

/** Numbers the nodes of a program. */
export const numbered = (program: Program): Program => {
  let last = 0
  const number = (node: Program, limited = false): Program => {
    const at = ++last
    switch (node.is) {
      case "seq":
        return { ...node, at, parts: node.parts.map((part) => number(part, limited)) }
      case "all":
        return { ...node, at, parts: node.parts.map((part) => number(part, limited || node.parts.some(isContest))) }
      case "race":
        return { ...node, at, parts: node.parts.map((part) => number(part, true)) }
      case "plain":
        return limited ? { is: "chance", at } : { ...node, at }
      case "limit":
        return { ...node, at, part: number(node.part, true) }
      case "loop":
      case "insist":
        return { ...node, at, part: number(node.part, limited) }
      case "caught":
        return {
          ...node,
          at,
          part: number(node.part, limited),
          otherwise: number(node.otherwise, limited)
        }
      case "finally":
        return { ...node, at, part: number(node.part, limited), after: number(node.after, limited) }
      default:
        return { ...node, at }
    }
  }
  return number(program)
}

/** Whether a program may fail, or leave a wait behind, as far as that can be seen: what is beside it then is in a race with it. */
const isContest = (program: Program): boolean => {
  switch (program.is) {
    case "step":
      return program.going !== "ok" && program.going !== "slow"
    case "wait":
      return program.timeout !== undefined
    case "child":
      return program.kind !== "ok" || program.ending === "cancel"
    case "given up":
    case "inside":
    case "refused":
    case "limit":
      return true
    case "seq":
    case "all":
    case "race":
      return program.parts.some(isContest)
    case "caught":
      return isContest(program.otherwise)
    case "loop":
    case "insist":
      return isContest(program.part)
    case "finally":
      return isContest(program.part) || isContest(program.after)
    default:
      return false
  }
}
