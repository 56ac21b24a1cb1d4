/**
 * Examples of the events and inputs of the library's machines: what a form for stepping by hand begins with.
 */

/** The fields of events beside their type, by that type. */
type Samples = Readonly<Record<string, Readonly<Record<string, unknown>>>>

const owner = { ownerId: "worker", incarnationId: "1", liveness: { _tag: "Opaque" } }

const wait = {
  kind: { _tag: "Signal", name: "approve", eventType: "signal.approve", key: "process:p:signal.approve:1", ordinal: 1 },
  sinceMs: 3
}

const process: Samples = {
  "process.started": { atMs: 1, owner, startedAtMs: 1, attempt: 1 },
  "process.suspended": { atMs: 2, reason: "handed_back" },
  "process.waiting": { atMs: 3, wait },
  "process.resumed": { atMs: 4, waitKey: wait.kind.key, outcome: { _tag: "Signal", sequence: 3 } },
  "process.cancel_requested": { atMs: 5, reason: "no longer needed" },
  "process.abandon_requested": { atMs: 6, request: { requestedBy: "operator", requestedAtMs: 6 } },
  "process.external_ref_set": { atMs: 7, externalRef: { backend: "ci", id: "build-7" } },
  "process.wake_target_cleared": { atMs: 8, sessionId: "s1" },
  "process.completed": { atMs: 9, output: { _tag: "Success", value: { answer: 42 } } },
  "process.failed": { atMs: 9, output: { _tag: "Failure", class: "execution", code: "Broken", message: "it broke" } },
  "process.cancelled": { atMs: 9, output: { _tag: "Cancelled", message: "no longer needed" } },
  "process.abandoned": { atMs: 9, output: { _tag: "Abandoned", evidence: { writer: "sweep", owner, epochMs: 9 } } },
  "process.noted": { atMs: 10 }
}

const supervisor: Samples = {
  "supervisor.start_requested": { atMs: 1 },
  "child.started": { name: "sweep", atMs: 2 },
  "child.exited": { name: "sweep", atMs: 3, exit: "failure", problem: "it broke" },
  "restart.due": { name: "sweep", atMs: 4 },
  "child.stopped": { name: "sweep", atMs: 5 },
  "supervisor.stop_requested": { atMs: 6 }
}

const machines: Readonly<Record<string, { readonly input?: unknown; readonly events: Samples }>> = {
  process: { input: { createdAtMs: 0, wakeTarget: null }, events: process },
  sweep: { input: { intervalMs: 1_000 }, events: { "rows.found": { count: 2 } } },
  host: { events: { "supervisor.escalated": { child: "sweep", problem: "it broke" } } },
  supervisor: {
    input: {
      strategy: "one_for_one",
      intensity: { maxRestarts: 3, periodMs: 60_000 },
      backOff: { baseMs: 100, maxMs: 10_000 },
      children: [
        { name: "keeper", restart: "permanent", shutdownMs: 5_000 },
        { name: "sweep", restart: "permanent", shutdownMs: 5_000 }
      ]
    },
    events: supervisor
  }
}

/** An example of an event; of one that is not known here, its type alone. */
export const sampleFor = (machine: string, event: string): unknown => ({
  type: event,
  ...machines[machine]?.events[event]
})

/** An example of what a machine begins with. */
export const sampleInput = (machine: string): unknown => machines[machine]?.input ?? {}
