/**
 * Laws of lists: every filter says the same as the plain predicate, and pages are cut from one bytewise order.
 */
import * as Effect from "effect/Effect"
import type { ProcessId } from "../../model/ids.ts"
import { processId } from "../../model/ids.ts"
import type { ListFilter } from "../../model/ListFilter.ts"
import { matches } from "../../model/ListFilter.ts"
import * as ProcessRecord from "../../model/ProcessRecord.ts"
import type { Cursor } from "../../operations/ChangeFeed.ts"
import * as Observation from "../../operations/Observation.ts"
import type { Write } from "../../store/Decision.ts"
import { acceptWith } from "../../store/Decision.ts"
import { recordOf, refused, rowOf } from "../evidence.ts"
import { freshId, registrationOf } from "../fixtures.ts"
import type { Law, LawFailure } from "../Law.ts"
import { expectEquals, law, lawsOf } from "../Law.ts"
import { ends, population } from "../population.ts"
import { appended, wakingProcess } from "../waking.ts"
import { end } from "./OrderingLaws.ts"

/** A field, with filters by it and the members of the population that they show. */
type Expectation = readonly [filter: (tag: string) => ListFilter, names: string]

/** For each field of the filter, whom it shows. */
const expectations: Readonly<Record<string, ReadonlyArray<Expectation>>> = {
  status: [
    [() => ({}), "asked bound engine framed free held listed null owned scoped session waiting"],
    [() => ({ status: "running" }), "asked bound engine framed free held listed null owned scoped session waiting"],
    [() => ({ status: "completed" }), "completed"],
    [() => ({ status: "failed" }), "failed"],
    [() => ({ status: "cancelled" }), "cancelled"],
    [() => ({ status: "abandoned" }), "abandoned"],
    [
      () => ({ status: "any" }),
      "abandoned asked bound cancelled completed engine failed framed free held listed null owned scoped session waiting"
    ]
  ],
  definition: [
    [() => ({ definition: { kind: "x", version: 1 } }), "engine"],
    [() => ({ definition: { version: 1, kind: "x" } }), "engine"],
    [() => ({ definition: { kind: "x" } }), ""],
    [() => ({ definition: null }), "null"],
    [() => ({ definition: [1, "1"] }), "listed"],
    [() => ({ definition: ["1", 1] }), ""]
  ],
  waiting: [
    [() => ({ waiting: true }), "waiting"],
    [() => ({ waiting: false }), "asked bound engine framed free held listed null owned scoped session"],
    [() => ({ waiting: true, status: "completed" }), ""]
  ],
  originatorScopeId: [
    [(tag) => ({ originatorScopeId: `host:${tag}` }), "scoped"],
    [(tag) => ({ originatorScopeId: `session:${tag}` }), "session"],
    [(tag) => ({ originatorScopeId: `session:${tag}/frame:f` }), "framed"],
    [() => ({ originatorScopeId: "host" }), "asked bound engine free held listed null owned waiting"],
    [(tag) => ({ originatorScopeId: tag }), ""]
  ],
  identityKind: [
    [() => ({ identityKind: "custom" }), "engine"],
    [() => ({ identityKind: "law.engine" }), "bound free held listed null"],
    [() => ({ identityKind: "Custom" }), ""]
  ],
  identityLabel: [
    [() => ({ identityLabel: "it's 100%" }), "framed"],
    [() => ({ identityLabel: "it's 100_" }), ""],
    [() => ({ identityLabel: "7" }), "session"],
    [() => ({ identityLabel: "" }), "null"],
    [() => ({ identityLabel: "a" }), ""]
  ],
  hasAbandonRequest: [
    [() => ({ hasAbandonRequest: true }), "asked"],
    [() => ({ hasAbandonRequest: false }), "bound engine framed free held listed null owned scoped session waiting"]
  ],
  disposition: [
    [() => ({ disposition: "owner_bound" }), "bound"],
    [() => ({ disposition: "rerunnable" }), "engine free held listed null"],
    [() => ({ disposition: "externally_owned", identityLabel: "outside" }), "asked owned scoped waiting"]
  ],
  ownerId: [
    [(tag) => ({ ownerId: `${tag}-holder` }), "held"],
    [() => ({ ownerId: "" }), ""]
  ]
}

/** The laws of lists. */
export const laws: ReadonlyArray<Law> = [
  ...Object.entries(expectations).map(([field, expected]) =>
    law(
      `a list by ${field} shows exactly the processes it names`,
      "Write your own store: The reads",
      Effect.gen(function* () {
        const { tag, list, granted, originated } = yield* population
        for (const [filter, names] of expected) {
          const by = `by ${JSON.stringify(filter(tag))}`
          yield* expectEquals(by, (yield* list(filter(tag))).join(" "), names)
          yield* expectEquals(`grants ${by}`, (yield* granted(filter(tag))).join(" "), names)
          const ofSession = names.split(" ").filter((name) => name === "session" || name === "framed")
          yield* expectEquals(`of a session, ${by}`, yield* originated(filter(tag)), ofSession)
        }
      })
    )
  ),

  ...lawsOf("Write your own store: The reads", {
    *"a list by time of creation begins at its start and stops before its end"() {
      const { ids, list } = yield* population
      const { createdAtMs: middle } = yield* recordOf(ids[0])
      const early = ["abandoned", "asked", "cancelled", "completed", "failed", "owned", "scoped", "waiting"]
      const late = ["bound", "engine", "framed", "free", "held", "listed", "null", "session"]
      const all = { status: "any" } as const
      yield* expectEquals("before", yield* list({ ...all, createdAtEndMs: middle }), early)
      yield* expectEquals("since", yield* list({ ...all, createdAtStartMs: middle }), late)
      const none = { ...all, createdAtStartMs: middle, createdAtEndMs: middle }
      yield* expectEquals("never", yield* list(none), [])
    },

    *"combined filters show what the plain predicate admits"({ store }) {
      const { tag, ids, list } = yield* population
      const rows = yield* Effect.forEach((yield* store.list({ filter: { status: "any" } })).map(idOf), rowOf)
      const members = rows.filter((row) => idOf(row).startsWith(tag))
      yield* expectEquals("how many there are", members.length, ids.length)
      const filters = Object.values(expectations).flatMap((some) => some.map(([filter]) => filter(tag)))
      for (const [at, one] of filters.entries()) {
        for (const other of filters.filter((_, index) => index > at && (index + at) % 3 === 0)) {
          const filter = { ...one, ...other }
          const admitted = members.filter(({ base, snapshot, lease }) =>
            matches(filter, ProcessRecord.make(base, snapshot), lease.held?.owner.ownerId)
          )
          const names = admitted.map((row) => idOf(row).slice(tag.length + 1))
          yield* expectEquals(`by ${JSON.stringify(filter)}`, yield* list(filter), names)
        }
      }
    },

    *"pages are cut from one order by id, bytewise, and begin after the id they are given"({ registry }) {
      const scope = yield* freshId
      const provenance = { originator: { _tag: "Host", scope } } as const
      const suffixes = ["b", "\u{1f600}", "a", "\uffee", "Z", "é", "aa"]
      yield* Effect.forEach(suffixes, (suffix) =>
        registry.registerProcess(registrationOf(processId(`${scope}-${suffix}`), "externally_owned", { provenance }))
      )
      const page = (status: "running" | "any", limit: number, after?: string) =>
        Effect.map(
          registry.listProcesses(
            { originatorScopeId: `host:${scope}`, status },
            { limit, ...(after === undefined ? {} : { after: processId(`${scope}-${after}`) }) }
          ),
          ({ records }) => records.map(({ id }) => id.slice(scope.length + 1))
        )
      for (const status of ["running", "any"] as const) {
        yield* expectEquals("the first three", yield* page(status, 3), ["Z", "a", "aa"])
        yield* expectEquals("the next three", yield* page(status, 3, "aa"), ["b", "é", "\uffee"])
        yield* expectEquals("the last one", yield* page(status, 3, "\uffee"), ["\u{1f600}"])
        yield* expectEquals("after an id that is not there", yield* page(status, 2, "ab"), ["b", "é"])
        yield* expectEquals("nothing", [yield* page(status, 0), yield* page(status, 9, "\u{1f600}")], [[], []])
      }
      for (const limit of [-1, 0.5]) yield* refused("a limit", "InputInvalid", [], page("any", limit))
    },

    *"a list answers at most its limit and says where the rest is: page after page it is the whole, and no page is left over"({
      feed,
      outbox,
      registry,
      grants
    }) {
      const session = { sessionId: yield* freshId }
      const provenance = { originator: { _tag: "Session", scope: session } } as const
      const start = yield* end
      const waker = yield* wakingProcess("rerunnable", { provenance })
      yield* grants.grantHandle(session, waker, {})
      const observation = yield* Observation.make
      for (let n = 1; n < listed; n++) {
        const id = yield* freshId
        yield* registry.registerProcess(registrationOf(id, "externally_owned", { provenance }))
        yield* grants.grantHandle(session, id, {})
      }
      for (let n = 0; n < listed; n++) yield* appended(waker)
      const lists: Readonly<Record<string, Listing>> = {
        processes: (limit, after) =>
          Effect.map(
            registry.listProcesses(
              { originatorScopeId: `session:${session.sessionId}` },
              { limit, ...given("after", after) }
            ),
            ({ records, next }) => ({ items: records, next })
          ),
        originated: (limit, after) =>
          Effect.map(
            observation.listOriginatedBy(session, {}, { limit, ...given("after", after) }),
            ({ records, next }) => ({ items: records, next })
          ),
        grants: (limit, after) =>
          Effect.map(grants.listHandleGrants(session, { limit, ...given("after", after) }), ({ entries, next }) => ({
            items: entries,
            next
          })),
        wakes: (limit, before) =>
          Effect.map(outbox.list({ processId: waker, limit, ...given("before", before) }), ({ rows, next }) => ({
            items: rows,
            next
          })),
        // Where the next page begins is said by the last event of a page, and by the cursor of the feed.
        events: (limit, after = 0) =>
          Effect.map(registry.eventsAfter(waker, after as number, limit), (events) => ({
            items: events,
            next: events.at(-1)?.sequence
          })),
        changes: (limit, after = start) =>
          Effect.map(feed.changesSince(after as Cursor, limit), ({ changes, next }) => ({
            items: changes,
            next: next === after ? undefined : next
          }))
      }
      for (const [name, list] of Object.entries(lists)) {
        const tellsTheEnd = name !== "events" && name !== "changes"
        const whole = (yield* list(1_000)).items
        yield* expectEquals(`how many ${name}`, whole.length, listed)
        for (let limit = 1; limit <= listed + 1; limit++) {
          const pages = yield* pagesOf(list, limit)
          yield* expectEquals(`the ${name} in pages of ${limit}`, pages.flat(), whole)
          const sizes = pages.map(({ length }) => length)
          yield* expectEquals(
            `pages of ${limit} with more`,
            sizes.filter((size) => size > limit),
            []
          )
          if (tellsTheEnd)
            yield* expectEquals(
              `${name}: empty pages of ${limit}`,
              sizes.filter((size) => size === 0),
              []
            )
        }
      }
    },

    *"every definition of a chart is listed once, by kind, version and hash"({ store }) {
      const kind = yield* freshId
      const put = (name: string): Write => {
        const [version = "", hash = ""] = name.split(" ")
        return { _tag: "PutDefinition", kind, version, hash, body: JSON.stringify(name) }
      }
      const write = (...names: ReadonlyArray<string>) =>
        store.transact({ lock: [] }, () => acceptWith(undefined, names.map(put)))
      yield* write("2 b", "1 z", "2 a")
      yield* write("1 z", "10 a")
      const all = (yield* store.definitions.all).filter((definition) => definition.kind === kind)
      yield* expectEquals(
        "the definitions",
        all.map(({ version, hash, body }) => `${version} ${hash}: ${body}`),
        ["1 z", "10 a", "2 a", "2 b"].map((name) => `${name}: ${JSON.stringify(name)}`)
      )
    },

    *"a page without a limit has at most a hundred entries, and says where the rest is"({ outbox, registry, grants }) {
      const scope = yield* freshId
      const session = { sessionId: scope }
      const provenance = { originator: { _tag: "Session", scope: session } } as const
      const indexes = Array.from({ length: 101 }, (_, index) => index)
      const waker = yield* wakingProcess()
      yield* Effect.forEach(
        indexes,
        (index) =>
          Effect.zip(
            Effect.zipRight(
              registry.registerProcess(
                registrationOf(processId(`${scope}-${index}`), "externally_owned", { provenance })
              ),
              grants.grantHandle(session, processId(`${scope}-${index}`), {})
            ),
            appended(waker),
            { concurrent: true }
          ),
        { concurrency: "unbounded" }
      )
      const wakes = yield* outbox.list({ processId: waker })
      yield* expectEquals("how many wakes", [wakes.rows.length, wakes.next], [100, wakes.rows.at(-1)?.number])
      const filter = { originatorScopeId: `session:${scope}` }
      const { records, next } = yield* registry.listProcesses(filter)
      yield* expectEquals("how many", [records.length, next], [100, records.at(-1)?.id])
      const rest = yield* registry.listProcesses(filter, next === undefined ? {} : { after: next })
      yield* expectEquals("what follows", [rest.records.length, rest.next], [1, undefined])
      const all = yield* registry.listProcesses(filter, { limit: 101 })
      yield* expectEquals("all of them, and nothing after", [all.records.length, all.next], [101, undefined])
      const observation = yield* Observation.make
      yield* expectEquals("what a session started", yield* observation.listOriginatedBy(session, {}), { records, next })
      const pages = [
        yield* grants.listHandleGrants(session),
        yield* grants.listLiveHandleGrants(session),
        yield* observation.listGrantedTo(session, {})
      ]
      for (const page of pages) {
        yield* expectEquals(
          "the grants",
          page.entries.map(({ record }) => record),
          records
        )
        yield* expectEquals("what follows of them", page.next, next)
      }
      yield* expectEquals("the first", records[0], yield* registry.getProcess(processId(`${scope}-0`)))
    },

    *"counts by state follow registrations and ends, one by one"({ registry, store }) {
      const before = yield* store.countByLifecycle
      for (const [name, output] of Object.entries(ends)) {
        const id = yield* freshId
        yield* registry.registerProcess(registrationOf(id, "externally_owned"))
        const begun = yield* store.countByLifecycle
        yield* registry.completeProcess(id, output, { _tag: "ExternalOwner" })
        const ended = yield* store.countByLifecycle
        yield* expectEquals(`running, before one is ${name}`, begun.running, before.running + 1)
        yield* expectEquals(`running, after one is ${name}`, ended.running, before.running)
      }
      yield* registry.registerProcess(registrationOf(yield* freshId, "rerunnable"))
      const { running, completed, failed, cancelled, abandoned } = before
      yield* expectEquals("one more of each", yield* store.countByLifecycle, {
        running: running + 1,
        completed: completed + 1,
        failed: failed + 1,
        cancelled: cancelled + 1,
        abandoned: abandoned + 1
      })
    }
  })
]

/** How many entries each list has that is read page by page. */
const listed = 5

/** A page of a list, and where the next one begins. */
type Listing = (
  limit: number,
  from?: unknown
) => Effect.Effect<{ readonly items: ReadonlyArray<unknown>; readonly next: unknown }, LawFailure>

const pagesOf = (
  list: Listing,
  limit: number,
  from?: unknown
): Effect.Effect<ReadonlyArray<ReadonlyArray<unknown>>, LawFailure> =>
  Effect.flatMap(list(limit, from), ({ items, next }) =>
    next === undefined ? Effect.succeed([items]) : Effect.map(pagesOf(list, limit, next), (rest) => [items, ...rest])
  )

const given = <Key extends string>(key: Key, value: unknown) =>
  (value === undefined ? {} : { [key]: value }) as unknown as { readonly [K in Key]?: never } // as the page before it answered

const idOf = ({ base }: { readonly base: ProcessRecord.Base }): ProcessId => base.registration.id
