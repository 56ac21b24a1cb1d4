/**
 * Histories of the lifecycle for properties: every event type, each in the variants that a guard tells apart.
 */
import * as FC from "effect/FastCheck"
import type { ProcessSnapshot } from "../../machines/process/lifecycle.ts"
import type { ProcessEvent } from "../../machines/process/types.ts"

const owner = { ownerId: "worker", incarnationId: "life-1", liveness: { _tag: "Opaque" } } as const
const wait = (key: string, name: string) =>
  ({ kind: { _tag: "Signal", name, eventType: `signal.${name}`, key, ordinal: 1 }, sinceMs: 5 }) as const

/** Every event type, each in the variants that a guard tells apart; `atMs` is given by the place in the history. */
const alphabet: ReadonlyArray<ProcessEvent> = [
  { type: "process.started", atMs: 0, owner, startedAtMs: 7, attempt: 1 },
  { type: "process.started", atMs: 0, owner: { ...owner, incarnationId: "life-2" }, startedAtMs: 8, attempt: 2 },
  { type: "process.suspended", atMs: 0, reason: "handed_back" },
  { type: "process.waiting", atMs: 0, wait: wait("k1", "ready") },
  { type: "process.waiting", atMs: 0, wait: wait("k2", "go") },
  { type: "process.resumed", atMs: 0, waitKey: "k1", outcome: { _tag: "Signal", sequence: 4 } },
  { type: "process.resumed", atMs: 0, waitKey: "k2", outcome: { _tag: "Timeout" } },
  { type: "process.cancel_requested", atMs: 0, reason: "stop" },
  { type: "process.cancel_requested", atMs: 0, reason: null },
  { type: "process.abandon_requested", atMs: 0, request: { requestedBy: "ana", requestedAtMs: 3 } },
  { type: "process.external_ref_set", atMs: 0, externalRef: { backend: "b", id: "i", metadata: { n: [1] } } },
  { type: "process.wake_target_cleared", atMs: 0, sessionId: "s" },
  { type: "process.wake_target_cleared", atMs: 0, sessionId: "other" },
  { type: "process.completed", atMs: 0, output: { _tag: "Success", value: { x: 1 } } },
  { type: "process.failed", atMs: 0, output: { _tag: "Failure", class: "execution", code: "c", message: "m" } },
  { type: "process.cancelled", atMs: 0, output: { _tag: "Cancelled", message: "m" } },
  {
    type: "process.abandoned",
    atMs: 0,
    output: { _tag: "Abandoned", evidence: { writer: "sweep", owner, epochMs: 9 } }
  },
  { type: "process.noted", atMs: 0 }
]

const nonTerminal = alphabet.filter((event) => !("output" in event))

/** Long histories without an end, then a few events of any kind, so that every state is visited often. */
export const history: FC.Arbitrary<ReadonlyArray<ProcessEvent>> = FC.tuple(
  FC.array(FC.constantFrom(...nonTerminal), { maxLength: 12 }),
  FC.array(FC.constantFrom(...alphabet), { maxLength: 4 })
).map(([body, tail]) => [...body, ...tail].map((event, index) => ({ ...event, atMs: 100 + index })))

/** What every history begins with. */
export const input = { createdAtMs: 1, wakeTarget: { sessionId: "s", agentFrameId: "f" } }

/** What can be seen of a snapshot. */
export const visible = (snapshot: ProcessSnapshot) => ({
  value: snapshot.value,
  context: snapshot.context,
  status: snapshot.status,
  output: snapshot.output,
  error: snapshot.error,
  tags: [...snapshot.tags],
  children: Object.keys(snapshot.children),
  historyValue: snapshot.historyValue
})

/** XState's actions as our commands. */
export const commandsOf = (actions: ReadonlyArray<{ readonly type: string; readonly params?: unknown }>) =>
  actions.map((action) => ({ type: action.type, params: action.params ?? {} }))

/** A value that went through JSON. */
export const overJson = <A>(value: A): A => JSON.parse(JSON.stringify(value)) as A
