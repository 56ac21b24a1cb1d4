/**
 * Whatever the author of a body hands to its context: what is of the wrong kind is refused by name, without a throw, and what is of
 * its kind is taken. In both contexts, by one table.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FC from "effect/FastCheck"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Embed from "../../src/host/embed/createHost.ts"
import { Processes } from "../../src/host/Processes.ts"
import { InputInvalid } from "../../src/model/errors.ts"
import { describe as described } from "../../src/model/Failure.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import * as Signal from "../../src/runtime/engine/Signal.ts"
import { memory } from "../support/hosts.ts"
import { isOwn, junk, no, revoked } from "../support/junk.ts"
import { patienceMs } from "../support/patience.ts"
import { samples } from "../support/samples.ts"

const Go = Signal.make("go", { payload: Schema.Any })
const Noted = Signal.event("noted", { payload: Schema.Any })
const options = {
  version: "1",
  payload: Schema.Any,
  success: Schema.Any,
  signals: [Go],
  events: [Noted],
  disposition: "rerunnable" as const
}
const Echo = Engine.make("echo", { ...options, run: (payload) => Effect.succeed(payload) })
const Waits = Engine.make("waits", { ...options, run: (_, ctx) => ctx.awaitSignal(Go) })

/** What an argument may be: a right one, and whether another value is right as well. */
interface Kind {
  readonly right: unknown
  readonly takes: (value: unknown) => boolean
  /** The kinds of its fields, where it is a record of options. */
  readonly fields?: Kinds
}

type Kinds = Readonly<Record<string, Kind>>

const entriesOf = (value: unknown): ReadonlyArray<readonly [string, unknown]> | undefined => {
  try {
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.entries({ ...value })
      : undefined
  } catch {
    return undefined
  }
}
const fieldsOf = (value: unknown): ReadonlyArray<unknown> | undefined => entriesOf(value)?.map(([, field]) => field)
const isFunction = (value: unknown): boolean => typeof value === "function"
const kind = (right: unknown, takes: Kind["takes"] = () => false): Kind => ({ right, takes })
const optional = ({ right, takes }: Kind): Kind => kind(right, (value) => value === undefined || takes(value))
const text = (right: string): Kind => kind(right, (value) => typeof value === "string")
const word = (...words: ReadonlyArray<string>): Kind =>
  optional(kind(words[0], (value) => words.includes(value as string)))
const anything = kind(1, () => true)
const fixed = (right: unknown): Kind => ({ ...anything, right, fields: {} })
const record = (fields: Kinds): Kind => ({
  right: Object.fromEntries(Object.entries(fields).map(([name, { right }]) => [name, right])),
  // One that is misspelt is none of them.
  takes: (value) => entriesOf(value)?.every(([name, field]) => field === undefined || name in fields) ?? false,
  fields
})
const maybe = (fields: Kinds): Kind => ({ ...optional(record(fields)), fields })

const wakeTarget = optional(kind({ sessionId: "s" }))
const child = {
  name: text("c"),
  payload: anything,
  id: optional(kind(undefined, (value) => typeof value === "string")),
  label: optional(text("l")),
  closePolicy: word("cancel", "abandon", "keep"),
  wakeTarget
}
const startable = kind(Echo)
const abortable = { signal: optional(kind(new AbortController().signal)) }
const named = { name: optional(text("n")) }

interface Operation {
  readonly args: Kinds
  /** @default the operation of the context that has its name, with these arguments in order */
  readonly call?: (ctx: never, args: ReadonlyArray<unknown>) => unknown
}

const common: Readonly<Record<string, Operation>> = {
  signal: {
    args: {
      target: text("p"),
      signal: kind(Go),
      payload: anything,
      options: maybe({ ...named, id: optional(text("i")) })
    }
  },
  appendEvent: { args: { event: kind(Noted), payload: anything, options: maybe({ ...named, wakeTarget }) } },
  patched: { args: { name: text("n") } },
  start: { args: { startable, options: record(child) } },
  "child.signal": {
    args: { signal: kind(Go), payload: anything, options: maybe({ id: optional(text("i")) }) },
    call: (ctx: { readonly child: { readonly signal: (...args: ReadonlyArray<unknown>) => unknown } }, args) =>
      ctx.child.signal(...args)
  },
  "child.cancel": {
    args: { reason: kind("r", (value) => value === undefined || value === null || typeof value === "string") },
    call: (ctx: { readonly child: { readonly cancel: (...args: ReadonlyArray<unknown>) => unknown } }, args) =>
      ctx.child.cancel(...args)
  }
}

type Attaching = (...args: ReadonlyArray<unknown>) => { readonly status: unknown }

const operations = (form: "effects" | "promises"): Readonly<Record<string, Operation>> => {
  const isPromises = form === "promises"
  const mayAbort = isPromises ? abortable : {}
  const schemas = { schema: optional(kind(Schema.Any)), error: optional(kind(Schema.Any)) }
  const awaiting = isPromises ? abortable : { ahead: optional(kind(true, (value) => typeof value === "boolean")) }
  const work = isPromises ? { run: kind(() => 1, isFunction) } : { effect: kind(Effect.succeed(1)) }
  return {
    ...common,
    step: {
      args: {
        name: text("s"),
        ...(isPromises ? work : { effect: kind(Effect.succeed(1), isFunction) }),
        options: maybe({
          ...schemas,
          record: word("outcome", "success"),
          retry: optional(kind(isPromises ? { times: 1, delay: 1 } : Schedule.recurs(1)))
        })
      }
    },
    scope: { args: { name: text("n"), ...work } },
    phase: { args: { name: text("n"), ...work } },
    sleep: { args: { duration: fixed(0), options: maybe({ ...named, ...mayAbort }) } },
    awaitSignal: { args: { signal: kind(Go), options: maybe({ timeout: anything, ...named, ...awaiting }) } },
    attach: {
      args: { startable, id: text("p") },
      call: (ctx: { readonly attach: Attaching }, args) => {
        const handle = ctx.attach(...args)
        return isPromises ? (handle.status as () => unknown)() : handle.status
      }
    },
    ...(isPromises
      ? {
          race: {
            args: {
              branches: kind({ a: () => 1 }, (value) => {
                const fields = fieldsOf(value)
                return fields !== undefined && fields.length > 0 && fields.every(isFunction)
              })
            }
          },
          all: {
            args: { branches: kind({ a: () => 1 }, (value) => fieldsOf(value)?.every(isFunction) ?? false) }
          }
        }
      : {})
  }
}

/** One call with one argument of any kind, in words; and whether that argument is of its own kind. */
interface Call {
  readonly what: string
  readonly argument: string
  readonly isRight: boolean
  readonly call: (ctx: object) => unknown
}

const plain: ReadonlyArray<unknown> = [
  undefined,
  null,
  5,
  "never",
  true,
  {},
  { a: 5 },
  [no],
  no,
  Symbol("s"),
  revoked()
]

const callsOf = (form: "effects" | "promises"): ReadonlyArray<Call> => {
  const values = [...plain, ...FC.sample(junk, { numRuns: samples(8, 300) }).map((make) => make())]
  return Object.entries(operations(form)).flatMap(([operation, { args, call }]) => {
    const right = Object.entries(args).map(([, kind]) => kind.right)
    const calling = (argument: string, isRight: boolean, given: ReadonlyArray<unknown>): Call => ({
      what: `${operation}, ${argument}`,
      argument,
      isRight,
      call: (ctx) =>
        call === undefined
          ? (ctx as Readonly<Record<string, (...args: ReadonlyArray<unknown>) => unknown>>)[operation]?.(...given)
          : call(ctx as never, given)
    })
    return Object.entries(args).flatMap(([argument, { right: own, takes, fields }], index) => [
      ...(fields !== undefined && Object.keys(fields).length === 0
        ? []
        : values.map((by) => calling(argument, takes(by), right.with(index, by)))),
      ...Object.entries(fields ?? {}).flatMap(([field, kind]) =>
        values.map((by) => calling(field, kind.takes(by), right.with(index, { ...(own as object), [field]: by })))
      )
    ])
  })
}

/** What is wrong with an answer; nothing where it is what it should be. */
const wrongWith = ({ what, argument, isRight }: Call, exit: Exit.Exit<unknown, unknown>): ReadonlyArray<string> => {
  if (Exit.isSuccess(exit)) return isRight ? [] : [`${what}: taken in silence`]
  const error = Cause.squash(exit.cause)
  const said = `${described(error).name}: ${described(error).message}`
  // A function that throws is a function.
  if (isRight && said === "Error: no") return []
  if (Cause.isDie(exit.cause) || !isOwn(error)) return [`${what}: ${said}`]
  const isNamed = error instanceof InputInvalid && error.field.includes(argument)
  return isRight || isNamed ? [] : [`${what}: not named by ${said}`]
}

/** Makes each call in turn; answers what was wrong, and with which call there was no answer. */
const judging = (form: "effects" | "promises") => {
  const calls = callsOf(form)
  const problems: Array<string> = []
  let at = "none"
  const made = (call: Call, ctx: object): unknown => {
    at = call.what
    try {
      return call.call(ctx)
    } catch (thrown) {
      problems.push(`${call.what}: thrown, ${described(thrown).message}`)
      return undefined
    }
  }
  const judge = (call: Call, exit: Exit.Exit<unknown, unknown>) => problems.push(...wrongWith(call, exit))
  const engine =
    form === "effects"
      ? Engine.make("body", {
          ...options,
          run: (_, ctx) =>
            Effect.gen(function* () {
              const child = yield* ctx.start(Waits, { name: "child", payload: 1 })
              for (const call of calls) {
                // What waits for a signal finds one.
                if (call.what.startsWith("awaitSignal")) yield* ctx.signal("p", Go, 1)
                const asked = made(call, { ...ctx, child })
                if (Effect.isEffect(asked)) judge(call, yield* Effect.exit(asked as Effect.Effect<unknown, unknown>))
              }
            })
        })
      : Embed.engine("body", {
          ...options,
          run: async (_, ctx) => {
            const child = await ctx.start(Waits, { name: "child", payload: 1 })
            for (const call of calls) {
              if (call.what.startsWith("awaitSignal")) await ctx.signal("p", Go, 1)
              const asked = made(call, { ...ctx, child })
              if (asked instanceof Promise) judge(call, await asked.then(Exit.succeed, Exit.fail))
            }
            return null
          }
        })
  return { engine, problems, at: () => at }
}

describe("an argument of the wrong kind is refused by name, and one of its kind is taken:", () => {
  for (const form of ["effects", "promises"] as const) {
    it.live(`an operation of a context of ${form}`, () => {
      const { engine, problems, at } = judging(form)
      return Effect.gen(function* () {
        const handle = yield* (yield* Processes).start(engine, { id: "p", payload: 1 })
        const ended = yield* Effect.timeoutOption(Effect.exit(handle.await), patienceMs / 4)
        if (ended._tag === "None") problems.push(`${at()}: no answer`)
        else if (Exit.isFailure(ended.value)) problems.push(`the body: ${Cause.pretty(ended.value.cause)}`)
        assert.deepStrictEqual([...new Set(problems)], [])
      }).pipe(Effect.provide(memory([engine, Echo, Waits])))
    })
  }
})
