/**
 * What the inspector answers: one table of routes over a store, each read-only but the actions.
 *
 * ```
 * request ─► host, origin ─► the page's own files
 *                       └──► token ─► route ─► JSON | the stream of changes
 * ```
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type { AnyStateMachine } from "xstate"
import type { Redact } from "../explain/redaction.ts"
import type { StoreError } from "../model/errors.ts"
import { InputInvalid } from "../model/errors.ts"
import type { ProcessId } from "../model/ids.ts"
import { decoder } from "../model/wire.ts"
import type { ProcessRegistry } from "../operations/ProcessRegistry.ts"
import type { ProcessStore } from "../store/ProcessStore.ts"
import type { Access } from "./access.ts"
import { headers, refusalOf } from "./access.ts"
import type { Action } from "./actions.ts"
import { action, actionsOf } from "./actions.ts"
import { assetOf } from "./assets.ts"
import { machines } from "./charts/definition.ts"
import { machineOf, machineView, StepRequest, simulate } from "./charts/simulation.ts"
import { isStored, storedMachine } from "./charts/stored.ts"
import { cut, partOf } from "./cut.ts"
import type { Feed } from "./feed.ts"
import { maxClients } from "./feed.ts"
import type { Answer, App, Request } from "./http.ts"
import type { InspectorParts, Part } from "./InspectorSource.ts"
import { deathsIn } from "./InspectorSource.ts"
import { idOf, knownKeys, listKeys, listQuery, numberOf } from "./query.ts"
import type { CountsView, ErrorView, HostView, MachineLine, PartView } from "./View.ts"
import type { Directory } from "./views/directory.ts"
import { pageOf } from "./views/directory.ts"
import { withDoing, withLeft } from "./views/doing.ts"
import type { LookRequest } from "./views/look.ts"
import { lookAt } from "./views/look.ts"
import { messagesView } from "./views/messages.ts"
import { overviewOf, wakesCounted } from "./views/overview.ts"
import type { EventsRequest } from "./views/process.ts"
import { eventsView, processView, stateAt } from "./views/process.ts"
import { TryRequest, tried } from "./views/rest.ts"
import { runsView } from "./views/runs.ts"

/** What the routes need. */
export interface ServerSupport {
  readonly store: typeof ProcessStore.Service
  readonly registry: typeof ProcessRegistry.Service
  readonly parts: InspectorParts
  readonly feed: Feed
  readonly directory: Directory
  readonly access: Access
  readonly redact: Redact
  readonly host: Pick<HostView, "mode" | "actions" | "name">
}

/** What is read under an address: the keys that its query may have, and the answer to it. Where values are cut, `part` asks for one. */
interface Read {
  readonly keys: ReadonlyArray<string>
  readonly answer: (query: URLSearchParams) => Effect.Effect<unknown, unknown>
}

/** Answers requests. It never fails: what goes wrong is an answer, too. */
export const appOf = (support: ServerSupport): App => {
  const reads = readsOf(support)
  const posts = postsOf(support)

  const route = (request: Request, path: string, query: URLSearchParams): Effect.Effect<Answer, unknown> => {
    if (request.method === "POST") {
      if (path.startsWith("/api/actions/") && !support.host.actions) return Effect.succeed(readOnly(support.host.mode))
      // A form of another page could post without asking first; JSON it could not.
      if (request.headers["content-type"]?.startsWith("application/json") !== true) {
        return Effect.succeed(refusal(415, "NotJson", "the body must be application/json"))
      }
      const post = Object.hasOwn(posts, path) ? posts[path] : undefined
      return post === undefined
        ? Effect.succeed(nowhere(path))
        : Effect.map(Effect.flatMap(bodyOf(request, post.schema), post.run), (value) => json(value))
    }
    if (request.method !== "GET") {
      return Effect.succeed(refusal(405, "MethodNotAllowed", `${request.method} is not answered here`))
    }
    if (path === "/api/changes") {
      return Effect.map(knownKeys(query, path, []), () => changesOf(support.feed))
    }
    const read = Object.hasOwn(reads, path) ? reads[path] : undefined
    // Nothing interrupts an answer; a read may be, by its own time limit or by a client that left.
    if (read !== undefined) {
      const keys = isCut.has(path) ? [...read.keys, "part"] : read.keys
      const answer = Effect.zipRight(knownKeys(query, path, keys), read.answer(query))
      return Effect.map(Effect.interruptible(answer), (value) => json(partly(path, query, value)))
    }
    return pageFile(path)
  }

  return (request) =>
    Effect.suspend(() => {
      // The page has none, and one that asks for it goes on in another protocol.
      if (/websocket/i.test(request.headers.upgrade ?? "")) {
        return Effect.succeed(refusal(400, "NoWebSocket", "there is no WebSocket here"))
      }
      const base = "http://inspector"
      if (!URL.canParse(request.url, base)) {
        return Effect.succeed(refusal(400, "NoAddress", "the address cannot be read"))
      }
      const { pathname, searchParams } = new URL(request.url, base)
      const refused = refusalOf(support.access, request, pathname)
      if (refused !== undefined) return Effect.succeed(refusal(refused.status, "Refused", refused.problem))
      return route(request, pathname, searchParams)
    }).pipe(
      Effect.catchAll((error) => Effect.succeed(failure(error))),
      Effect.catchAllDefect((defect) =>
        Effect.as(
          Effect.logError("the inspector failed to answer", defect),
          refusal(500, "Defect", "the inspector failed to answer; its log says why")
        )
      )
    )
}

/** Reads the body of a request. Fails with `InputInvalid`, which names the field and what is wrong with it. */
const bodyOf = <A, I>(request: Request, schema: Schema.Schema<A, I>) =>
  Effect.gen(function* () {
    const text = yield* request.text
    const invalid = (field: string, problem: string) => new InputInvalid({ field, problem })
    const parsed = yield* Effect.try({
      try: (): unknown => JSON.parse(text),
      catch: () => invalid("body", "is not JSON")
    })
    const decode = decoder("body", schema)
    return yield* Effect.suspend(() => decode(parsed)).pipe(
      // A schema follows the value as deeply as it is nested, until the stack ends.
      Effect.catchAllDefect((defect) =>
        defect instanceof RangeError ? Effect.fail(invalid("body", "is nested too deeply")) : Effect.die(defect)
      )
    )
  })

/** What may be posted, by its path: steps of copies, and the actions. */
export const postsOf = ({
  store,
  registry,
  parts
}: Pick<ServerSupport, "store" | "registry" | "parts">): Readonly<Record<string, Action<unknown, unknown>>> => ({
  "/api/simulate": action(StepRequest, simulate),
  "/api/try": action(TryRequest, (request) => tried(store.definitions)(request)),
  ...Object.fromEntries(
    Object.entries(actionsOf(registry, store, parts)).map(([name, each]) => [`/api/actions/${name}`, each] as const)
  )
})

/** What is read, by its path; the stream of changes and the files of the page are beside it. */
export const readsOf = ({
  store,
  parts,
  redact,
  host,
  directory
}: Pick<ServerSupport, "store" | "parts" | "redact" | "host" | "directory">): Readonly<Record<string, Read>> => ({
  "/api/host": of([], () =>
    Effect.map(
      Clock.currentTimeMillis,
      (nowMs): HostView => ({
        ...host,
        redrive: parts.redrive !== undefined,
        store_id: store.storeId,
        now_ms: nowMs
      })
    )
  ),
  "/api/processes": of(listKeys, (query) =>
    Effect.gen(function* () {
      const { wanted, page, isOfIds } = yield* listQuery(query)
      const look = yield* directory.look
      const found = pageOf(look, wanted, page)
      return isOfIds
        ? { ...found, rows: found.rows.map(({ process_id }) => ({ process_id })) }
        : yield* withLeft(store, withDoing(found, look, parts.underWay ?? (() => undefined), redact), redact)
    })
  ),
  "/api/overview": of([], () =>
    Effect.gen(function* () {
      const holders = yield* Effect.forEach(yield* store.leases.holders, (holder) =>
        Effect.map(deathsIn(parts)(holder.owner), (gone) => ({ ...holder, isDead: gone }))
      )
      const wakes = yield* orAbsent(Effect.suspend(() => partView(parts.wakes)))
      const look = yield* directory.look
      return overviewOf(look, {
        counted: yield* counted(store),
        holders,
        slots: parts.slots?.(),
        wakes: wakesCounted(wakes)
      })
    })
  ),
  "/api/counts": of([], () => counted(store)),
  "/api/look": of(["id", "limit", "after", "known", "at"], (query) =>
    Effect.gen(function* () {
      const id = yield* idOf(query)
      const known = query.get("known")
      const at = query.get("at")
      const request: LookRequest = {
        limit: yield* numberOf(query, "limit", 200),
        ...(query.has("after") ? { after: yield* numberOf(query, "after", 0, Number.MAX_SAFE_INTEGER) } : {}),
        ...(known === null ? {} : { known }),
        ...(at === null ? {} : { at: at === "last" ? at : yield* numberOf(query, "at", 0, Number.MAX_SAFE_INTEGER) })
      }
      const explained = orAbsent(Effect.suspend(() => partView(parts.explain?.(id))))
      return yield* lookAt(store, id, request, redact, explained, deathsIn(parts))
    })
  ),
  "/api/runs": ofProcess((id) => runsView(store, id, redact, deathsIn(parts))),
  "/api/process": ofProcess((id) => processView(store, id, redact, deathsIn(parts))),
  "/api/events": of(["id", "limit", "after"], (query) =>
    Effect.gen(function* () {
      const id = yield* idOf(query)
      const limit = yield* numberOf(query, "limit", 200)
      const request: EventsRequest = query.has("after")
        ? { after: yield* numberOf(query, "after", 0, Number.MAX_SAFE_INTEGER), limit }
        : { last: limit }
      return yield* eventsView(store, id, request, redact)
    })
  ),
  "/api/state": of(["id", "sequence"], (query) =>
    Effect.gen(function* () {
      const id = yield* idOf(query)
      return yield* stateAt(store, id, yield* numberOf(query, "sequence", Number.NaN, Number.MAX_SAFE_INTEGER), redact)
    })
  ),
  // Without their charts: each of those takes a moment to lay out.
  "/api/machines": of([], () => Effect.succeed([...machines.values()].map(machineLine))),
  "/api/machine": of(["id"], (query) => {
    const id = query.get("id") ?? ""
    return isStored(id)
      ? Effect.flatMap(storedMachine(store.definitions, id), ({ machine }) => machineView(machine))
      : Effect.flatMap(machineOf(id), machineView)
  }),
  "/api/messages": ofProcess((id) => messagesView(store, id)),
  "/api/tree": of([], () => partView(parts.tree)),
  "/api/sweeps": of([], () => partView(parts.sweeps)),
  "/api/wakes": of([], () => partView(parts.wakes)),
  "/api/explain": ofProcess((id) => partView(parts.explain?.(id)))
})

const of = (keys: Read["keys"], answer: Read["answer"]): Read => ({ keys, answer })

const ofProcess = (answer: (id: ProcessId) => Effect.Effect<unknown, unknown>): Read =>
  of(["id"], (query) => Effect.flatMap(idOf(query), answer))

const machineLine = ({ id, version, root }: AnyStateMachine): MachineLine => ({
  id,
  ...(version === undefined ? {} : { version }),
  ...(root.description === undefined ? {} : { description: root.description })
})

/** A part of a host beside what the store has: where it fails, however it does, the rest is shown. */
const orAbsent = (part: Effect.Effect<PartView, unknown>): Effect.Effect<PartView> =>
  part.pipe(
    Effect.tapDefect((defect) => Effect.logError("a part of the inspector failed", defect)),
    Effect.sandbox,
    Effect.orElseSucceed((): PartView => ({ available: false }))
  )

const partView = (part: Part | undefined): Effect.Effect<PartView, unknown> =>
  part === undefined
    ? Effect.succeed({ available: false })
    : Effect.map(part, (value) => ({ available: true, value: value ?? null }))

const changesOf = (feed: Feed): Answer =>
  feed.clients() < maxClients
    ? {
        status: 200,
        headers: { ...headers, "content-type": "text/event-stream; charset=utf-8", "x-accel-buffering": "no" },
        body: feed.subscribe
      }
    : refusal(503, "TooManyStreams", `${maxClients} pages follow the changes, and no more may: close one of them`)

const pageFile = (path: string): Effect.Effect<Answer> =>
  Effect.map(assetOf(path === "/" ? "index.html" : path.slice(1)), (asset) =>
    asset === undefined
      ? nowhere(path)
      : { status: 200, headers: { ...headers, "content-type": asset.contentType }, body: asset.body }
  )

const nowhere = (path: string) => refusal(404, "NotFound", `there is nothing at ${path}`)

const readOnly = (mode: HostView["mode"]) =>
  refusal(
    403,
    "ReadOnly",
    mode === "file"
      ? "this inspector reads a file and changes nothing: use the inspector of a running host"
      : "the actions of this inspector are switched off"
  )

/** An answer with its large values cut, or the one part of it that is asked for, whole. */
const partly = (path: string, query: URLSearchParams, value: unknown): unknown => {
  const pointer = query.get("part")
  if (pointer !== null) return partOf(value, pointer) ?? null
  if (!isCut.has(path)) return value
  const again = new URLSearchParams(query)
  // What the page had then is no reason to leave a part out later.
  again.delete("known")
  return cut(value, `${path.slice("/api/".length)}?${again}`)
}

const isCut: ReadonlySet<string> = new Set(["/api/look", "/api/process", "/api/events", "/api/state", "/api/explain"])

const counted = ({ countByLifecycle }: typeof ProcessStore.Service): Effect.Effect<CountsView, StoreError> =>
  Effect.map(countByLifecycle, (counts) => ({
    counts,
    total: Object.values(counts).reduce((sum, count) => sum + count, 0)
  }))

/** An answer in JSON. */
const json = (value: unknown, status = 200): Answer => ({
  status,
  headers: { ...headers, "content-type": "application/json; charset=utf-8" },
  body: JSON.stringify(value)
})

/** A refusal: a tag for programs, a sentence for people. */
const refusal = (status: number, tag: string, message: string): Answer =>
  json({ error: { tag, message } } satisfies ErrorView, status)

/** The refusal for a typed failure. */
const failure = (error: unknown): Answer => {
  const { tag, message } = spokenOf(error)
  return refusal(statuses[tag] ?? 500, tag, message)
}

const statuses: Readonly<Record<string, number>> = {
  InputInvalid: 400,
  ParseError: 400,
  ProcessUnknown: 404,
  ProcessPruned: 410,
  EventRejected: 409,
  ProcessAlreadyTerminal: 409,
  TerminalOutcomeMismatch: 409,
  LeaseLost: 409,
  TooLarge: 413,
  StoreError: 503
}

const spokenOf = (error: unknown): { readonly tag: string; readonly message: string } => {
  if (typeof error !== "object" || error === null) return { tag: "Failed", message: String(error) }
  const { _tag: tag, message } = error as { readonly _tag?: unknown; readonly message?: unknown }
  return {
    tag: typeof tag === "string" ? tag : "Failed",
    message: typeof message === "string" ? message : "the request failed"
  }
}
