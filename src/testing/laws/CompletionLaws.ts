/**
 * Laws of ends, and of the requests to cancel or abandon.
 */
import * as Effect from "effect/Effect"
import type { Disposition } from "../../../machines/recovery.ts"
import type { AwaitOutput } from "../../model/AwaitOutput.ts"
import { success, toWire } from "../../model/AwaitOutput.ts"
import * as EventType from "../../model/EventType.ts"
import { external, host } from "../../operations/decisions/authority.ts"
import type { CompletionAuthority } from "../../operations/decisions/completion.ts"
import { ProcessRegistry } from "../../operations/ProcessRegistry.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import { isFold, keptOf, logOf, recordOf, refused, typesOf, writesNothing } from "../evidence.ts"
import {
  claimed,
  endedByLease,
  endOf,
  freshId,
  freshOwner,
  freshProcess,
  leasedProcess,
  outputs,
  shortMs
} from "../fixtures.ts"
import type { Law } from "../Law.ts"
import { expectEquals, law, lawsOf } from "../Law.ts"

const completionLaws: ReadonlyArray<Law> = [
  ...lawsOf("ADR 0003", {
    "a leased completion writes the end and releases the lease in one commit": Effect.scoped(
      Effect.gen(function* () {
        const registry = yield* ProcessRegistry
        const store = yield* ProcessStore
        for (const output of Object.values(outputs)) {
          const { id, lease } = yield* leasedProcess()
          const commits: Array<unknown> = []
          yield* store.onCommit((changes) => {
            for (const { row, events } of changes) {
              if (row.base.registration.id !== id) continue
              commits.push([events.map((event) => event.eventType), row.lease])
            }
          })
          const record = yield* registry.completeProcessWithLease(lease, output)
          const { status, eventType } = endOf(output)
          yield* expectEquals("the status", record.status, status)
          yield* expectEquals("the commits", commits, [[[eventType], { fencingToken: 1 }]])
          const kept = yield* keptOf(id)
          yield* expectEquals("what is stored", [kept.record, kept.lease, kept.dueAtMs], [record, undefined, null])
          yield* expectEquals("the payload", kept.log[0]?.payload, { await_output: toWire(output) })
          yield* expectEquals("the replay key", kept.log[0]?.replayKey, `process:${id}:terminal:${eventType}`)
          yield* isFold(id)
        }
      })
    ),

    *"completing with the same output again is a replay, whatever became of the lease"({ clock, registry }) {
      const { id, lease } = yield* leasedProcess("rerunnable", shortMs)
      const ended = yield* registry.completeProcessWithLease(lease, outputs.Success)
      yield* clock.advance(shortMs)
      yield* claimed(id, yield* freshOwner())
      const again = registry.completeProcessWithLease(lease, { ...outputs.Success })
      yield* expectEquals("the answer", yield* writesNothing([id], again), ended)
    },

    *"completing with another output of the same kind is a replay conflict"({ registry }) {
      const id = yield* endedByLease
      const lease = yield* claimed(id, yield* freshOwner())
      const again = registry.completeProcessWithLease(lease, success({ answer: 43 }))
      const error = yield* refused("it", "EventRejected", [id], again)
      yield* expectEquals("the reason", error.reason, "replay_conflict")
    },

    *"completing an ended process with another kind of output is refused as already terminal"({ registry }) {
      const id = yield* endedByLease
      const lease = yield* claimed(id, yield* freshOwner())
      for (const output of [outputs.Failure, outputs.Cancelled, outputs.Abandoned]) {
        const again = registry.completeProcessWithLease(lease, output)
        const error = yield* refused(output._tag, "ProcessAlreadyTerminal", [id], again)
        yield* expectEquals("the present end", error.state, "completed")
      }
    },

    *"an appended end needs the right to end: the process's own lease, or the outside owner's while no lease is live"({
      clock,
      registry
    }) {
      for (const eventType of ["process.completed", "finished"]) {
        const end = { eventType, payload: { await_output: toWire(outputs.Success), result: 1 }, replayKey: "end" }
        for (const disposition of ["rerunnable", "owner_bound", "externally_owned"] as const) {
          const { id, lease } = yield* leasedProcess(disposition, shortMs)
          const other = yield* leasedProcess()
          for (const authority of [external, host, { _tag: "Body", lease: other.lease } as const]) {
            yield* refused(
              `${authority._tag}, held`,
              "CompletionRefused",
              [id],
              registry.appendEvent(id, end, authority)
            )
          }
          yield* clock.advance(shortMs)
          yield* refused("a lost lease", "LeaseLost", [id], registry.appendEvent(id, end, { _tag: "Body", lease }))
          if (disposition === "externally_owned") yield* registry.appendEvent(id, end, external)
          else {
            for (const authority of [external, host]) {
              yield* refused("without one", "CompletionRefused", [id], registry.appendEvent(id, end, authority))
            }
            const present = yield* claimed(id, yield* freshOwner())
            yield* registry.appendEvent(id, end, { _tag: "Body", lease: present })
          }
          const kept = yield* keptOf(id)
          yield* expectEquals("the end", [kept.record?.status._tag, kept.lease], ["Completed", undefined])
          yield* isFold(id)
        }
      }
    },

    *"a completion goes through the schema that its core type was declared with"({ activations, registry }) {
      // The output is judged, and not what is noted beside it.
      const numbers = {
        properties: { await_output: { properties: { value: { type: "number" } } } },
        additionalProperties: false
      }
      const declared = EventType.coreEventTypes.find(({ name }) => name === "process.completed")
      if (declared === undefined) return yield* Effect.dieMessage("no such core type")
      const eventTypes = [{ ...declared, payloadSchema: { schema: numbers } }]
      const outside = yield* freshProcess("externally_owned", { eventTypes })
      const complete = (value: unknown) => registry.completeProcess(outside, success(value), { _tag: "ExternalOwner" })
      const refusal = yield* refused("text", "EventRejected", [outside], complete("text"))
      yield* expectEquals("why", refusal.reason, "payload_invalid")
      yield* complete(7)
      const id = yield* freshProcess("rerunnable", { eventTypes })
      const lease = yield* claimed(id, yield* freshOwner())
      const leased = registry.completeProcessWithLease(lease, success("text"))
      yield* refused("under its lease", "EventRejected", [id], leased)
      // The body has ended: its process must not be left without an end.
      yield* activations.complete(lease, success("text"))
      const { status } = yield* recordOf(id)
      const output = status._tag === "Failed" && status.output._tag === "Failure" ? status.output.code : status._tag
      yield* expectEquals("how a worker's process ended", output, "process_output_invalid")
    },

    *"an output that is not JSON is refused with the place where it is not"({ registry }) {
      const { id, lease } = yield* leasedProcess()
      const completion = registry.completeProcessWithLease(lease, success({ at: new Map() }))
      yield* expectEquals(
        "the field",
        (yield* refused("it", "InputInvalid", [id], completion)).field,
        "await_output/value/at"
      )
    },

    *"an output does not change with the caller's own copy"({ registry }) {
      const { id, lease } = yield* leasedProcess()
      const value = { list: [1] }
      yield* registry.completeProcessWithLease(lease, success(value))
      value.list.push(2)
      yield* expectEquals("the status", (yield* recordOf(id)).status, endOf(success({ list: [1] })).status)
      yield* isFold(id)
    }
  }),

  ...(["rerunnable", "owner_bound", "externally_owned"] as const).map((disposition) =>
    law(`each authority completes exactly the ${disposition} work it may`, "ADR 0003", completesWhatItMay(disposition))
  ),

  ...lawsOf("ADR 0003", {
    *"the end notes its authority, which takes no part in a replay"({ registry }) {
      const id = yield* freshProcess("externally_owned")
      yield* registry.completeProcess(id, outputs.Abandoned, { _tag: "ExternalOwner" })
      yield* expectEquals("the payload", (yield* logOf(id))[0]?.payload, {
        await_output: toWire(outputs.Abandoned),
        completion_authority: "external_owner"
      })
      for (const authority of authorities) {
        yield* writesNothing([id], registry.completeProcess(id, outputs.Abandoned, authority))
      }
      const running = yield* freshProcess("rerunnable")
      yield* registry.completeProcess(running, outputs.Success, { _tag: "WorkflowKey", workflowKey: "w" })
      yield* expectEquals("the payload of a workflow", (yield* logOf(running))[0]?.payload, {
        await_output: toWire(outputs.Success),
        completion_authority: { workflow_key: "w" }
      })
    },

    *"an unleased completion needs no lease, and takes the one that is held away in the same commit"({ registry }) {
      const { id, lease } = yield* leasedProcess()
      yield* registry.completeProcess(id, outputs.Success, { _tag: "WorkflowKey", workflowKey: "w" })
      const kept = yield* keptOf(id)
      yield* expectEquals("the lease", [kept.lease, kept.fencingToken], [undefined, lease.fencingToken])
      yield* isFold(id)
    },

    *"nothing completes an unknown process"({ registry }) {
      const { lease } = yield* leasedProcess()
      const id = yield* freshId
      const completion = registry.completeProcess(id, outputs.Success, { _tag: "ExternalOwner" })
      yield* refused("unleased", "ProcessUnknown", [id], completion)
      const leased = registry.completeProcessWithLease({ ...lease, processId: id }, outputs.Success)
      yield* refused("leased", "ProcessUnknown", [id], leased)
    }
  })
]

const authorities: ReadonlyArray<CompletionAuthority> = [
  { _tag: "ExternalOwner" },
  { _tag: "WorkflowKey", workflowKey: "w" },
  { _tag: "ReconciledAbandon" }
]

const everyOutput: ReadonlyArray<AwaitOutput["_tag"]> = ["Success", "Failure", "Cancelled", "Abandoned"]

/** For each authority and disposition, the outputs it may complete with. */
const table: Readonly<Record<CompletionAuthority["_tag"], Readonly<Record<Disposition, ReadonlyArray<string>>>>> = {
  ExternalOwner: { rerunnable: [], owner_bound: [], externally_owned: everyOutput },
  WorkflowKey: { rerunnable: everyOutput, owner_bound: everyOutput, externally_owned: [] },
  ReconciledAbandon: { rerunnable: [], owner_bound: [], externally_owned: ["Abandoned"] }
}

function completesWhatItMay(disposition: Disposition) {
  return Effect.gen(function* () {
    const registry = yield* ProcessRegistry
    for (const authority of authorities) {
      for (const tag of everyOutput) {
        const output = outputs[tag]
        const id = yield* freshProcess(disposition)
        const completion = registry.completeProcess(id, output, authority)
        if (table[authority._tag][disposition].includes(tag)) {
          yield* expectEquals(`${authority._tag} ${tag}`, (yield* completion).status, endOf(output).status)
          yield* isFold(id)
        } else {
          const error = yield* refused(`${authority._tag} ${tag}`, "CompletionRefused", [id], completion)
          yield* expectEquals("the failure", [error.authority, error.disposition], [authority._tag, disposition])
        }
      }
    }
  })
}

const requestLaws: ReadonlyArray<Law> = lawsOf("What happens when: Requests", {
  *"a request to cancel is recorded once for each reason, and the first one is in the record"({ clock, registry }) {
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

  *"an ended process takes a request to cancel as a note"({ registry }) {
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

  *"the first request to abandon is kept; an ended process takes none"({ registry }) {
    const id = yield* freshProcess("externally_owned")
    const request = { requestedBy: "operator", requestedAtMs: 3, reason: "gone" }
    const record = yield* registry.requestProcessAbandon(id, request, external)
    yield* expectEquals("the request", [record.abandonRequest, record.status], [request, { _tag: "Running" }])
    const later = { requestedBy: "someone", requestedAtMs: 4 }
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

  *"requests for an end of an unknown process are refused"({ registry }) {
    const id = yield* freshId
    yield* refused("to cancel", "ProcessUnknown", [id], registry.requestProcessCancel(id, null, external))
    const request = { requestedBy: "operator", requestedAtMs: 3 }
    yield* refused("to abandon", "ProcessUnknown", [id], registry.requestProcessAbandon(id, request, external))
  }
})

const stopHash = "85a6238fa9840bc3105d1a06ca03df61803080fefa838ab687d36662275be019"

/** The laws of this file, by subject. */
export const laws: ReadonlyArray<Law> = [...completionLaws, ...requestLaws]
