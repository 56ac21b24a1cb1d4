/**
 * Laws of the log and of replays: events are numbered without gaps, and a retried append is written once.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { reservedEventTypes } from "../../model/EventType.ts"
import type { EventRejected } from "../../model/errors.ts"
import type { AppendRequest } from "../../model/facts.ts"
import { appendEvent } from "../../operations/decisions/append.ts"
import { external, host, onRow } from "../../operations/decisions/authority.ts"
import * as Changes from "../../operations/decisions/change.ts"
import { isFold, logOf, note, recordOf, refused, rejectedAs, rowOf, typesOf, writesNothing } from "../evidence.ts"
import { freshId, freshProcess, leasedProcess, longMs, outputs, shortMs } from "../fixtures.ts"
import type { Law } from "../Law.ts"
import { expectEquals, lawsOf } from "../Law.ts"

const appendLaws: ReadonlyArray<Law> = lawsOf("ADR 0003", {
  *"the first event has sequence 1, the next one 2, and the record takes over its time"({ clock, registry }) {
    const id = yield* freshProcess()
    yield* clock.advance(shortMs)
    const { event: first } = yield* registry.appendEvent(id, note(1), external)
    yield* clock.advance(shortMs)
    const { event: second } = yield* registry.appendEvent(id, { ...note(2), replayKey: "k" }, external)
    yield* expectEquals("the sequences", [first.sequence, second.sequence], [1, 2])
    yield* expectEquals("whether time passed", second.occurredAtMs - first.occurredAtMs >= shortMs, true)
    yield* expectEquals("what is stored", yield* logOf(id), [first, second])
    yield* expectEquals("the time of the record", (yield* recordOf(id)).updatedAtMs, second.occurredAtMs)
    yield* isFold(id)
  },

  *"a decision may change a row that its plan does not name, at the same time as one that names it"({ store }) {
    const named = yield* freshProcess()
    for (const isFirst of [true, false]) {
      for (const namesMet of [true, false]) {
        const { id: met } = yield* leasedProcess("rerunnable", longMs)
        const [own, others] = [{ lock: [met] }, { lock: [named] }]
        const append = store.transact(namesMet ? own : others, appendEvent(met, note("met"), external))
        const release = store.transact(
          namesMet ? others : own,
          onRow(met, (row) => Changes.accepted(Changes.released(Changes.of(row))))
        )
        yield* Effect.all(isFirst ? [append, release] : [release, append], { concurrency: "unbounded" })
        const row = yield* rowOf(met)
        yield* expectEquals("the lengths of the log", [(yield* logOf(met)).length, row.sequence], [1, 1])
        yield* expectEquals("the lease", row.lease.held, undefined)
        yield* isFold(met)
      }
    }
  },

  *"an append to an unknown process is refused"({ registry }) {
    const id = yield* freshId
    yield* refused("it", "ProcessUnknown", [id], registry.appendEvent(id, note(1), external))
  },

  *"a rejected append says why, writes nothing and uses no sequence number"({ registry }) {
    const id = yield* freshProcess()
    yield* registry.appendEvent(id, note(1), external)
    for (const [reason, request] of rejections) yield* rejectedAs(reason, request, id)
    yield* expectEquals("the next one", (yield* registry.appendEvent(id, note(2), external)).event.sequence, 2)
  },

  *"a payload that does not fit names the path and the problem"() {
    const id = yield* freshProcess()
    const error = yield* rejectedAs("payload_invalid", { eventType: "line", payload: { text: 7 } }, id)
    yield* expectEquals("the detail", error.detail, "invalid `line` payload: /text: must be string")
    const whole = yield* rejectedAs("payload_invalid", { eventType: "line", payload: 7 }, id)
    yield* expectEquals("of the whole", whole.detail, "invalid `line` payload: must be object")
  },

  *"a payload that is not JSON is refused with the place where it is not"({ registry }) {
    const id = yield* freshProcess()
    for (const [payload, field] of notJson) {
      const append = registry.appendEvent(id, { eventType: "note", payload }, external)
      yield* expectEquals("the field", (yield* refused("it", "InputInvalid", [id], append)).field, field)
    }
  },

  *"the lifecycle's own types are appended by their own operations only"() {
    const id = yield* freshProcess()
    for (const eventType of [...reservedEventTypes, "process.cancel_requested"]) {
      yield* rejectedAs("reserved", { eventType, payload: { reason: null }, replayKey: "k" }, id)
    }
  },

  *"a producer's own terminal type ends the process, its value wrapped as the state it declares"({ registry }) {
    for (const [eventType, payload, status] of ownEnds) {
      const id = yield* freshProcess("externally_owned")
      yield* registry.appendEvent(id, { eventType, payload, replayKey: "end" }, external)
      yield* expectEquals("the status", (yield* recordOf(id)).status, status)
      yield* isFold(id)
    }
  },

  *"a replay key of the runtime's own facts is refused, used or not, and no other key of a process is"({
    registry,
    waits
  }) {
    const { id, lease } = yield* leasedProcess()
    const kind = { _tag: "Timer", key: "t" } as const
    yield* waits.setProcessWait(id, { kind, sinceMs: 1, deadlineMs: Number.MAX_SAFE_INTEGER }, external)
    yield* waits.clearProcessWait(id, external)
    yield* registry.setExternalRef(id, { backend: "b", id: "i" }, external)
    yield* registry.requestProcessAbandon(id, { requestedBy: "operator", requestedAtMs: 1 }, external)
    yield* registry.requestProcessCancel(id, "stop", external)
    yield* registry.recordFirstStarted(id, { owner: lease.owner, startedAtMs: 1 })
    const own = (rest: string) => `process:${id}:${rest}`
    const unused = ["completed", "failed", "cancelled", "abandoned"].map((end) => own(`terminal:process.${end}`))
    const others = [
      own("suspended:9"),
      own("child:c:1:ended"),
      own("wait:x:1:entered"),
      own("wake-target-cleared:s"),
      own("cancel_requested:"),
      own("machine:3"),
      own("machine:2:0"),
      own("machine:input:timer:t:4"),
      own("machine:sent:timer:t:4"),
      own("journal:note#1"),
      own("journal:fork:1"),
      own("signal.ready:a")
    ]
    const used = (yield* logOf(id)).flatMap(({ replayKey = "" }) => replayKey)
    yield* expectEquals("how many the runtime has used", used.length, 6)
    const authorities = [external, host, { _tag: "Body", lease } as const]
    for (const [index, replayKey] of [...used, ...unused, ...others].entries()) {
      const authority = authorities[index % authorities.length] ?? external
      const appending = registry.appendEvent(id, { ...note(1), replayKey }, authority)
      const error = yield* refused(`${replayKey} by ${authority._tag}`, "InputInvalid", [id], appending)
      yield* expectEquals("the field", error.field, "replay.key")
    }
    const signal = { eventType: "signal.ready", payload: 1, replayKey: own("signal.other:a") }
    const misplaced = yield* refused("another's", "InputInvalid", [id], registry.appendEvent(id, signal, external))
    yield* expectEquals("the field", misplaced.field, "replay.key")
    yield* registry.appendEvent(id, { ...signal, replayKey: own("signal.ready:a") }, external)
    for (const replayKey of [own("note:1"), own("external-reference"), own("machines"), "process:other:started:1"]) {
      yield* registry.appendEvent(id, { ...note(1), replayKey }, external)
    }
    yield* registry.completeProcessWithLease(lease, outputs.Success)
    yield* isFold(id)
  },

  *"an output that contradicts the declared state is refused"({ registry }) {
    const id = yield* freshProcess()
    const payload = { result: { type: "cancelled", message: "no" } }
    const append = registry.appendEvent(id, { eventType: "finished", payload, replayKey: "end" }, external)
    const error = yield* refused("it", "TerminalOutcomeMismatch", [id], append)
    yield* expectEquals("the contradiction", [error.declared, error.outcome], ["completed", "cancelled"])
  },

  *"an ended process takes notes but no second end"({ registry }) {
    const { id, lease } = yield* leasedProcess()
    const { status } = yield* registry.completeProcessWithLease(lease, outputs.Failure)
    const second = registry.appendEvent(id, { eventType: "finished", payload: { result: 1 }, replayKey: "e" }, external)
    const error = yield* refused("a second end", "ProcessAlreadyTerminal", [id], second)
    yield* expectEquals("the present end", error.state, "failed")
    const { event: late } = yield* registry.appendEvent(id, note("late"), external)
    yield* expectEquals("the note", late.sequence, 2)
    yield* expectEquals("the status", (yield* recordOf(id)).status, status)
    yield* isFold(id)
  },

  *"a wake is materialised when its condition holds: zero and text do, null and the empty text do not"({ registry }) {
    const id = yield* freshProcess()
    for (const [urgent, isWake] of conditions) {
      const payload = { urgent, text: { b: 1, a: 2 } }
      const { event } = yield* registry.appendEvent(id, { eventType: "progress", payload }, external)
      const { sequence, semantics } = event
      const wake = { input: '{"a":2,"b":1}', dedupeKey: `${id}:${sequence}` }
      yield* expectEquals(`the wake for ${String(urgent)}`, semantics, isWake ? { wake } : {})
    }
  },

  *"what was appended does not change with the caller's own copy"({ registry }) {
    const id = yield* freshProcess()
    const payload = { list: [1] }
    yield* registry.appendEvent(id, { eventType: "note", payload }, external)
    payload.list.push(2)
    yield* expectEquals("the payload", (yield* logOf(id))[0]?.payload, { list: [1] })
  },

  *"events are read after a sequence, in order, up to a limit, and beyond the end there are none"({ registry }) {
    const id = yield* freshProcess()
    for (const value of [1, 2, 3, 4]) yield* registry.appendEvent(id, note(value), external)
    const read = (after: number, limit?: number) =>
      Effect.map(registry.eventsAfter(id, after, limit), (log) => log.map((event) => event.sequence))
    yield* expectEquals("all", yield* read(0), [1, 2, 3, 4])
    yield* expectEquals("after 2", yield* read(2), [3, 4])
    yield* expectEquals("at most two", yield* read(1, 2), [2, 3])
    yield* expectEquals("beyond", [yield* read(4), yield* read(Number.MAX_SAFE_INTEGER)], [[], []])
    yield* expectEquals("the types", yield* typesOf(id), ["note", "note", "note", "note"])
  }
})

/** In the order of the checks: each request also fails every later one that it can. */
const rejections: ReadonlyArray<readonly [EventRejected["reason"], AppendRequest]> = [
  ["undeclared", { eventType: "unheard.of", payload: null }],
  ["replay_key_required", { eventType: "finished", payload: "no object" }],
  ["replay_key_required", { eventType: "finished", payload: { result: 1 }, replayKey: "" }],
  ["payload_invalid", { eventType: "finished", payload: "no object", replayKey: "end" }],
  ["payload_invalid", { eventType: "line", payload: {} }],
  ["semantics_failed", { eventType: "finished", payload: {}, replayKey: "end" }],
  ["semantics_failed", { eventType: "progress", payload: { text: "x" } }]
]

const notJson: ReadonlyArray<readonly [unknown, string]> = [
  [undefined, "payload"],
  [{ at: [new Date(0)] }, "payload/at/0"],
  [{ "a/b": Number.NaN }, "payload/a~1b"],
  ["\ud800", "payload"]
]

const conditions: ReadonlyArray<readonly [unknown, boolean]> = [
  [0, true],
  ["now", true],
  [true, true],
  [false, false],
  [null, false],
  ["", false],
  [[], false]
]

const ownEnds: ReadonlyArray<readonly [string, unknown, unknown]> = [
  ["finished", { result: [1] }, { _tag: "Completed", output: { _tag: "Success", value: [1] } }],
  ["finished", { result: { type: "success", value: 2 } }, { _tag: "Completed", output: { _tag: "Success", value: 2 } }],
  [
    "broken",
    { problem: { b: 1, a: 2 } },
    {
      _tag: "Failed",
      output: {
        _tag: "Failure",
        class: "execution",
        code: "process_failed",
        message: '{"a":2,"b":1}',
        raw: { b: 1, a: 2 }
      }
    }
  ]
]

const replayLaws: ReadonlyArray<Law> = lawsOf("ADR 0003", {
  *"a replay answers the stored event and writes nothing"({ clock, registry }) {
    const id = yield* freshProcess()
    const request = { eventType: "note", payload: { b: 1, a: [2] }, replayKey: "k" }
    const stored = yield* registry.appendEvent(id, request, external)
    yield* registry.appendEvent(id, note(2), external)
    yield* clock.advance(shortMs)
    const reordered = { ...request, payload: { a: [2], b: 1 } }
    for (const again of [request, reordered]) {
      yield* expectEquals("it", yield* writesNothing([id], registry.appendEvent(id, again, external)), stored)
    }
  },

  *"a replay key of another type or payload is a conflict"({ registry }) {
    const id = yield* freshProcess()
    yield* registry.appendEvent(id, { ...note({ text: "x" }), replayKey: "k" }, external)
    const others: ReadonlyArray<AppendRequest> = [
      { eventType: "note", payload: { text: "y" }, replayKey: "k" },
      { eventType: "line", payload: { text: "x" }, replayKey: "k" }
    ]
    for (const request of others) yield* rejectedAs("replay_conflict", request, id)
  },

  *"replay keys belong to one process, and the empty one is a key like any other"({ registry }) {
    const [one, two] = [yield* freshProcess(), yield* freshProcess()]
    for (const id of [one, two]) {
      const { event: first } = yield* registry.appendEvent(id, { ...note(1), replayKey: "" }, external)
      yield* expectEquals("its sequence", first.sequence, 1)
      yield* rejectedAs("replay_conflict", { ...note(2), replayKey: "" }, id)
    }
  },

  *"requests without a replay key always append"({ registry }) {
    const id = yield* freshProcess()
    for (const sequence of [1, 2, 3]) {
      yield* expectEquals("it", (yield* registry.appendEvent(id, note(0), external)).event.sequence, sequence)
    }
  },

  *"the replay look-up comes before every other check"({ clock, registry }) {
    const { id, lease } = yield* leasedProcess("rerunnable", shortMs)
    const body = { _tag: "Body", lease } as const
    const request = { eventType: "finished", payload: { result: 1 }, replayKey: "end" }
    const stored = yield* registry.appendEvent(id, request, body)
    yield* clock.advance(shortMs)
    const again = yield* writesNothing([id], registry.appendEvent(id, request, body))
    yield* expectEquals("the answer, with the process ended and the lease expired", again, stored)
    yield* rejectedAs("replay_conflict", { eventType: "process.started", payload: {}, replayKey: "end" }, id)
  },

  *"of concurrent appends under one key one is stored and the others replay it"({ registry }) {
    const id = yield* freshProcess()
    const request = { ...note(1), replayKey: "k" }
    const append = registry.appendEvent(id, request, external)
    const rival = registry.appendEvent(id, { ...request, payload: 2 }, external)
    const outcomes = yield* Effect.all([append, append, rival, append].map(Effect.either), {
      concurrency: "unbounded"
    })
    yield* expectEquals("the log", (yield* logOf(id)).length, 1)
    const [stored] = yield* logOf(id)
    for (const outcome of outcomes)
      if (Either.isRight(outcome)) yield* expectEquals("an answer", outcome.right.event, stored)
  }
})

/** The laws of this file, by subject. */
export const laws: ReadonlyArray<Law> = [...appendLaws, ...replayLaws]
