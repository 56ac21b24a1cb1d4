/**
 * Laws of wakes: which events wake a session, and how the outbox merges them.
 */
import * as Effect from "effect/Effect"
import type { EventType } from "../../model/EventType.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { SessionScope } from "../../model/Provenance.ts"
import { external } from "../../operations/decisions/authority.ts"
import { ProcessRegistry } from "../../operations/ProcessRegistry.ts"
import { note, refused, rejectedAs, writesNothing } from "../evidence.ts"
import { claimed, endedByLease, eventTypes, freshId, freshOwner, freshProcess, longMs, outputs } from "../fixtures.ts"
import type { Law } from "../Law.ts"
import { expectEquals, lawsOf, wakeTimes } from "../Law.ts"
import { appended, claimsOf, look, rowsOf, sequencesOf, settled, statesOf, types, wakingProcess } from "../waking.ts"

const wakeLaws: ReadonlyArray<Law> = lawsOf("ADR 0017", {
  *"a wake id follows from the target scope and the dedupe key alone"({ registry }) {
    for (const [wakeTargetScope, request, wakeId] of golden) {
      for (const id of [yield* processWithWakes(), yield* processWithWakes()]) {
        for (const _ of [1, 2]) {
          const { wakeDelivery } = yield* registry.appendEvent(id, { ...request, wakeTargetScope }, external)
          yield* expectEquals("the wake id", wakeDelivery?.wakeId, wakeId)
        }
      }
    }
  },

  *"a session and each of its frames are woken under different ids"({ registry }) {
    const id = yield* processWithWakes()
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

  *"a delivery says whom to wake with what, and which event of which process calls for it"({ registry }) {
    const causedBy = { _tag: "Turn", sessionId: "s", turnId: "t" } as const
    const id = yield* processWithWakes({ wakeTarget: { sessionId: "s" }, provenance: { originator, causedBy } })
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

  *"the target an append names comes before that of the process"({ registry }) {
    const id = yield* processWithWakes({ wakeTarget: { sessionId: "own", agentFrameId: "f" } })
    const own = yield* registry.appendEvent(id, progress, external)
    yield* expectEquals("the own one", own.wakeDelivery?.targetScopeId, "session:own/frame:f")
    const wakeTargetScope = { sessionId: "named" }
    const named = yield* registry.appendEvent(id, { ...progress, wakeTargetScope }, external)
    yield* expectEquals("the named one", named.wakeDelivery?.targetScopeId, "session:named")
  },

  *"a wake without a target is stored and listed, and calls for no delivery"({ registry }) {
    const id = yield* processWithWakes()
    const receipt = yield* registry.appendEvent(id, progress, external)
    yield* expectEquals("the delivery", receipt.wakeDelivery, undefined)
    const wake = { input: "look", dedupeKey: `${id}:1` }
    yield* expectEquals("what is stored", receipt.event.semantics, { wake })
    yield* expectEquals("what is listed", yield* registry.wakeEventsAfter(id, 0), [receipt.event])
  },

  "an event whose condition does not hold is stored without a wake, listed nowhere and never delivered": function* ({
    registry
  }) {
    const id = yield* processWithWakes({ wakeTarget: { sessionId: "s" } })
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

  *"a replay answers the delivery anew, for the target that holds at that moment"({ grants, registry }) {
    const sessionId = `session-${crypto.randomUUID()}`
    const id = yield* processWithWakes({ wakeTarget: { sessionId } })
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

  *"wakes are listed after a sequence, in order, until they are acknowledged; the record is not touched"({ registry }) {
    const id = yield* processWithWakes()
    const twin = yield* processWithWakes()
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

  *"any sequence may be acknowledged: of a note, of no event yet, of an ended process"({ registry }) {
    const id = yield* processWithWakes()
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

  *"the wakes of an unknown process are refused, and so is a sequence that is none"({ registry }) {
    const unknown = yield* freshId
    yield* refused("the wakes", "ProcessUnknown", [unknown], registry.wakeEventsAfter(unknown, 0))
    yield* refused("an acknowledgement", "ProcessUnknown", [unknown], registry.ackWake(unknown, 1))
    const id = yield* processWithWakes()
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

const processWithWakes = (changes: Parameters<typeof freshProcess>[1] = {}) =>
  freshProcess("rerunnable", { ...changes, eventTypes: wakeTypes })

const wakesOf = (id: ProcessId, sequence: number) =>
  Effect.flatMap(ProcessRegistry, (registry) =>
    Effect.map(registry.wakeEventsAfter(id, sequence), (events) => events.map((event) => event.sequence))
  )

const outboxLaws: ReadonlyArray<Law> = lawsOf("ADR 0017", {
  *"a wake is in the outbox with its event: fresh, due at once, and for as long as wakes last"({ outbox }) {
    const { event, wakeDelivery } = yield* appended(yield* wakingProcess())
    const [row, ...more] = yield* rowsOf(wakeDelivery.wakeId)
    yield* expectEquals("how many more", more.length, 0)
    yield* expectEquals("the row", row, {
      number: row?.number,
      wake: wakeDelivery,
      state: "pending",
      attempts: 0,
      nextAttemptAtMs: event.occurredAtMs,
      expiresAtMs: event.occurredAtMs + wakeTimes.expiryMs,
      isOpen: true
    })
    yield* expectEquals("whether something is due", yield* outbox.isDue, true)
  },

  *"an event without a wake or a target, a rejected one and a replay write no wake"({ registry }) {
    const id = yield* wakingProcess()
    const aimless = yield* freshProcess("rerunnable", { eventTypes: types })
    yield* registry.appendEvent(id, { eventType: "progress", payload: { urgent: false, text: "x" } }, external)
    yield* registry.appendEvent(aimless, look, external)
    yield* rejectedAs("semantics_failed", { eventType: "progress", payload: { urgent: true } }, id)
    yield* expectEquals("the close requests", yield* claimsOf(id, aimless), [])
    const request = { ...look, replayKey: "once" }
    for (const _ of [1, 2, 3]) yield* registry.appendEvent(id, request, external)
    yield* expectEquals("of three requests under one key", sequencesOf(yield* claimsOf(id)), [2])
  },

  *"the target that an append names gets the wake"({ registry }) {
    const id = yield* wakingProcess()
    const sessionId = `named-${id}`
    yield* registry.appendEvent(id, { ...look, wakeTargetScope: { sessionId } }, external)
    const [claim] = yield* claimsOf(id)
    yield* expectEquals("the target", claim?.wake.targetSessionId, sessionId)
  },

  *"an end writes the wake that its type declares, whichever operation ends the process"({ registry }) {
    const leased = yield* wakingProcess()
    const lease = yield* claimed(leased, yield* freshOwner())
    yield* registry.completeProcessWithLease(lease, outputs.Success)
    const outside = yield* wakingProcess("externally_owned")
    yield* registry.completeProcess(outside, outputs.Success, { _tag: "ExternalOwner" })
    const own = yield* wakingProcess("externally_owned")
    yield* registry.appendEvent(own, { eventType: "done", payload: { text: "over" }, replayKey: "end" }, external)
    const claims = yield* claimsOf(leased, outside, own)
    const input = (id: ProcessId) => claims.filter(({ wake }) => wake.processId === id).map(({ wake }) => wake.input)
    yield* expectEquals("by lease", input(leased), ['{"answer":42}'])
    yield* expectEquals("from outside", input(outside), ['{"answer":42}'])
    yield* expectEquals("by an event of its own", input(own), ["over"])
    const [event] = (yield* registry.wakeEventsAfter(leased, 0)).slice(-1)
    yield* expectEquals("what is listed", event?.semantics.wake, {
      input: '{"answer":42}',
      dedupeKey: `${leased}:${event?.sequence}`
    })
  },

  *"a request to cancel wakes, too, when its type is declared so"({ registry }) {
    const wake = { input: { pointer: "/reason" }, dedupeKey: "event_identity" } as const
    const asked = { name: "process.cancel_requested", payloadSchema: { schema: {} }, semantics: { wake } }
    const id = yield* freshProcess("externally_owned", { eventTypes: [asked], wakeTarget: { sessionId: "s" } })
    yield* registry.requestProcessCancel(id, "stop", external)
    const [claim] = yield* claimsOf(id)
    yield* expectEquals("the wake", [claim?.wake.eventType, claim?.wake.input], ["process.cancel_requested", "stop"])
  },

  *"a selector that misses does not keep a process from ending: the whole payload wakes"({ registry }) {
    const id = yield* wakingProcess()
    const lease = yield* claimed(id, yield* freshOwner())
    yield* registry.completeProcessWithLease(lease, outputs.Failure)
    const [claim] = yield* claimsOf(id)
    const parsed = JSON.parse(claim?.wake.input ?? "null") as { readonly await_output?: { readonly code?: string } }
    yield* expectEquals("the code in it", parsed.await_output?.code, "law_failed")
    const appended = yield* wakingProcess("externally_owned")
    const end = { eventType: "done", payload: { result: 1 }, replayKey: "end" }
    const { event } = yield* registry.appendEvent(appended, end, external)
    const events = [(yield* registry.wakeEventsAfter(id, 0)).at(-1), event]
    yield* expectEquals(
      "what each event says of it",
      events.map((one) => one?.semantics.wake?.problem),
      ["payload pointer `/await_output/value` did not match", "payload pointer `/text` did not match"]
    )
    yield* expectEquals("the wake of the appended end", event.semantics.wake?.input, '{"result":1}')
  },

  *"unseen wakes of one key merge; a later event arms them again"() {
    const id = yield* wakingProcess()
    const key = yield* freshId
    const merging = appended(id, { eventType: "keyed", payload: { key, text: "same" } })
    const { wakeDelivery } = yield* merging
    yield* merging
    yield* expectEquals("merged", statesOf(yield* rowsOf(wakeDelivery.wakeId)), ["pending"])
    const [first] = yield* claimsOf(id)
    yield* expectEquals("the merged one", first?.wake, wakeDelivery)
    yield* merging
    yield* expectEquals("behind a claim", statesOf(yield* rowsOf(wakeDelivery.wakeId)), ["enqueuing", "pending"])
    yield* merging
    yield* expectEquals("merged again", statesOf(yield* rowsOf(wakeDelivery.wakeId)), ["enqueuing", "pending"])
    yield* settled(first, "Enqueued")
    const [second] = yield* claimsOf(id)
    yield* expectEquals("armed", [second?.wake.wakeId, second?.wake.sequence], [wakeDelivery.wakeId, 3])
    yield* settled(second, "Enqueued")
    yield* merging
    yield* expectEquals("armed after delivery", sequencesOf(yield* claimsOf(id)), [5])
  },

  *"what a target certainly has not seen goes on merging, what it may have seen does not"({ outbox }) {
    for (const [seen, states] of [
      ["no", ["pending"]],
      ["unknown", ["pending", "pending"]]
    ] as const) {
      const id = yield* wakingProcess()
      const merging = appended(id, { eventType: "keyed", payload: { key: yield* freshId, text: "same" } })
      const { wakeId } = (yield* merging).wakeDelivery
      for (const claim of yield* claimsOf(id)) yield* outbox.settle(claim, { _tag: "Defer", delayMs: longMs, seen })
      yield* merging
      yield* expectEquals(`seen: ${seen}`, statesOf(yield* rowsOf(wakeId)), states)
    }
  }
})

/** The laws of this file, by subject. */
export const laws: ReadonlyArray<Law> = [...wakeLaws, ...outboxLaws]
