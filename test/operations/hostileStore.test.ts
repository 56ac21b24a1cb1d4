/**
 * What asks for more than one process: an option of no meaning is refused by name, since an overlooked one would take them all.
 */
import * as Effect from "effect/Effect"
import type { ChangeFeed } from "../../src/operations/ChangeFeed.ts"
import { migrateAll } from "../../src/operations/migration.ts"
import type { Retention } from "../../src/operations/Retention.ts"
import { resumeFrom } from "../../src/operations/resume.ts"
import { verify } from "../../src/operations/verify.ts"
import type { WakeOutbox } from "../../src/operations/WakeOutbox.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import type { Operation, World } from "./hostile.ts"
import { notCounts, notFilters, notIds, notRecords, on, p, refusesAll, unreadable } from "./hostile.ts"

const watermark = { _tag: "NoProjector" } as const
const everything = { cutoffMs: Number.MAX_SAFE_INTEGER, watermark }
const filter = { originatorScopeId: "host:none" }
const { "nothing in it": _nothing, ...notOptions } = { ...notRecords, ...unreadable }
const { undefined: _undefined, ...notNamed } = notOptions

const noCounts = { ...notCounts, none: 0 }
const notLimits = { ...noCounts, "too many": Number.MAX_SAFE_INTEGER }
const notTexts = { null: null, undefined, "a number": 5, "an object": {}, broken: "\ud800" }
const notCursors = { ...notTexts, "of another store": "elsewhere:1", "of no change": "x" }
const notWatermarks = {
  ...notRecords,
  "an unknown one": { _tag: "Never" },
  "no cursor": { _tag: "UpTo" },
  "a cursor beside no projector": { _tag: "NoProjector", cursor: "x" },
  "a cursor that is a number": { _tag: "UpTo", cursor: 1 },
  "a cursor of another store": { _tag: "UpTo", cursor: "elsewhere:1" }
}

/** A machine of which there are no processes. */
const machine = { kind: "none", migrates: [] as ReadonlyArray<string> } as Parameters<typeof migrateAll>[0] // nothing else is read

/** Records of which one field has each of these values. */
const named = (field: string, values: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(values).map(([what, value]) => [`${field}: ${what}`, { [field]: value }]))

/** An operation that is no service's, on the world's store. */
const alone =
  <E>(call: (value: never) => Effect.Effect<unknown, E, ProcessStore>): Operation["call"] =>
  ({ store }: World, value) =>
    Effect.provideService(call(value), ProcessStore, store)

type Operations<Service> = Readonly<Record<keyof Service, ReadonlyArray<Operation>>>

/** Of what takes nothing. */
const takesNothing: ReadonlyArray<Operation> = []

const ofRetention: Operations<typeof Retention.Service> = {
  pruneTerminalProcesses: [
    on("pruneTerminalProcesses: options that are", /^options/, notOptions, ({ retention }, value) =>
      retention.pruneTerminalProcesses(value)
    ),
    on(
      "pruneTerminalProcesses: a field that is",
      /filter|cutoff|watermark|onProgress|limit/i,
      {
        "a misspelt filter": { filters: filter },
        "a filter beside the options": filter,
        "a filter of another operation": { page: { limit: 1 } },
        "a limit, which it has not": { limit: 1 },
        "no filter": { filter: undefined },
        "a misspelt watermark": { watermarks: watermark },
        "a cutoff in capitals": { cutoffMS: 0 },
        "a progress that is no function": { onProgress: 5 },
        "a progress that is null": { onProgress: null }
      },
      ({ retention }, value) => retention.pruneTerminalProcesses({ ...everything, ...(value as object) })
    ),
    on("pruneTerminalProcesses: a filter that is", /filter/, { ...notFilters, undefined }, ({ retention }, value) =>
      retention.pruneTerminalProcesses({ ...everything, filter: value })
    ),
    on("pruneTerminalProcesses: a cutoff that is", /cutoff/, { ...notCounts, undefined }, ({ retention }, value) =>
      retention.pruneTerminalProcesses({ ...everything, cutoffMs: value })
    ),
    on("pruneTerminalProcesses: a watermark that is", /watermark|cursor/, notWatermarks, ({ retention }, value) =>
      retention.pruneTerminalProcesses({ ...everything, watermark: value })
    )
  ],
  compactTombstones: [
    on("compactTombstones: a cutoff that is", /cutoff/, { ...notCounts, undefined }, ({ retention }, value) =>
      retention.compactTombstones(value, watermark)
    ),
    on("compactTombstones: a watermark that is", /watermark|cursor/, notWatermarks, ({ retention }, value) =>
      retention.compactTombstones(0, value)
    )
  ],
  referenceSummary: takesNothing
}

const ofOutbox: Operations<typeof WakeOutbox.Service> = {
  claim: [on("claim: a limit that is", /^limit/, notLimits, ({ outbox }, value) => outbox.claim(value))],
  settle: [
    on(
      "settle: a claim that is",
      /^claim|^number|^token/,
      {
        ...notRecords,
        ...unreadable,
        "a numbered token": { number: 1, token: 5 },
        "a number that is text": { number: "1", token: "t" }
      },
      ({ outbox }, value) => outbox.settle(value, { _tag: "Enqueued" })
    ),
    on(
      "settle: a settlement that is",
      /^settlement/,
      {
        ...notRecords,
        ...unreadable,
        "an unknown one": { _tag: "Lost" },
        "a delay that is negative": { _tag: "Defer", delayMs: -1, seen: "no" },
        "a discard for no reason": { _tag: "Discard" },
        "a field that is misspelt": { _tag: "Enqueued", at: 1 }
      },
      ({ outbox }, value) => outbox.settle({ number: 1, token: "t" }, value)
    )
  ],
  redrive: [on("redrive: a wake id that is", /^wake_id/, notIds, ({ outbox }, value) => outbox.redrive(value))],
  rowsOf: [on("rowsOf: a wake id that is", /^wake_id/, notIds, ({ outbox }, value) => outbox.rowsOf(value))],
  list: [
    on(
      "list: a query that is",
      /^query|^limit/,
      {
        ...notOptions,
        "an unknown field": { state: "pending" },
        "a state that is none": { states: ["nonsense"] },
        "a place that is text": { before: "1" },
        "a process that is a number": { processId: 5 }
      },
      ({ outbox }, value) => outbox.list(value)
    ),
    on("list: a limit that is", /limit/, notLimits, ({ outbox }, value) => outbox.list({ limit: value }))
  ],
  isDue: takesNothing,
  report: takesNothing
}

const ofFeed: Operations<typeof ChangeFeed.Service> = {
  beginning: takesNothing,
  changesSince: [
    on("changesSince: a cursor that is", /^cursor/, notCursors, ({ feed }, value) => feed.changesSince(value, 1)),
    on("changesSince: a limit that is", /^limit/, notCounts, ({ feed }, value) =>
      feed.changesSince(feed.beginning, value)
    )
  ]
}

const others: ReadonlyArray<Operation> = [
  on(
    "verify: options that are",
    /^options|^ids|^sample/,
    {
      ...notNamed,
      "an unknown field": { idz: [p] },
      "one id": { ids: p },
      "a number of ids": { ids: 5 },
      "numbered ids": { ids: [5] },
      "a broken id": { ids: ["\ud800"] },
      "no id": { ids: null }
    },
    alone(verify)
  ),
  on(
    "verify: a sample that is",
    /^sample/,
    notCounts,
    alone((value) => verify({ sample: value }))
  ),
  on(
    "resumeFrom: an id that is",
    /^process_id/,
    notIds,
    alone((value) => resumeFrom(value, { from: 1 }))
  ),
  on(
    "resumeFrom: options that are",
    /^options/,
    {
      ...notRecords,
      ...unreadable,
      "a misspelt dry run": { from: 1, dryrun: true },
      "a place of nothing": { from: 0 },
      "children that are sold": { from: 1, children: "sell" }
    },
    alone((value) => resumeFrom(p, value))
  ),
  on(
    "migrateAll: options that are",
    /^options|^dryRun|^batch|^onProgress/,
    {
      ...notNamed,
      ...named("dryRun", { "a text": "no", "a number": 0, null: null }),
      ...named("batch", noCounts),
      ...named("onProgress", { "a number": 5, null: null }),
      "a misspelt dry run": { dryrun: true }
    },
    alone((value) => migrateAll(machine, value))
  )
]

refusesAll([...[ofRetention, ofOutbox, ofFeed].flatMap((table) => Object.values(table).flat()), ...others])
