/**
 * A second OS process on the file of a store: it performs the operations it is asked for, at the time it is told.
 *
 * Requests and answers are lines of JSON on a socket. The rival ends when whoever asked goes away.
 */
import type { Socket } from "node:net"
import { createServer } from "node:net"
import { createInterface } from "node:readline"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { ProcessSnapshot } from "../../machines/process/lifecycle.ts"
import { processMachine } from "../../machines/process/machine.ts"
import * as Step from "../../machines/xstate/step.ts"
import * as Errors from "../../src/model/errors.ts"
import type { StoredSnapshot } from "../../src/model/ProcessRecord.ts"
import { Activations } from "../../src/operations/Activations.ts"
import { ChangeFeed } from "../../src/operations/ChangeFeed.ts"
import { HandleGrants } from "../../src/operations/HandleGrants.ts"
import { Leases } from "../../src/operations/Leases.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import { Retention } from "../../src/operations/Retention.ts"
import { Waits } from "../../src/operations/Waits.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import { clockOf } from "../../src/testing/bodies/Time.ts"
import type { LawEnv } from "../../src/testing/Law.ts"
import * as Env from "../../src/testing/Law.ts"

/** What may be asked of a rival. */
export type Service = "registry" | "leases" | "activations" | "waits" | "grants" | "retention" | "feed" | "mortality"

/** One operation. An argument without a value is an absent one. Units: epoch milliseconds, UTC. */
export interface Request {
  readonly id: number
  readonly nowMs: number
  readonly service: Service
  readonly method: string
  readonly args: ReadonlyArray<{ readonly value?: unknown }>
}

/** What became of it. An error is in the encoded form of its class. */
export interface Answer {
  readonly id: number
  readonly value?: unknown
  readonly refused?: { readonly _tag: string }
  readonly died?: string
}

/** A service as operations by name: functions, and effects where nothing needs to be said. */
export type Operations = Readonly<Record<string, Operation | ((...args: ReadonlyArray<unknown>) => Operation)>>

type Operation = Effect.Effect<unknown, { readonly _tag: string }>

/** The services of a world by the names that requests use. */
export const servicesOf = (world: Context.Context<LawEnv>): Readonly<Record<Service, Operations>> =>
  ({
    registry: Context.get(world, ProcessRegistry),
    leases: Context.get(world, Leases),
    activations: Context.get(world, Activations),
    waits: Context.get(world, Waits),
    grants: Context.get(world, HandleGrants),
    retention: Context.get(world, Retention),
    feed: Context.get(world, ChangeFeed),
    mortality: Context.get(world, Env.FailureDetector)
  }) as unknown as Readonly<Record<Service, Operations>> // their members are operations, whatever their types say more

/** Calls an operation by its name. */
export const call = (operations: Operations, method: string, args: ReadonlyArray<unknown>): Operation => {
  const operation = operations[method]
  if (operation === undefined) return Effect.dieMessage(`no operation ${method}`)
  return typeof operation === "function" ? operation(...args) : operation
}

/** An answer as a line; the machine in a snapshot stays behind. */
export const written = (value: unknown): string =>
  `${JSON.stringify(value, (key, field: unknown) => (key === "snapshot" ? Step.persist(field as ProcessSnapshot) : field))}\n`

/** Rebuilds the snapshots in an answer: of a row, or of an outcome with a row. */
export const revived = (value: unknown): unknown => {
  if (typeof value !== "object" || value === null) return value
  if ("row" in value) return { ...value, row: revived(value.row) }
  return "snapshot" in value
    ? { ...value, snapshot: Step.restore(processMachine, value.snapshot as StoredSnapshot) }
    : value
}

const classes = new Map<string, unknown>(Object.entries(Errors))

const classOf = (tag: string): Schema.Schema<{ readonly _tag: string }, { readonly _tag: string }> =>
  classes.get(tag) as never // every error of a store is one of them, by its tag

/** Rebuilds an error as an instance of its class. */
export const errorOf = (refused: { readonly _tag: string }): { readonly _tag: string } =>
  Schema.decodeSync(classOf(refused._tag))(refused)

const answerOf = (id: number, exit: Exit.Exit<unknown, { readonly _tag: string }>): Answer => {
  if (Exit.isSuccess(exit)) return { id, value: exit.value }
  const failure = Option.getOrUndefined(Cause.failureOption(exit.cause))
  return failure === undefined
    ? { id, died: Cause.pretty(exit.cause) }
    : { id, refused: Schema.encodeSync(classOf(failure._tag))(failure) }
}

/** A clock that is set by each request. */
const settableClock = () => {
  let nowMs = 0
  const clock = clockOf(() => nowMs, Clock.make().sleep)
  const lawClock: typeof Env.LawClock.Service = {
    isExact: true,
    nowMs: clock.currentTimeMillis,
    advance: (ms) =>
      Effect.sync(() => {
        nowMs += ms
      }),
    within: Effect.withClock(clock)
  }
  return {
    lawClock,
    set: (to: number) => {
      nowMs = to
    }
  }
}

export const serve = (filename: string, socketPath: string) =>
  Effect.gen(function* () {
    const { lawClock, set } = settableClock()
    const store = SqliteStore.layer({ filename, synchronous: "NORMAL" })
    const world = yield* Layer.build(Env.layer(store, { clock: Effect.succeed(lawClock) }))
    const services = servicesOf(world)
    yield* Effect.async<void>((resume) => {
      // Whoever started it may be gone before it asks.
      const lonely = setTimeout(() => resume(Effect.void), 20_000)
      const answer = (socket: Socket) => {
        clearTimeout(lonely)
        createInterface({ input: socket }).on("line", (line) => {
          const { id, nowMs, service, method, args } = JSON.parse(line) as Request
          set(nowMs)
          const values = args.map(({ value }) => value)
          void Effect.runPromiseExit(lawClock.within(call(services[service], method, values))).then((exit) =>
            socket.write(written(answerOf(id, exit)))
          )
        })
        socket.on("close", () => resume(Effect.void))
        socket.on("error", () => resume(Effect.void))
      }
      createServer(answer).listen(socketPath, () => process.stdout.write("listening\n"))
    })
  })
