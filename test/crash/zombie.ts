/**
 * A zombie: it holds a lease, freezes until somebody else holds the process, and then tries every write of a body.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { AwaitOutput, Ids, type SingleHost } from "../../src/index.ts"
import { Provenance, Registration } from "../../src/model.ts"
import { Leases, ProcessRegistry, Waits } from "../../src/operations.ts"
import type * as Engines from "./engines.ts"
import { captured, heldId, services, signalName, waitKey } from "./engines.ts"
import { rowsOf } from "./rows.ts"
import type { Attempt, Fact } from "./sideLog.ts"
import { activationsHere, declared, prepared, sweepUntil, takeByHand } from "./workload.ts"

/** A process that nobody runs. */
const bystanderId = "bystander"

/** Whether a worker's actor runs the lost process, or a driver of its own that has no keeper. */
export type Driving = "worker" | "by hand"

type Try = readonly [name: string, effect: Effect.Effect<unknown, { readonly _tag: string }>]

/** Plays it. Units: `ttlMs` milliseconds. */
export const play = (options: {
  readonly database: string
  readonly engines: ReturnType<typeof Engines.make>
  readonly tell: (fact: Fact) => Effect.Effect<void>
  readonly driving: Driving
  readonly ttlMs: number
}) =>
  Effect.gen(function* () {
    const { database, engines, tell, driving, ttlMs } = options
    yield* Deferred.succeed(services, yield* Effect.context<SingleHost.HostServices>())
    const registry = yield* ProcessRegistry.ProcessRegistry
    yield* registry.registerProcess(declared(heldId, "held", null))
    const bystander = { _tag: "External", metadata: null } as const
    yield* registry.registerProcess({
      ...Registration.make(Ids.processId(bystanderId), bystander, "externally_owned", Provenance.host),
      eventTypes: declared(heldId, "held", null).eventTypes
    })
    const viaContext: Array<Try> = []
    let lease: Effect.Effect.Success<ReturnType<typeof takeByHand>>
    if (driving === "by hand") lease = yield* takeByHand(heldId, ttlMs)
    else {
      yield* sweepUntil(Deferred.isDone(captured))
      const held = yield* Deferred.await(captured)
      lease = held.lease
      viaContext.push(
        ["start a child by the context", held.context.start(engines.Step, { name: "late", payload: 1 })],
        ["cancel a child by its handle", held.cancelChild]
      )
    }
    const attempts = [...(yield* writesUnder(lease)), ...viaContext]
    yield* tell({ fact: "freezing", attempts: attempts.length })
    yield* Effect.sync(() => process.kill(process.pid, "SIGSTOP"))
    const tried = yield* Effect.forEach(attempts, ([name, effect]) => attempt(database, name, effect))
    yield* tell({ fact: "tried", attempts: tried })
  })

/** Every write that is made on behalf of a body. The release is by token alone, and silent: it must change nothing. */
const writesUnder = (lease: Effect.Effect.Success<ReturnType<typeof takeByHand>>) =>
  Effect.gen(function* () {
    const registry = yield* ProcessRegistry.ProcessRegistry
    const leases = yield* Leases.Leases
    const waits = yield* Waits.Waits
    const activations = yield* activationsHere
    const id = Ids.processId(heldId)
    const bystander = Ids.processId(bystanderId)
    const body = { _tag: "Body", lease } as const
    const output = AwaitOutput.success("by a zombie")
    const eventType = Ids.signalEventType(signalName)
    const wait = {
      kind: { _tag: "Signal", name: signalName, eventType, key: waitKey(heldId), ordinal: 1 },
      sinceMs: 0
    } as const
    const child = prepared({
      ...declared(`${heldId}/late`, "step", 1),
      parent: { processId: id, closePolicy: "cancel" }
    })
    const writes: ReadonlyArray<Try> = [
      ["renew", leases.renewProcessLease(lease, 30_000)],
      ["append", registry.appendEvent(id, { eventType: "note", payload: {} }, body)],
      ["append as a sweep", registry.appendEvent(id, { eventType: "note", payload: {} }, { _tag: "Sweep", lease })],
      ["enter a wait", waits.setProcessWait(id, wait, body)],
      ["end a wait", waits.clearProcessWait(id, body)],
      ["set an external reference", registry.setExternalRef(id, { backend: "zombie", id: "1" }, body)],
      ["start a child", activations.start(child, body)],
      ["cancel another process", registry.requestProcessCancel(bystander, "by a zombie", body)],
      ["signal another process", registry.appendEvent(bystander, { eventType, payload: {} }, body)],
      ["hand back", activations.suspend(lease, "handed_back")],
      ["complete", activations.complete(lease, output)],
      ["complete by the registry", registry.completeProcessWithLease(lease, output)],
      ["release", leases.completeProcessLease(lease)]
    ]
    return writes
  })

const attempt = (
  database: string,
  name: string,
  effect: Effect.Effect<unknown, { readonly _tag: string }>
): Effect.Effect<Attempt> =>
  Effect.gen(function* () {
    const before = yield* dump(database)
    const answer = yield* Effect.match(effect, { onFailure: ({ _tag }) => _tag, onSuccess: () => "accepted" })
    const after = yield* dump(database)
    const changed = [...after].filter((row) => !before.has(row)).concat([...before].filter((row) => !after.has(row)))
    return { name, answer, changed }
  })

/** Everything that is in the tables, row by row, but for what the present holder's renewals move. */
const dump = (database: string): Effect.Effect<ReadonlySet<string>> =>
  Effect.promise(async () => {
    const tables = ["process", "state", "event", "handle_grant", "wake_ack", "tombstone"]
    const lease = "pk, lease_token, owner_id, incarnation_id, claimed_at, keeper"
    const selections = [...tables.map((table) => [table, "*"] as const), ["lease", lease] as const]
    const found = await Promise.all(
      selections.map(async ([table, columns]) =>
        (await rowsOf(database, `SELECT ${columns} FROM ${table}`)).map((row) => `${table} ${JSON.stringify(row)}`)
      )
    )
    return new Set(found.flat())
  })
