/**
 * Laws of wakes: which events call for a message to a session, under which id, and until when they do.
 */
import * as Effect from "effect/Effect"
import type { EventType } from "../../model/EventType.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { SessionScope } from "../../model/Provenance.ts"
import { external } from "../../operations/decisions/authority.ts"
import { HandleGrants } from "../../operations/HandleGrants.ts"
import { ProcessRegistry } from "../../operations/ProcessRegistry.ts"
import { note, refused, writesNothing } from "../evidence.ts"
import { endedByLease, eventTypes, freshId, freshProcess } from "../fixtures.ts"
import type { Law } from "../Law.ts"
import { expectEquals, lawsOf } from "../Law.ts"

/** The laws of wakes. */
export const laws: ReadonlyArray<Law> = lawsOf("ADR 0017", {
  "a wake id follows from the target scope and the dedupe key alone": function* () {
    const registry = yield* ProcessRegistry
    for (const [wakeTargetScope, request, wakeId] of golden) {
      for (const id of [yield* wakingProcess(), yield* wakingProcess()]) {
        for (const _ of [1, 2]) {
          const { wakeDelivery } = yield* registry.appendEvent(id, { ...request, wakeTargetScope }, external)
          yield* expectEquals("the wake id", wakeDelivery?.wakeId, wakeId)
        }
      }
    }
  },

  "a session and each of its frames are woken under different ids": function* () {
    const registry = yield* ProcessRegistry
    const id = yield* wakingProcess()
    const scopes = [{ sessionId: "s" }, { sessionId: "s", agentFrameId: "f" }, { sessionId: "s", agentFrameId: "g" }]
    const deliveries = yield* Effect.forEach(scopes, (wakeTargetScope) =>
      Effect.map(registry.appendEvent(id, { ...merged, wakeTargetScope }, external), (receipt) => receipt.wakeDelivery)
    )
    yield* expectEquals(
      "the targets",
      deliveries.map((delivery) => [delivery?.targetSessionId, delivery?.targetScopeId]),
      [
        ["s", "session:s"],
        ["s", "session:s/frame:f"],
        ["s", "session:s/frame:g"]
      ]
    )
    yield* expectEquals("how many ids", new Set(deliveries.map((delivery) => delivery?.wakeId)).size, 3)
  },

  "a delivery says whom to wake with what, and which event of which process calls for it": function* () {
    const registry = yield* ProcessRegistry
    const causedBy = { _tag: "Turn", sessionId: "s", turnId: "t" } as const
    const id = yield* wakingProcess({ wakeTarget: { sessionId: "s" }, provenance: { originator, causedBy } })
    yield* registry.appendEvent(id, note(1), external)
    const { event, wakeDelivery } = yield* registry.appendEvent(id, { ...progress, replayKey: "k" }, external)
    yield* expectEquals("the delivery", wakeDelivery, {
      wakeId: wakeDelivery?.wakeId,
      targetSessionId: "s",
      targetScopeId: "session:s",
      processId: id,
      sequence: 2,
      eventType: "progress",
      eventInvocation: {
        scope: { sessionId: "runtime" },
        subject: { _tag: "ProcessEvent", processId: id, sequence: 2, eventType: "progress" },
        causedBy: { _tag: "Process", processId: id },
        replay: { key: "k" }
      },
      processCausedBy: causedBy,
      dedupeKey: `${id}:2`,
      input: "look",
      createdAtMs: event.occurredAtMs
    })
  },

  "the target an append names comes before that of the process": function* () {
    const registry = yield* ProcessRegistry
    const id = yield* wakingProcess({ wakeTarget: { sessionId: "own", agentFrameId: "f" } })
    const own = yield* registry.appendEvent(id, progress, external)
    yield* expectEquals("the own one", own.wakeDelivery?.targetScopeId, "session:own/frame:f")
    const wakeTargetScope = { sessionId: "named" }
    const named = yield* registry.appendEvent(id, { ...progress, wakeTargetScope }, external)
    yield* expectEquals("the named one", named.wakeDelivery?.targetScopeId, "session:named")
  },

  "a wake without a target is stored and listed, and calls for no delivery": function* () {
    const registry = yield* ProcessRegistry
    const id = yield* wakingProcess()
    const receipt = yield* registry.appendEvent(id, progress, external)
    yield* expectEquals("the delivery", receipt.wakeDelivery, undefined)
    const wake = { input: "look", dedupeKey: `${id}:1` }
    yield* expectEquals("what is stored", receipt.event.semantics, { wake })
    yield* expectEquals("what is listed", yield* registry.wakeEventsAfter(id, 0), [receipt.event])
  },

  "an event whose condition does not hold is stored without a wake, listed nowhere and delivered to nobody":
    function* () {
      const registry = yield* ProcessRegistry
      const id = yield* wakingProcess({ wakeTarget: { sessionId: "s" } })
      for (const request of [
        { eventType: "progress", payload: { urgent: false, text: "x" } },
        { eventType: "hinted", payload: { other: 1 } }
      ]) {
        const { event, wakeDelivery } = yield* registry.appendEvent(id, request, external)
        yield* expectEquals("its meaning", [event.semantics, wakeDelivery], [{}, undefined])
      }
      yield* expectEquals("what is listed", yield* registry.wakeEventsAfter(id, 0), [])
      const present = { eventType: "hinted", payload: { wake_input: null } }
      const { wakeDelivery } = yield* registry.appendEvent(id, present, external)
      yield* expectEquals("what is present wakes, also null", wakeDelivery?.input, "null")
    },

  "a replay answers the delivery anew, for the target that holds at that moment": function* () {
    const registry = yield* ProcessRegistry
    const grants = yield* HandleGrants
    const sessionId = `session-${crypto.randomUUID()}`
    const id = yield* wakingProcess({ wakeTarget: { sessionId } })
    const request = { ...progress, replayKey: "k" }
    const first = yield* registry.appendEvent(id, request, external)
    const replay = (wakeTargetScope?: SessionScope) =>
      writesNothing(
        [id],
        registry.appendEvent(id, wakeTargetScope === undefined ? request : { ...request, wakeTargetScope }, external)
      )
    yield* expectEquals("a replay", yield* replay(), first)
    const named = yield* replay({ sessionId: "named" })
    yield* expectEquals("one with a target", named.wakeDelivery?.targetScopeId, "session:named")
    yield* grants.deleteSessionProcessState(sessionId)
    const late = yield* replay()
    yield* expectEquals("one without a target", [late.event, late.wakeDelivery], [first.event, undefined])
  },

  "wakes are listed after a sequence, in order, until they are acknowledged; the record is not touched": function* () {
    const registry = yield* ProcessRegistry
    const id = yield* wakingProcess()
    const twin = yield* wakingProcess()
    for (const request of [progress, note(1), progress, merged]) yield* registry.appendEvent(id, request, external)
    yield* registry.appendEvent(twin, progress, external)
    yield* expectEquals("all", yield* wakesOf(id, 0), [1, 3, 4])
    yield* expectEquals("after 1", yield* wakesOf(id, 1), [3, 4])
    yield* expectEquals("beyond", [yield* wakesOf(id, 4), yield* wakesOf(id, Number.MAX_SAFE_INTEGER)], [[], []])
    for (const _ of [1, 2]) yield* writesNothing([id, twin], registry.ackWake(id, 3))
    yield* expectEquals("what is left", yield* wakesOf(id, 0), [1, 4])
    yield* writesNothing([id, twin], registry.ackWake(id, 1))
    yield* expectEquals("what is left then", yield* wakesOf(id, 0), [4])
    yield* expectEquals("of another process", yield* wakesOf(twin, 0), [1])
  },

  "any sequence may be acknowledged: of a note, of no event yet, of an ended process": function* () {
    const registry = yield* ProcessRegistry
    const id = yield* wakingProcess()
    yield* registry.appendEvent(id, note(1), external)
    for (const sequence of [0, 1, 2, 99]) yield* writesNothing([id], registry.ackWake(id, sequence))
    yield* registry.appendEvent(id, progress, external)
    yield* registry.appendEvent(id, progress, external)
    yield* expectEquals("what was acknowledged early", yield* wakesOf(id, 0), [3])
    const ended = yield* endedByLease
    yield* registry.appendEvent(ended, progress, external)
    yield* expectEquals("an ended one's", yield* wakesOf(ended, 0), [2])
    yield* writesNothing([ended], registry.ackWake(ended, 2))
    yield* expectEquals("nothing is left", yield* wakesOf(ended, 0), [])
  },

  "the wakes of an unknown process are refused, and so is a sequence that is none": function* () {
    const registry = yield* ProcessRegistry
    const unknown = yield* freshId
    yield* refused("the wakes", "ProcessUnknown", [unknown], registry.wakeEventsAfter(unknown, 0))
    yield* refused("an acknowledgement", "ProcessUnknown", [unknown], registry.ackWake(unknown, 1))
    const id = yield* wakingProcess()
    yield* registry.appendEvent(id, progress, external)
    for (const sequence of [-1, 0.5, Number.NaN]) {
      yield* refused("the wakes", "InputInvalid", [id], registry.wakeEventsAfter(id, sequence))
      yield* refused("an acknowledgement", "InputInvalid", [id], registry.ackWake(id, sequence))
    }
    yield* expectEquals("what is left", yield* wakesOf(id, 0), [1])
  }
})

const originator = { _tag: "Host" } as const

const progress = { eventType: "progress", payload: { urgent: true, text: "look" } }

const merged = { eventType: "merged", payload: "all of it" }

const keyed = (key: string) => ({ eventType: "keyed", payload: { key } })

/** From the specification: the same in every language. */
const golden: ReadonlyArray<
  readonly [SessionScope, { readonly eventType: string; readonly payload: unknown }, string]
> = [
  [{ sessionId: "target" }, keyed("proc-1:1"), "wake:edd8faa6b1eaf19c95095d51195fd40548f1b8531edce8e340d40a5575c419f6"],
  [
    { sessionId: "target-session", agentFrameId: "target-frame" },
    keyed("proc-provenance:1"),
    "wake:46cb109adef9ba0513a94be3a54c1a0adf5e05fcbbe38b46ba57e14f546b1e00"
  ],
  [{ sessionId: "root" }, merged, "wake:51dc335ff38dc3983b509f481f410868c1305dc00a8be990e1f123898d829e7d"]
]

const waking = (name: string, wake: EventType["semantics"]["wake"]): EventType => ({
  name,
  payloadSchema: { schema: {} },
  semantics: { ...(wake === undefined ? {} : { wake }) }
})

const wakeTypes: ReadonlyArray<EventType> = [
  ...eventTypes,
  waking("merged", { input: "payload", dedupeKey: { const: "constant-dedupe" } }),
  waking("keyed", { input: { const: "x" }, dedupeKey: { selector: { pointer: "/key" } } }),
  waking("hinted", {
    when: { present: "/wake_input" },
    input: { pointer: "/wake_input" },
    dedupeKey: "event_identity"
  })
]

const wakingProcess = (changes: Parameters<typeof freshProcess>[1] = {}) =>
  freshProcess("rerunnable", { ...changes, eventTypes: wakeTypes })

const wakesOf = (id: ProcessId, sequence: number) =>
  Effect.flatMap(ProcessRegistry, (registry) =>
    Effect.map(registry.wakeEventsAfter(id, sequence), (events) => events.map((event) => event.sequence))
  )
