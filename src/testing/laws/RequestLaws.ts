/**
 * Laws of requests: somebody asks a process to stop, or allows it to be given up; neither ends it.
 */
import { external } from "../../operations/decisions/authority.ts"
import { ProcessRegistry } from "../../operations/ProcessRegistry.ts"
import { isFold, logOf, refused, typesOf, writesNothing } from "../evidence.ts"
import { endedByLease, freshId, freshProcess, outputs, shortMs } from "../fixtures.ts"
import type { Law } from "../Law.ts"
import { expectEquals, LawClock, lawsOf } from "../Law.ts"

/** The laws of requests for an end. */
export const laws: ReadonlyArray<Law> = lawsOf("What happens when: Requests", {
  "a request to cancel is recorded once for each reason, and the first one stands in the record": function* () {
    const registry = yield* ProcessRegistry
    const clock = yield* LawClock
    const id = yield* freshProcess()
    const first = yield* registry.requestProcessCancel(id, null, external)
    yield* clock.advance(shortMs)
    yield* writesNothing([id], registry.requestProcessCancel(id, null, external))
    const second = yield* registry.requestProcessCancel(id, "stop", external)
    const log = yield* logOf(id)
    yield* expectEquals(
      "the payloads",
      log.map((event) => event.payload),
      [{ reason: null }, { reason: "stop" }]
    )
    yield* expectEquals("a golden replay key", log[1]?.replayKey, `process:${id}:cancel_requested:${stopHash}`)
    const request = { reason: null, requestedAtMs: log[0]?.occurredAtMs }
    yield* expectEquals("the requests", [first.cancelRequest, second.cancelRequest], [request, request])
    yield* expectEquals("the status", second.status, { _tag: "Running" })
    yield* isFold(id)
  },

  "an ended process takes a request to cancel as a note": function* () {
    const registry = yield* ProcessRegistry
    const id = yield* endedByLease
    const record = yield* registry.requestProcessCancel(id, "late", external)
    yield* expectEquals(
      "the record",
      [record.status, record.cancelRequest],
      [{ _tag: "Completed", output: outputs.Success }, undefined]
    )
    yield* expectEquals("the log", yield* typesOf(id), ["process.completed", "process.cancel_requested"])
    yield* isFold(id)
  },

  "the first request to abandon stands; an ended process takes none": function* () {
    const registry = yield* ProcessRegistry
    const id = yield* freshProcess("externally_owned")
    const request = { requestedBy: "operator", requestedAtMs: 3, reason: "gone" }
    const record = yield* registry.requestProcessAbandon(id, request, external)
    yield* expectEquals("the request", [record.abandonRequest, record.status], [request, { _tag: "Running" }])
    const later = { requestedBy: "somebody", requestedAtMs: 4 }
    yield* expectEquals(
      "a later one",
      yield* writesNothing([id], registry.requestProcessAbandon(id, later, external)),
      record
    )
    yield* isFold(id)
    const ended = yield* endedByLease
    yield* refused(
      "an ended process",
      "ProcessAlreadyTerminal",
      [ended],
      registry.requestProcessAbandon(ended, later, external)
    )
  },

  "requests for an end of an unknown process are refused": function* () {
    const registry = yield* ProcessRegistry
    const id = yield* freshId
    yield* refused("to cancel", "ProcessUnknown", [id], registry.requestProcessCancel(id, null, external))
    const request = { requestedBy: "operator", requestedAtMs: 3 }
    yield* refused("to abandon", "ProcessUnknown", [id], registry.requestProcessAbandon(id, request, external))
  }
})

const stopHash = "85a6238fa9840bc3105d1a06ca03df61803080fefa838ab687d36662275be019"
