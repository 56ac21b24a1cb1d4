/**
 * `holdfast tail [ID]`: follows events as any program commits them.
 *
 * Invariant: of one process no event is left out or shown twice, and they come in the order of its log.
 */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { ProcessPruned, ProcessUnknown, StoreError } from "../../model/errors.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { ProcessEvent } from "../../model/ProcessEvent.ts"
import * as Wire from "../../model/wire.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import { allRows, look, presentRow } from "../database.ts"
import * as Shared from "../options.ts"
import { eventLine } from "../rows.ts"
import { interruptIsItsEnd, misused, TheScreen } from "../Screen.ts"

/** How often the file is polled for commits of other programs. Units: milliseconds. */
export const pollMs = 100

/** How many events of the past are shown first, when nothing else is asked for. */
const shownFirst = 10

const options = {
  id: Shared.id.pipe(Args.optional),
  db: Shared.db,
  json: Options.boolean("json").pipe(Options.withDescription("One event a line, as JSON.")),
  from: Shared.positive("from", "Begin with this sequence number. Default: the last 10 events.").pipe(Options.optional),
  untilEnd: Options.boolean("until-end").pipe(Options.withDescription("Stop once the process has ended."))
}

/** The command. */
export const command = Command.make("tail", options, ({ id, db, json, from, untilEnd }) =>
  Effect.gen(function* () {
    if (Option.isNone(id) && (Option.isSome(from) || untilEnd)) {
      return yield* misused("--from and --until-end are for one process: name its id")
    }
    const following = Option.isSome(id)
      ? followOne(id.value, { from: Option.getOrUndefined(from), untilEnd, json })
      : followAll(json)
    yield* interruptIsItsEnd(look(db, following))
  })
).pipe(Command.withDescription("Follow the events of one process, or of all, until Ctrl-C."))

const show = (events: ReadonlyArray<ProcessEvent>, json: boolean, withId: boolean) =>
  Effect.flatMap(TheScreen, (screen) =>
    Effect.forEach(
      events,
      (event) => (json ? screen.json(Wire.wire.event.encode(event)) : screen.print(eventLine(screen, event, withId))),
      { discard: true }
    )
  )

interface Following {
  readonly from: number | undefined
  readonly untilEnd: boolean
  readonly json: boolean
}

const followOne = (
  id: ProcessId,
  { from, untilEnd, json }: Following
): Effect.Effect<void, ProcessUnknown | ProcessPruned | StoreError, ProcessStore | TheScreen> =>
  Effect.gen(function* () {
    const store = yield* ProcessStore
    const { sequence } = yield* presentRow(id)
    let last = from === undefined ? Math.max(0, sequence - shownFirst) : from - 1
    while (true) {
      // Read before the events: what ended it is then among them.
      const row = yield* presentRow(id)
      while (last < row.sequence) {
        const events = yield* store.eventsAfter(id, last, pageSize)
        yield* show(events, json, false)
        last = events.at(-1)?.sequence ?? row.sequence
      }
      if (untilEnd && row.snapshot.status === "done") return
      yield* changed((ids) => ids.includes(id))
    }
  })

/** Waits until other programs have committed something that matters. */
const changed = (
  matters: (ids: ReadonlyArray<ProcessId>) => boolean
): Effect.Effect<ReadonlyArray<ProcessId>, StoreError, ProcessStore> =>
  Effect.gen(function* () {
    const store = yield* ProcessStore
    while (true) {
      yield* Effect.sleep(pollMs)
      const ids = yield* store.externalChanges
      if (matters(ids)) return ids
    }
  })

const followAll = (json: boolean): Effect.Effect<never, StoreError, ProcessStore | TheScreen> =>
  Effect.gen(function* () {
    const beganAtMs = yield* Clock.currentTimeMillis
    const shown = new Map<ProcessId, number>()
    for (const row of yield* allRows({})) shown.set(row.base.registration.id, row.sequence)
    while (true) {
      for (const id of new Set(yield* changed((ids) => ids.length > 0))) {
        const known = shown.get(id)
        // Pruned since: its events are gone.
        const events = yield* Effect.catchTag(eventsSince(id, known ?? 0), "ProcessUnknown", () => Effect.succeed([]))
        const fresh = known === undefined ? events.filter(({ occurredAtMs }) => occurredAtMs >= beganAtMs) : events
        yield* show(fresh, json, true)
        shown.set(id, events.at(-1)?.sequence ?? known ?? 0)
      }
    }
  })

const eventsSince = (
  id: ProcessId,
  after: number
): Effect.Effect<ReadonlyArray<ProcessEvent>, ProcessUnknown | StoreError, ProcessStore> =>
  Effect.gen(function* () {
    const store = yield* ProcessStore
    const events: Array<ProcessEvent> = []
    while (true) {
      const page = yield* store.eventsAfter(id, events.at(-1)?.sequence ?? after, pageSize)
      events.push(...page)
      if (page.length < pageSize) return events
    }
  })

const pageSize = 500
