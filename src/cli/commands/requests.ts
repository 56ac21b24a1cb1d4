/**
 * `holdfast signal`, `send`, `cancel`, `abandon` and `resume`: requests of a person to a process.
 *
 * Each is one durable write to the file; a host that has it open notices and acts. A process that has ended
 * refuses.
 */
import { randomUUID } from "node:crypto"
import { userInfo } from "node:os"
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import { explain } from "../../explain/explain.ts"
import { firstRemedy } from "../../explain/remedies.ts"
import { selected } from "../../explain/selection.ts"
import type { ProcessPruned, ProcessUnknown, StoreError } from "../../model/errors.ts"
import type { ProcessId } from "../../model/ids.ts"
import { processId, signalNameOf, signalNameProblem } from "../../model/ids.ts"
import * as Wire from "../../model/wire.ts"
import * as Authority from "../../operations/decisions/authority.ts"
import * as DryRun from "../../operations/dryRun.ts"
import type { OwnerLiveness } from "../../operations/OwnerLiveness.ts"
import { ProcessRegistry } from "../../operations/ProcessRegistry.ts"
import { resumeFrom } from "../../operations/resume.ts"
import type { ProcessStore } from "../../store/ProcessStore.ts"
import { change, look, presentRow } from "../database.ts"
import * as Shared from "../options.ts"
import { printAll } from "../rows.ts"
import type { CliFailure } from "../Screen.ts"
import { incomplete, misused, TheScreen } from "../Screen.ts"
import type { Narrowed } from "../selecting.ts"
import { explained, isNarrowed, narrowing, selectionOf } from "../selecting.ts"
import { harmless, wrapped } from "../table.ts"

const reason = Shared.text("reason", "text", "Why. It is recorded with the request.").pipe(Options.optional)

const dryRun = Options.boolean("dry-run").pipe(
  Options.withDescription("Show which processes that would be, and change nothing.")
)

/** `holdfast signal`. */
export const signal = Command.make(
  "signal",
  {
    id: Shared.word("id", "The id of the process. To signal all that options select, leave it out."),
    name: Shared.word("name", "The name of the signal, as the process declares it.").pipe(Args.optional),
    db: Shared.db,
    json: Shared.json,
    payload: Shared.text("payload", "json", "What it carries, as JSON. Default: null.").pipe(
      Options.withDefault("null")
    ),
    signalId: Shared.text(
      "signal-id",
      "id",
      "Names this sending: the same id again is the same signal, recorded once. Default: a fresh one."
    ).pipe(Options.optional),
    ...narrowing,
    dryRun
  },
  ({ id: first, name: second, db, json, payload, signalId, dryRun: isDry, ...typed }) =>
    Effect.gen(function* () {
      const isOne = Option.isSome(second)
      if (!isOne && !isNarrowed(typed)) return yield* unnamed(db, first)
      const name = isOne ? second.value : first
      const problem = signalNameProblem(name)
      if (problem !== undefined) return yield* misused(problem)
      const value = yield* parsed("--payload", payload)
      const sending = Option.getOrElse(signalId, () => randomUUID())
      if (isOne && !isNarrowed(typed) && !isDry) {
        return yield* change(db, sent(processId(first), "signal", name, value, sending, json))
      }
      const id = isOne ? Option.some(processId(first)) : Option.none()
      yield* toMany({ db, json, isDry, typed, id, asked: `sent the signal ${harmless(name)}` }, (each) =>
        Effect.flatMap(ProcessRegistry, (registry) =>
          registry.signal(each, { name, payload: value, signalId: sending }, Authority.external)
        )
      )
    })
).pipe(Command.withDescription("Send a signal to a process, or to all that options select."))

/** `holdfast send`. */
export const send = Command.make(
  "send",
  {
    id: Shared.id,
    event: Shared.word("event", "The type of the event. holdfast state lists those that the machine takes."),
    fields: Shared.word("json", "What it carries besides its type, as a JSON object. Default: nothing.").pipe(
      Args.withDefault("{}")
    ),
    db: Shared.db,
    json: Shared.json,
    eventId: Shared.text(
      "event-id",
      "id",
      "Names this sending: the same id again is the same event, recorded once. Default: a fresh one."
    ).pipe(Options.optional)
  },
  ({ id, event, fields, db, json, eventId }) =>
    Effect.gen(function* () {
      const problem = signalNameProblem(event)
      if (problem !== undefined) return yield* misused(problem)
      const value = yield* parsed("an event", fields)
      if (typeof value !== "object" || value === null || Array.isArray(value)) {
        return yield* misused(`an event takes a JSON object, such as '{"by":"ana"}', and ${harmless(fields)} is none`)
      }
      const sending = Option.getOrElse(eventId, () => randomUUID())
      return yield* change(db, sent(id, "event", event, value, sending, json))
    })
).pipe(Command.withDescription("Send an event to the machine of a process. A host that has the machine takes it."))

/** `holdfast cancel`. */
export const cancel = Command.make(
  "cancel",
  { id: Shared.id.pipe(Args.optional), db: Shared.db, json: Shared.json, reason, ...narrowing, dryRun },
  ({ id, db, json, reason: why, dryRun: isDry, ...typed }) => {
    const cancelled = (each: ProcessId) =>
      Effect.flatMap(ProcessRegistry, (registry) => registry.cancelRunning(each, Option.getOrNull(why), Authority.host))
    return Option.isSome(id) && !isNarrowed(typed) && !isDry
      ? change(db, Effect.zipRight(cancelled(id.value), report(id.value, "it was asked to stop", json)))
      : toMany({ db, json, isDry, typed, id, asked: "asked to stop" }, cancelled)
  }
).pipe(Command.withDescription("Ask a process to stop, or all that options select."))

/** `holdfast abandon`. */
export const abandon = Command.make(
  "abandon",
  {
    id: Shared.id,
    db: Shared.db,
    json: Shared.json,
    reason,
    by: Shared.text("by", "name", "Who allows it. Default: the user of this system.").pipe(Options.optional)
  },
  ({ id, db, json, reason: why, by }) =>
    change(
      db,
      Effect.gen(function* () {
        const registry = yield* ProcessRegistry
        yield* registry.requestProcessAbandon(
          id,
          {
            requestedBy: Option.isSome(by) ? by.value : yield* operator,
            requestedAtMs: yield* Clock.currentTimeMillis,
            ...(Option.isNone(why) ? {} : { reason: why.value })
          },
          Authority.host
        )
        yield* report(id, "it may be abandoned", json)
      })
    )
).pipe(Command.withDescription("Allow a process to be abandoned, its outcome unknown, once its lease is free."))

/** `holdfast resume`. */
export const resume = Command.make(
  "resume",
  {
    id: Shared.id,
    db: Shared.db,
    json: Shared.json,
    from: Options.integer("from").pipe(
      Options.withPseudoName("n"),
      Options.withDescription("The first entry of its journal that does not count any more. A divergence names it.")
    ),
    children: Options.choice("children", ["keep", "cancel"]).pipe(
      Options.withDescription("What becomes of the children that were begun there. The body begins others."),
      Options.optional
    ),
    repeat: Options.boolean("repeat").pipe(Options.withDescription("Allow that what those entries did is done again.")),
    dryRun: Options.boolean("dry-run").pipe(
      Options.withDescription("Show what that would leave behind, and change nothing.")
    ),
    reason
  },
  ({ id, db, json, from, children, repeat, dryRun, reason: why }) =>
    change(
      db,
      Effect.gen(function* () {
        const screen = yield* TheScreen
        const resumed = yield* resumeFrom(id, {
          from,
          repeat,
          dryRun,
          by: yield* operator,
          ...(Option.isNone(children) ? {} : { children: children.value }),
          ...(Option.isNone(why) ? {} : { reason: why.value })
        })
        if (json) return yield* screen.json(resumed)
        const { effects, children: begun, to } = resumed
        const what = `${from === to ? `entry ${from}` : `entries ${from} to ${to}`} of its journal`
        const lines = [
          dryRun ? `${id}: ${what} would not count any more.` : `${id}: it is resumed. ${what} do not count any more.`,
          ...effects.map(({ position, key, operation }) => `  ${position} ${key} (${operation}) may be done again`),
          ...begun.map((child) => `  child ${child} was begun there`)
        ]
        yield* printAll(screen, lines.map(harmless))
      })
    )
).pipe(
  Command.withDescription(
    "Resume a process that rests, such as one whose code has changed, from an entry of its journal."
  )
)

/** In a container the user may have no name. */
const operator: Effect.Effect<string> = Effect.try(() => `operator:${userInfo().username}`).pipe(
  Effect.orElseSucceed(() => "operator")
)

const parsed = (what: string, payload: string): Effect.Effect<unknown, CliFailure> =>
  Effect.try({
    try: (): unknown => JSON.parse(payload),
    catch: () => misused(`${what} takes JSON, and ${harmless(payload)} is none; a text needs its quotes: '"text"'`)
  })

interface Many {
  readonly db: Option.Option<string>
  readonly json: boolean
  readonly isDry: boolean
  readonly typed: Narrowed
  readonly id: Option.Option<ProcessId>
  /** What is done to each, as a participle: what was "asked to stop", and what would be. */
  readonly asked: string
}

/**
 * Asks the same of every process that is selected and has not ended; one that refuses keeps no other from being asked. A dry run
 * is judged by the operation itself, which then writes nothing.
 */
const toMany = <A, E extends { readonly message: string }, R>(
  { db, json, isDry, typed, id, asked }: Many,
  request: (id: ProcessId) => Effect.Effect<A, E, R>
) =>
  Effect.gen(function* () {
    const screen = yield* TheScreen
    if (Option.isSome(id) === isNarrowed(typed)) {
      return yield* misused(
        Option.isSome(id) ? "an id names one process: leave out what selects" : `name an id, or ${sayWhich}`
      )
    }
    const chosen = Option.isSome(id)
      ? Effect.map(presentRow(id.value), (row) => [row])
      : Effect.map(
          Effect.flatMap(selected(selectionOf(typed, "running")), (rows) => explained(rows, typed.because)),
          (rows) => rows.map(({ row }) => row)
        )
    const rows = yield* look(db, chosen)
    const ids = rows.map(({ base }) => base.registration.id)
    // Side by side, so that they share commits.
    const asking = Effect.forEach(
      ids,
      (each) => Effect.map(Effect.either(request(each)), (outcome) => ({ each, outcome })),
      { concurrency: 64 }
    )
    const judged: Effect.Effect<Effect.Effect.Success<typeof asking>, never, R | ProcessStore> = isDry
      ? Effect.flatMap(DryRun.registry, (dry) => Effect.provideService(asking, ProcessRegistry, dry))
      : asking
    const outcomes = yield* change(db, judged)
    // An id names one process: its refusal is that of the command, as without --dry-run.
    if (Option.isSome(id)) yield* Effect.forEach(outcomes, ({ outcome }) => outcome, { discard: true })
    const refused = outcomes.flatMap(({ each, outcome }) =>
      Either.isLeft(outcome) ? [{ id: each, problem: outcome.left.message }] : []
    )
    const done = outcomes.flatMap(({ each, outcome }) => (Either.isRight(outcome) ? [each] : []))
    if (json) yield* screen.json({ [isDry ? "would" : "done"]: done, refused })
    else if (done.length > 0) {
      yield* printAll(
        screen,
        done.map((each) => (isDry ? harmless(each) : `${harmless(each)}: ${asked}`))
      )
    }
    for (const { problem } of refused) yield* screen.remark(harmless(problem))
    if (isDry && !json) yield* screen.remark(`${counted(done.length)} would be ${asked}; nothing was changed`)
    if (refused.length > 0) {
      const refuses = isDry ? "would refuse" : "refused"
      return yield* incomplete(`${counted(refused.length)} of ${ids.length} ${refuses}`)
    }
    if (ids.length === 0 && !isDry) yield* screen.remark("no such processes")
  })

const sayWhich = "say which: --kind, --since, --because, …"

/** Says which signals a process takes, of one that was named without a signal. */
const unnamed = (db: Option.Option<string>, typed: string) =>
  Effect.gen(function* () {
    const id = processId(typed)
    const row = yield* Effect.catchTag(look(db, presentRow(id)), "ProcessUnknown", ({ message }) =>
      misused(`${message}; to send a signal to many, ${sayWhich}`)
    )
    const names = (of: ReadonlyArray<string>): string => [...new Set(of)].map(harmless).join(", ")
    const waits = row.snapshot.context.waits.flatMap(({ kind }) => (kind._tag === "Signal" ? [kind.name] : []))
    const declared = row.base.registration.eventTypes.flatMap(({ name }) => signalNameOf(name) ?? [])
    const known = [
      ...(waits.length === 0 ? [] : [`it waits for ${names(waits)}`]),
      declared.length === 0 ? "it declares no signals" : `it declares ${names(declared)}`
    ]
    return yield* misused(`name the signal for ${harmless(id)}: ${known.join("; ")}`)
  })

const counted = (count: number): string => (count === 1 ? "1 process" : `${count} processes`)

const sent = (
  id: ProcessId,
  what: "signal" | "event",
  name: string,
  payload: unknown,
  signalId: string,
  json: boolean
) =>
  Effect.gen(function* () {
    const screen = yield* TheScreen
    const registry = yield* ProcessRegistry
    const { event } = yield* registry.signal(id, { name, payload, signalId }, Authority.external)
    if (json) return yield* screen.json(Wire.wire.event.encode(event))
    yield* screen.print(`${harmless(id)}: the ${what} ${name} is recorded as event #${event.sequence}`)
  })

/** Says that the request is durable, and what the sweep or the holder will do about it. */
const report = (
  id: ProcessId,
  asked: string,
  json: boolean
): Effect.Effect<
  void,
  ProcessUnknown | ProcessPruned | StoreError,
  ProcessStore | ProcessRegistry | OwnerLiveness | TheScreen
> =>
  Effect.gen(function* () {
    const screen = yield* TheScreen
    const registry = yield* ProcessRegistry
    if (json) {
      const record = yield* registry.getProcess(id)
      return record === undefined ? undefined : yield* screen.json(Wire.wire.record.encode(record))
    }
    const explanation = yield* explain(id)
    const said = harmless(`${id}: ${asked}. ${firstRemedy(explanation.moves)}`)
    yield* printAll(screen, wrapped(said, screen.width))
  })
