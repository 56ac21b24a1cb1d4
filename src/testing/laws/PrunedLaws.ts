/**
 * What every operation of every service does to a process of which only the tombstone is left.
 *
 * The table has all of them: a service with another operation does not compile until that says what it does.
 */
import * as Effect from "effect/Effect"
import type { ProcessPruned } from "../../model/errors.ts"
import type { Activations } from "../../operations/Activations.ts"
import type { BodyWrites } from "../../operations/BodyWrites.ts"
import type { ChangeFeed } from "../../operations/ChangeFeed.ts"
import { external, host } from "../../operations/decisions/authority.ts"
import type { Environments } from "../../operations/Environments.ts"
import type { HandleGrants } from "../../operations/HandleGrants.ts"
import type { Leases } from "../../operations/Leases.ts"
import type { Observation } from "../../operations/Observation.ts"
import * as Observing from "../../operations/Observation.ts"
import type { ProcessRegistry } from "../../operations/ProcessRegistry.ts"
import type { Retention } from "../../operations/Retention.ts"
import { resumeFrom } from "../../operations/resume.ts"
import { stateAt } from "../../operations/stateAt.ts"
import { verify } from "../../operations/verify.ts"
import type { Waits } from "../../operations/Waits.ts"
import type { WakeOutbox } from "../../operations/WakeOutbox.ts"
import type { ProcessStore } from "../../store/ProcessStore.ts"
import { note, refused, writesNothing } from "../evidence.ts"
import { freshOwner, leasedProcess, outputs, recoverer, registeredOf } from "../fixtures.ts"
import type { Law, LawFailure } from "../Law.ts"
import { expectEquals, lawsOf } from "../Law.ts"
import { draft, forReady } from "./ExecutionLaws.ts"
import { prunedProcess } from "./RetentionLaws.ts"

type Operation = Effect.Effect<unknown, LawFailure, ProcessStore>

/** How an operation ends: it fails and writes nothing, or answers what it would if there had never been such a process. */
type Ending =
  | { readonly fails: "ProcessPruned" | "LeaseLost"; readonly operation: Operation }
  | { readonly answers: unknown; readonly operation: Operation }

/** Of an operation that names no process. */
const namesNone: ReadonlyArray<Ending> = []

type Endings<Service> = { readonly [Name in keyof Service]: Ending | ReadonlyArray<Ending> }

const pruned = (operation: Operation): Ending => ({ fails: "ProcessPruned", operation })

/** A write of the process's own worker or body: its lease is what is judged. */
const lost = (operation: Operation): Ending => ({ fails: "LeaseLost", operation })

/** A list, which leaves it out, and a write of the runtime for what it finds due, which finds nothing. */
const answers = (operation: Operation, answer: unknown): Ending => ({ answers: answer, operation })

/** The laws of this file. */
export const laws: ReadonlyArray<Law> = lawsOf("ADR 0013", {
  *"every operation on a pruned process says how it ended and when it was pruned, and every list leaves it out"({
    activations,
    executions,
    grants,
    leases,
    outbox,
    registry,
    waits
  }) {
    const { pruned: id, scope: name, registration, prunedAtMs, lease } = yield* prunedProcess
    const observation = yield* Observing.make
    const { lease: live } = yield* leasedProcess()
    const registered = yield* registeredOf(registration)
    const by = yield* recoverer()
    const owner = yield* freshOwner()
    const scope = { sessionId: name }
    const any = { status: "any", originatorScopeId: `host:${name}` } as const
    const request = { requestedBy: "operator", requestedAtMs: 1 }
    const waitKey = `process:${id}:signal.ready:1`
    const kind = { _tag: "Signal", name: "ready", eventType: "signal.ready", key: waitKey, ordinal: 1 } as const
    const signal = { name: "ready", payload: 1, signalId: "s" }
    const sent = { eventType: "signal.ready", payload: 1, replayKey: `process:${id}:signal.ready:s` }
    const timer = { _tag: "Timer", deadlineMs: 1 } as const

    const ofRegistry: Endings<typeof ProcessRegistry.Service> = {
      registerProcess: pruned(registry.registerProcess(registration)),
      appendEvent: pruned(registry.appendEvent(id, note(1), external)),
      signal: pruned(registry.signal(id, signal, external)),
      recordFirstStarted: pruned(registry.recordFirstStarted(id, { owner, startedAtMs: 1 })),
      completeProcessWithLease: pruned(registry.completeProcessWithLease(lease, outputs.Success)),
      completeProcess: pruned(registry.completeProcess(id, outputs.Failure, { _tag: "ExternalOwner" })),
      requestProcessCancel: pruned(registry.requestProcessCancel(id, null, external)),
      cancelRunning: pruned(registry.cancelRunning(id, null, external)),
      requestProcessAbandon: pruned(registry.requestProcessAbandon(id, request, external)),
      getProcess: pruned(registry.getProcess(id)),
      eventsAfter: pruned(registry.eventsAfter(id, 0)),
      countEventsThrough: pruned(registry.countEventsThrough(id, "note", 9)),
      recentEvents: pruned(registry.recentEvents(id, 9)),
      wakeEventsAfter: pruned(registry.wakeEventsAfter(id, 0)),
      ackWake: pruned(registry.ackWake(id, 1)),
      setExternalRef: pruned(registry.setExternalRef(id, { backend: "b", id: "i" }, external)),
      listProcesses: answers(registry.listProcesses(any), { records: [] }),
      listNonTerminal: answers(
        Effect.map(registry.listNonTerminal, (records) => records.some((record) => record.id === id)),
        false
      )
    }
    const ofGrants: Endings<typeof HandleGrants.Service> = {
      grantHandle: pruned(grants.grantHandle(scope, id, {})),
      revokeHandle: pruned(grants.revokeHandle(scope, id)),
      transferHandleGrants: pruned(grants.transferHandleGrants(scope, { sessionId: "other" }, [live.processId, id])),
      listHandleGrants: answers(grants.listHandleGrants(scope), { entries: [] }),
      listLiveHandleGrants: answers(grants.listLiveHandleGrants(scope), { entries: [] }),
      hasHandleGrant: answers(grants.hasHandleGrant(scope, id), false),
      handleGrantsForProcess: pruned(grants.handleGrantsForProcess(id)),
      deleteSessionProcessState: namesNone
    }
    const ofLeases: Endings<typeof Leases.Service> = {
      claimProcessLease: pruned(leases.claimProcessLease(id, owner, 1_000)),
      reclaimProcessLease: pruned(leases.reclaimProcessLease(id, owner, lease, 1_000)),
      renewProcessLease: pruned(leases.renewProcessLease(lease, 1_000)),
      getProcessLease: answers(leases.getProcessLease(id), undefined),
      completeProcessLease: pruned(leases.completeProcessLease({ processId: id, leaseToken: lease.leaseToken }))
    }
    const ofWaits: Endings<typeof Waits.Service> = {
      setProcessWait: pruned(waits.setProcessWait(id, { kind, sinceMs: 1 }, external)),
      clearProcessWait: pruned(waits.clearProcessWait(id, external))
    }
    const ofActivations: Endings<typeof Activations.Service> = {
      start: pruned(activations.start(registered, host)),
      complete: pruned(activations.complete(lease, outputs.Failure)),
      suspend: pruned(activations.suspend(lease, "handed_back")),
      recover: pruned(activations.recover(id, by)),
      backOff: answers(activations.backOff(id, "no such thing"), undefined),
      takeEvents: answers(
        activations.takeEvents(id, () => undefined),
        undefined
      ),
      performed: lost(activations.performed(lease, { revision: 1, index: 0, name: "a" })),
      drain: answers(activations.drain(id, by), false),
      reacquire: lost(activations.reacquire(lease, by.claimant))
    }
    const ofBodies: Endings<typeof BodyWrites.Service> = {
      journalOf: answers(executions.journalOf(id), []),
      entryAt: answers(executions.entryAt(id, 1), undefined),
      news: answers(executions.news(id, { after: 0, limit: 9 }), []),
      progressOf: answers(executions.progressOf(id), []),
      keepProgress: lost(executions.keepProgress(lease, "k1#1", 1)),
      record: lost(executions.record(lease, { ...draft(1, "step"), outcome: 1 })),
      drop: lost(executions.drop(lease, { ...draft(1, "dropped"), outcome: null })),
      noteEnd: pruned(executions.noteEnd(live, id)),
      enterWait: [
        lost(executions.enterWait(lease, draft(1, "await_signal"), forReady)),
        lost(executions.enterWait(lease, draft(1, "sleep"), timer))
      ],
      waitOf: answers(executions.waitOf(id, waitKey), { waitKey }),
      eventAt: pruned(executions.eventAt(id, 1)),
      append: lost(executions.append(lease, note(1), draft(1, "append_event"))),
      signalFrom: pruned(executions.signalFrom(live, id, sent, draft(1, "signal"))),
      requestFrom: (["Cancel", "Abandon"] as const).map((_tag) =>
        pruned(executions.requestFrom(live, id, { _tag, reason: undefined }, draft(1, "request")))
      ),
      fireTimers: answers(executions.fireTimers(id), undefined)
    }
    const ofOutbox: Endings<typeof WakeOutbox.Service> = {
      claim: namesNone,
      settle: namesNone,
      redrive: namesNone,
      isDue: namesNone,
      rowsOf: namesNone,
      list: answers(outbox.list({ processId: id }), { rows: [] }),
      report: namesNone
    }
    const ofObservers: Endings<typeof Observation.Service> = {
      observe: pruned(observation.observe(id)),
      snapshotForSession: answers(observation.snapshotForSession(name), []),
      listGrantedTo: answers(observation.listGrantedTo(scope, any), { entries: [] }),
      listOriginatedBy: answers(observation.listOriginatedBy(scope, { status: "any" }), { records: [] })
    }
    // The feed tells that it was deleted, and retention is how it went.
    const ofOthers: Endings<typeof ChangeFeed.Service & typeof Retention.Service & typeof Environments.Service> = {
      beginning: namesNone,
      changesSince: namesNone,
      pruneTerminalProcesses: namesNone,
      compactTombstones: namesNone,
      referenceSummary: namesNone,
      durability: namesNone,
      persist: namesNone,
      load: namesNone
    }
    const alone: Readonly<Record<string, Ending>> = {
      stateAt: pruned(stateAt(id, 0)),
      verify: pruned(verify({ ids: [id] })),
      resumeFrom: pruned(resumeFrom(id, { from: 1 }))
    }

    const all: Readonly<Record<string, Ending | ReadonlyArray<Ending>>> = {
      ...ofRegistry,
      ...ofGrants,
      ...ofLeases,
      ...ofWaits,
      ...ofActivations,
      ...ofBodies,
      ...ofOutbox,
      ...ofObservers,
      ...ofOthers,
      ...alone
    }
    for (const [about, endings] of Object.entries(all)) {
      for (const ending of [endings].flat()) {
        if ("answers" in ending) {
          const answer = yield* writesNothing([id, live.processId], ending.operation)
          yield* expectEquals(about, answer, ending.answers)
          continue
        }
        const error = yield* refused(about, ending.fails, [id, live.processId], ending.operation)
        if (ending.fails === "LeaseLost") continue
        const { terminalState, prunedAtMs: at } = error as unknown as ProcessPruned // of this tag
        yield* expectEquals(about, [terminalState, at], ["completed", prunedAtMs])
      }
    }
  }
})
