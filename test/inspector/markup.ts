/**
 * Processes, and parts of a host, in which every field that takes text holds markup that would run a script.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { AnyStateMachine } from "xstate"
import { assign, setup } from "xstate"
import { Processes } from "../../src/host/Processes.ts"
import type { InspectorParts } from "../../src/inspector/InspectorSource.ts"
import { plain } from "../../src/model/EventType.ts"
import { processId, signalEventType, signalWaitKey } from "../../src/model/ids.ts"
import * as Authority from "../../src/operations/decisions/authority.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import * as Waits from "../../src/operations/Waits.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import { fromMachine } from "../../src/runtime/engine/fromMachine.ts"
import { register } from "./fixtures.ts"

/** Markup that leaves whatever it is put in. It says first which field it is, since a long text may be cut. */
export const markup = (field: string): string =>
  `[${field}]"'></script></style></textarea><img src=x onerror="globalThis.ran='${field}'"><script>globalThis.ran='${field}'</script>`

/** The fields that the views show without being asked for more. */
export const seen: ReadonlyArray<string> = [
  ...["host", "id-of-waiting", "id-of-child", "id-of-failed", "id-of-work", "id-of-broken", "id-of-drawn"],
  ...["kind", "kind-of-engine", "label", "metadata-key", "metadata-value", "session", "property"],
  ...["event-type", "payload-key", "payload-value", "engine-key", "engine-value", "wake"],
  ...["code", "message", "name", "message-of-thrown", "data", "thrown", "thrown-code", "explained"],
  ...["step", "under-way", "machine", "state", "context-key", "context-value", "action"],
  ...["node", "node-kind", "node-state", "sweep-problem", "owner", "admitted", "ended", "deferred", "deferred-problem"],
  ...["wake-id", "wake-process", "target", "discarded", "blocked", "unblocked-by"]
]

const declared = { version: markup("version"), success: Schema.Unknown, disposition: "rerunnable" } as const

const Work = Engine.make(markup("kind-of-engine"), {
  ...declared,
  payload: Schema.Unknown,
  run: (_, ctx) =>
    Effect.gen(function* () {
      yield* ctx.step(markup("step"), Effect.succeed({ [markup("step-key")]: markup("step-value") }))
      yield* ctx.step(markup("under-way"), ({ report }) =>
        Effect.zipRight(Effect.orDie(report(markup("progress"))), Effect.never)
      )
    })
})

const Broken = Engine.make("broken", {
  ...declared,
  payload: Schema.Unknown,
  run: () =>
    Effect.sync(() => {
      throw Object.assign(new Error(markup("thrown"), { cause: new Error(markup("cause")) }), {
        name: markup("thrown-name"),
        code: markup("thrown-code"),
        stack: markup("stack")
      })
    })
})

const machine = setup({
  types: { context: {} as Record<string, string>, events: {} as { readonly type: string } },
  actions: { [markup("action")]: () => {} }
}).createMachine({
  id: markup("machine"),
  description: markup("machine-description"),
  context: { [markup("context-key")]: markup("context-value") },
  initial: markup("state").replaceAll(".", ""),
  states: {
    [markup("state").replaceAll(".", "")]: {
      description: markup("state-description"),
      on: { go: { description: markup("transition"), actions: [assign({}), markup("action")] } }
    }
  }
} as never) as unknown as AnyStateMachine // its names are of this test

const Drawn = fromMachine(machine, {
  version: markup("machine-version"),
  input: Schema.Undefined as Schema.Schema<undefined, unknown>,
  events: { go: Schema.Struct({}) },
  actions: { [markup("action")]: () => Effect.void }
} as never) as unknown as typeof Work // it takes no input

/** What runs them. */
export const engines = [Work, Broken, Drawn] as const

/** The ids of the processes. */
export const ids = {
  work: markup("id-of-work"),
  broken: markup("id-of-broken"),
  drawn: markup("id-of-drawn"),
  waiting: markup("id-of-waiting"),
  child: markup("id-of-child"),
  failed: markup("id-of-failed")
}

/** Starts and ends processes whose every field is markup. */
export const furnish = Effect.gen(function* () {
  const registry = yield* ProcessRegistry
  const processes = yield* Processes
  const type = markup("event-type")
  // The names of signals are letters and digits.
  const signal = "approve"
  yield* register(ids.waiting, {
    input: { _tag: "External", metadata: { [markup("metadata-key")]: [markup("metadata-value")] } },
    identity: { kind: markup("kind"), label: markup("label") },
    provenance: {
      originator: { _tag: "Session", scope: { sessionId: markup("session"), agentFrameId: markup("frame") } }
    },
    wakeTarget: { sessionId: markup("wake-session"), agentFrameId: "f" },
    eventTypes: [
      plain(type),
      plain(`signal.${signal}`, {
        type: "object",
        title: markup("schema-title"),
        description: markup("schema-description"),
        properties: {
          [markup("property")]: { type: "string", description: markup("property-description") },
          choice: { enum: [markup("choice"), "b"] },
          given: { type: "string", default: markup("default"), examples: [markup("example")] }
        }
      }),
      {
        name: "call",
        payloadSchema: { schema: {} },
        semantics: { wake: { input: { pointer: "/text" }, dedupeKey: { selector: { pointer: "/key" } } } }
      }
    ]
  })
  const id = processId(ids.waiting)
  const payload = { [markup("payload-key")]: markup("payload-value") }
  yield* registry.appendEvent(id, { eventType: type, payload, replayKey: markup("replay-key") }, Authority.host)
  const call = { eventType: "call", payload: { text: markup("wake"), key: markup("wake-key") } }
  yield* registry.appendEvent(id, call, Authority.host)
  const key = signalWaitKey(id, signal, 1)
  const kind = { _tag: "Signal" as const, name: signal, eventType: signalEventType(signal), key, ordinal: 1 }
  yield* (yield* Waits.Waits).setProcessWait(id, { kind, sinceMs: 1_000 }, Authority.host)
  yield* register(ids.child, { parent: { processId: id, closePolicy: "cancel" } })
  yield* registry.requestProcessCancel(processId(ids.child), markup("cancel-reason"), Authority.host)
  const request = { requestedBy: markup("who"), requestedAtMs: 1, reason: markup("abandon-reason") }
  yield* registry.requestProcessAbandon(processId(ids.child), request, Authority.host)
  yield* register(ids.failed)
  yield* registry.completeProcess(
    processId(ids.failed),
    {
      _tag: "Failure",
      class: "execution",
      code: markup("code"),
      message: markup("message"),
      thrown: { name: markup("name"), message: markup("message-of-thrown"), data: { [markup("data")]: 1 } }
    },
    { _tag: "ExternalOwner" }
  )
  yield* processes.start(Work, { id: ids.work, payload: { [markup("engine-key")]: markup("engine-value") } })
  yield* processes.start(Broken, { id: ids.broken, payload: null })
  yield* processes.start(Drawn, { id: ids.drawn, payload: undefined })
})

/** Parts of a host as a program may provide them. */
export const parts: InspectorParts = {
  tree: Effect.succeed({
    name: markup("node"),
    kind: markup("node-kind"),
    state: markup("node-state"),
    note: markup("node-note"),
    last_failure: markup("node-failure"),
    [markup("node-field")]: markup("node-value"),
    children: []
  }),
  sweeps: Effect.succeed([
    {
      at_ms: 1_700_000_000_000,
      problem: markup("sweep-problem"),
      dead: [{ owner_id: markup("owner"), leases: 1 }],
      admitted: [markup("admitted")],
      ended: [{ id: markup("ended"), as: markup("ended-as") }],
      deferred: [{ id: markup("deferred"), reason: { why: markup("why"), problem: markup("deferred-problem") } }]
    }
  ]),
  wakes: Effect.succeed({
    counts: { pending: 1, discarded: { [markup("count")]: 1 } },
    rows: [
      {
        wake_id: markup("wake-id"),
        process_id: markup("wake-process"),
        sequence: 1,
        event_type: markup("wake-event"),
        target_session_id: markup("target"),
        state: "discarded",
        discard_reason: markup("discarded"),
        attempts: 1,
        blocked_by: markup("blocked-by")
      }
    ],
    blocked: [{ process_id: markup("blocked"), target_scope_id: markup("scope"), unblocked_by: markup("unblocked-by") }]
  }),
  explain: () => Effect.succeed({ text: `${markup("explained")}\n${markup("explained-more")}` }),
  redrive: () => Effect.fail({ _tag: "InputInvalid", message: markup("refusal") })
}
