/**
 * Random histories: what may be done to a few processes by a few owners, as data that any store can be put through.
 *
 * A command names its process, owner and lease by a small number, so that random histories meet: the same process is claimed,
 * lost, ended and asked for by different owners. A lease number means "the n-th lease acquired so far, round and round".
 */
import * as FastCheck from "effect/FastCheck"
import type { Disposition } from "../../machines/recovery.ts"
import type { AwaitOutput } from "../model/AwaitOutput.ts"
import * as Output from "../model/AwaitOutput.ts"
import type { AppendRequest, SuspendReason } from "../model/facts.ts"
import type { CompletionAuthority } from "../operations/decisions/completion.ts"
import { outputs } from "./fixtures.ts"

/** On whose behalf a command writes; a body presents a lease. */
export type Writer = { readonly _tag: "External" } | { readonly _tag: "Body"; readonly lease: number }

/** One thing that may be done. Units: `ttlMs` and `ms` are milliseconds. */
export type Command =
  | {
      readonly _tag: "Register"
      readonly process: number
      readonly disposition: Disposition
      readonly maxAttempts?: number
    }
  | {
      readonly _tag: "Start"
      readonly process: number
      readonly parent?: number
      readonly ready: boolean
      readonly writer: Writer
    }
  | { readonly _tag: "Append"; readonly process: number; readonly request: AppendRequest; readonly writer: Writer }
  | { readonly _tag: "Claim"; readonly process: number; readonly owner: number; readonly ttlMs: number }
  | { readonly _tag: "Reclaim"; readonly process: number; readonly owner: number; readonly lease: number }
  | { readonly _tag: "Renew"; readonly lease: number; readonly ttlMs: number }
  | { readonly _tag: "Release"; readonly lease: number }
  | { readonly _tag: "Begin"; readonly lease: number }
  | { readonly _tag: "Suspend"; readonly lease: number; readonly reason: SuspendReason }
  | { readonly _tag: "RecordFirstStarted"; readonly process: number; readonly owner: number }
  | { readonly _tag: "CompleteWithLease"; readonly lease: number; readonly output: AwaitOutput }
  | {
      readonly _tag: "Complete"
      readonly process: number
      readonly output: AwaitOutput
      readonly authority: CompletionAuthority
    }
  | { readonly _tag: "Cancel"; readonly process: number; readonly reason: string | null; readonly writer: Writer }
  | { readonly _tag: "Abandon"; readonly process: number; readonly requestedBy: string }
  | { readonly _tag: "Recover"; readonly process: number; readonly engine: "present" | "missing" }
  | { readonly _tag: "Kill"; readonly owner: number }
  | { readonly _tag: "Advance"; readonly ms: number }

/** How many processes and owners a history is about; the last process is not registered from the start. */
export const population = { processes: 4, owners: 3 } as const

/** One of the processes, by its number. */
export const process: FastCheck.Arbitrary<number> = FastCheck.nat(population.processes - 1)
const owner = FastCheck.nat(population.owners - 1)
const lease = FastCheck.nat(5)
const ttlMs = FastCheck.constantFrom(0, 20, 1_000)

/** A member of a union: its tag, and what its fields may be. */
export const tagged = <Tag extends string, Fields>(
  tag: Tag,
  fields: { [Key in keyof Fields]: FastCheck.Arbitrary<Fields[Key]> }
): FastCheck.Arbitrary<{ readonly _tag: Tag } & Fields> =>
  FastCheck.record({ _tag: FastCheck.constant(tag), ...fields }) as unknown as FastCheck.Arbitrary<
    { readonly _tag: Tag } & Fields // the record of its fields, which the compiler does not see through the spread
  >

/** On whose behalf an operation writes: mostly without a lease. */
export const writer: FastCheck.Arbitrary<Writer> = FastCheck.oneof(
  { weight: 2, arbitrary: FastCheck.constant<Writer>({ _tag: "External" }) },
  { weight: 1, arbitrary: tagged("Body", { lease }) }
)

/** Any of the four kinds of output, and two that differ in nothing but their value. */
export const output: FastCheck.Arbitrary<AwaitOutput> = FastCheck.constantFrom(
  ...Object.values(outputs),
  Output.success("another")
)

/** JSON of any shape, with the strings that encodings get wrong. */
export const payload: FastCheck.Arbitrary<unknown> = FastCheck.oneof(
  FastCheck.jsonValue({ maxDepth: 2 }),
  FastCheck.constantFrom<unknown>("🦀\u0000ü", { text: "x" }, { result: 1 }, { urgent: true, text: "wake" }, {})
).filter((value) => !JSON.stringify(value).includes("__proto__"))

/** A wish to append: declared and undeclared types, fitting and unfitting payloads, few keys so that some are replays. */
export const appendRequest: FastCheck.Arbitrary<AppendRequest> = FastCheck.record(
  {
    eventType: FastCheck.constantFrom(
      "note",
      "note",
      "line",
      "progress",
      "finished",
      "broken",
      "unheard.of",
      "process.started"
    ),
    payload,
    replayKey: FastCheck.constantFrom("", "a", "b")
  },
  { requiredKeys: ["eventType", "payload"] }
)

const authority: FastCheck.Arbitrary<CompletionAuthority> = FastCheck.constantFrom<CompletionAuthority>(
  { _tag: "ExternalOwner" },
  { _tag: "WorkflowKey", workflowKey: "w" },
  { _tag: "ReconciledAbandon" }
)

/** Any of the three dispositions. */
export const disposition: FastCheck.Arbitrary<Disposition> = FastCheck.constantFrom<Disposition>(
  "rerunnable",
  "owner_bound",
  "externally_owned"
)

const register: FastCheck.Arbitrary<Command> = FastCheck.record(
  {
    _tag: FastCheck.constant("Register" as const),
    process,
    disposition,
    maxAttempts: FastCheck.constantFrom(1, 2)
  },
  { requiredKeys: ["_tag", "process", "disposition"] }
)

const start: FastCheck.Arbitrary<Command> = FastCheck.record(
  { _tag: FastCheck.constant("Start" as const), process, parent: process, ready: FastCheck.boolean(), writer },
  { requiredKeys: ["_tag", "process", "ready", "writer"] }
)

/** One thing that may be done. */
export const command: FastCheck.Arbitrary<Command> = FastCheck.oneof(
  { weight: 3, arbitrary: register },
  { weight: 2, arbitrary: start },
  { weight: 5, arbitrary: tagged("Append", { process, request: appendRequest, writer }) },
  { weight: 4, arbitrary: tagged("Claim", { process, owner, ttlMs }) },
  { weight: 1, arbitrary: tagged("Reclaim", { process, owner, lease }) },
  { weight: 1, arbitrary: tagged("Renew", { lease, ttlMs }) },
  { weight: 1, arbitrary: tagged("Release", { lease }) },
  { weight: 3, arbitrary: tagged("Begin", { lease }) },
  {
    weight: 2,
    arbitrary: tagged("Suspend", {
      lease,
      reason: FastCheck.constantFrom<SuspendReason>("handed_back", "passivated", "lease_lost")
    })
  },
  { weight: 1, arbitrary: tagged("RecordFirstStarted", { process, owner }) },
  { weight: 2, arbitrary: tagged("CompleteWithLease", { lease, output }) },
  { weight: 2, arbitrary: tagged("Complete", { process, output, authority }) },
  { weight: 1, arbitrary: tagged("Cancel", { process, reason: FastCheck.constantFrom(null, "stop"), writer }) },
  { weight: 1, arbitrary: tagged("Abandon", { process, requestedBy: FastCheck.constantFrom("operator", "host") }) },
  {
    weight: 4,
    arbitrary: tagged("Recover", {
      process,
      engine: FastCheck.constantFrom<"present" | "missing">("present", "missing")
    })
  },
  { weight: 1, arbitrary: tagged("Kill", { owner }) },
  { weight: 3, arbitrary: tagged("Advance", { ms: FastCheck.constantFrom(1, 20, 1_000) }) }
)

/** What was done, in order; it begins with processes to do it to. */
export const history: FastCheck.Arbitrary<ReadonlyArray<Command>> = FastCheck.tuple(
  FastCheck.tuple(disposition, disposition, disposition),
  FastCheck.array(command, { minLength: 6, maxLength: 20, size: "max" })
).map(([dispositions, rest]) => [
  ...dispositions.map((each, index): Command => ({ _tag: "Register", process: index, disposition: each })),
  ...rest
])
