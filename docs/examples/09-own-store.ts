/**
 * The empty adapter of "Write your own store": it compiles, does nothing yet, and the certificate lists the laws it breaks.
 *
 * usage: node dist/docs/examples/09-own-store.js
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Errors } from "../../src/index.ts"
import { ProcessStore } from "../../src/store.ts"
import { certify, render } from "../../src/testing/Certify.ts"

const missing = (operation: string) =>
  Effect.fail(
    new Errors.StoreError({ operation, reason: "failed", written: "no", detail: "this adapter does not do that yet" })
  )

const layer = Layer.succeed(
  ProcessStore.ProcessStore,
  ProcessStore.ProcessStore.of({
    durability: "inline",
    storeId: "my-store",
    transact: () => missing("write"),
    onCommit: () => Effect.void,
    externalChanges: Effect.succeed([]),
    readTogether: () => missing("read one state"),
    find: () => missing("read a process"),
    eventsAfter: () => missing("read events"),
    countEvents: () => missing("count events"),
    recentEvents: () => missing("read recent events"),
    wakeEventsAfter: () => missing("read wakes"),
    list: () => missing("list processes"),
    countByLifecycle: missing("count processes"),
    listNonTerminal: missing("list processes"),
    grants: { ofProcess: () => missing("list grants"), ofScope: () => missing("list grants") },
    wakers: () => missing("list the processes that wake a session"),
    feed: { after: () => missing("read changes") },
    retention: {
      endedBefore: () => missing("list ended processes"),
      tombstone: () => missing("read what is left of a process"),
      tombstonesBefore: () => missing("list tombstones")
    },
    outbox: {
      isDue: () => missing("look for due wakes"),
      rowsOf: () => missing("read wakes"),
      list: () => missing("list wakes"),
      report: missing("report on wakes")
    },
    definitions: {
      of: () => missing("read the definitions of a chart"),
      all: missing("read the definitions of charts")
    },
    environments: { get: () => missing("read an execution environment") },
    promises: { get: () => missing("read a promise") },
    due: () => missing("list due processes"),
    leases: {
      of: () => missing("read a lease"),
      holders: missing("list lease holders"),
      heldBy: () => missing("list the leases of a holder"),
      renew: () => missing("renew leases")
    },
    children: {
      of: () => missing("list children"),
      closeRequests: () => missing("list close requests"),
      closeRequestsOf: () => missing("list close requests"),
      closeRequestsWritten: () => 0
    },
    parts: () => [],
    execution: {
      journal: () => missing("read a journal"),
      entryAt: () => missing("read a journal entry"),
      progress: () => missing("read a journal entry"),
      news: () => missing("read what a body waits for"),
      eventByKey: () => missing("read an event"),
      timersDue: () => missing("list timers"),
      nextTimer: missing("read the next timer")
    }
  })
)

const report = await Effect.runPromise(certify(layer))

await Effect.runPromise(Console.log(render(report)))
