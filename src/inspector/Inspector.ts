/**
 * The inspector: a page on a loopback port of this machine that shows what every process does.
 *
 * ```
 * live host   its services             ─► Inspector.layerHost  what happens as it happens, its tree and sweeps, actions
 * own parts   a store, a registry      ─► Inspector.layer      the same, with whatever parts `InspectorSource` has
 * any file    a store that only reads  ─► Inspector.layerFile  no worker runs, the actions are off
 * any server  a store that only reads  ─► Inspector.layerReading
 * ```
 *
 * Invariant: it never decides anything. It reads what the store says, and its actions are the registry's own operations.
 */
import { basename } from "node:path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Redact } from "../explain/redaction.ts"
import { showAll } from "../explain/redaction.ts"
import type { StoreError } from "../model/errors.ts"
import { InputInvalid } from "../model/errors.ts"
import * as Liveness from "../operations/OwnerLiveness.ts"
import * as Registry from "../operations/ProcessRegistry.ts"
import { ProcessRegistry } from "../operations/ProcessRegistry.ts"
import * as Outbox from "../operations/WakeOutbox.ts"
import * as Arguments from "../runtime/arguments.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import type { ReadOnlyOptions } from "../store/sqlite/SqliteStore.ts"
import * as SqliteStore from "../store/sqlite/SqliteStore.ts"
import * as Access from "./access.ts"
import * as Feed from "./feed.ts"
import * as Http from "./http.ts"
import type { InspectorParts } from "./InspectorSource.ts"
import { deathsIn, InspectorSource } from "./InspectorSource.ts"
import { appOf } from "./server.ts"
import * as Directory from "./views/directory.ts"
import type { HostPartServices } from "./views/host.ts"
import { fileParts, hostExternalChanges, hostParts } from "./views/host.ts"

export * as Explanation from "../explain/Explanation.ts"
export { explain, noHost } from "../explain/explain.ts"
export type { ExplainOptions } from "../explain/facts.ts"
export type { Redact } from "../explain/redaction.ts"
export { render as renderExplanation } from "../explain/render.ts"
export { followStately, type StatelyEvent, statelyEvents } from "./charts/stately.ts"
export { type Deaths, type InspectorParts, InspectorSource, type Part, type PartFailed } from "./InspectorSource.ts"

/** How an inspector is served. */
export interface InspectorOptions {
  /** The port; 0 takes any that is free. @default 0 */
  readonly port?: number
  /** A loopback name: nothing else is served. @default "127.0.0.1" */
  readonly host?: string
  /** What every request must show. @default a random one, new at each start */
  readonly token?: string
  /** Whether the page may signal, cancel, abandon and redrive. @default true */
  readonly actions?: boolean
  /** What the page calls this host. @default "holdfast" */
  readonly name?: string
  /** Hides payloads: applied to every value that a producer or a body gave. @default shows everything */
  readonly redact?: Redact
  /** Shows a person the address, token included. @default writes it to standard error where that is a terminal */
  readonly announce?: (line: string) => Effect.Effect<void>
}

/** Where a database file is, and how its inspector is served. It has no actions. */
export interface FileOptions extends Omit<InspectorOptions, "actions">, ReadOnlyOptions {}

/** A served inspector. */
export class Inspector extends Context.Tag("holdfast/inspector/Inspector")<
  Inspector,
  {
    /** The address of the page, token included: it gives access to everything that the inspector shows. */
    readonly address: string
    /** The address of one view of the page, such as `("processes", id)`, token included. */
    readonly addressOf: (
      view: "overview" | "processes" | "tree" | "sweeps" | "wakes" | "machines",
      id?: string
    ) => string
    readonly port: number
    readonly token: string
    /** How many pages follow the changes at present. */
    readonly clients: () => number
  }
>() {}

/**
 * Serves an inspector of the host in context, for as long as the layer lives, and announces its address.
 *
 * `InspectorSource` offers the parts that a store alone does not have; {@link layerHost} has those of a `SingleHost`. Fails with `InputInvalid` for a host
 * that is no loopback name, a port that is taken, or an empty token.
 */
export const layer = (
  options: InspectorOptions = {}
): Layer.Layer<Inspector, InputInvalid, ProcessStore | ProcessRegistry> =>
  Layer.scoped(
    Inspector,
    Effect.flatMap(Effect.all([InspectorSource, ProcessStore]), ([parts, store]) =>
      serve("live", options, parts, Feed.polling(store))
    )
  )

/**
 * Serves an inspector of a host made by `SingleHost`, with its supervision tree, its sweeps, and explanations that know its
 * engines and slots. What `InspectorSource` provides beside that counts before the host's own parts.
 *
 * Fails with `InputInvalid` as {@link layer} does.
 */
export const layerHost = (
  options: InspectorOptions = {}
): Layer.Layer<Inspector, InputInvalid, HostPartServices | ProcessRegistry> =>
  Layer.scoped(
    Inspector,
    Effect.flatMap(
      Effect.all([hostParts(options.redact), InspectorSource, hostExternalChanges]),
      ([own, given, elsewhere]) => serve("live", options, { ...own, ...given }, elsewhere)
    )
  )

/**
 * Serves an inspector of a database file, perhaps that of a crashed host, or one that another program works with. The file is
 * never written and never migrated: see `SqliteStore.layerReadOnly`.
 *
 * Fails with `InputInvalid` as {@link layer} does, or with `StoreError` when the file cannot be opened.
 */
export const layerFile = ({
  onCopy,
  filename,
  ...options
}: FileOptions): Layer.Layer<Inspector, InputInvalid | StoreError> =>
  layerReading(SqliteStore.layerReadOnly({ filename, ...(onCopy === undefined ? {} : { onCopy }) }), {
    name: basename(filename),
    ...options
  })

/**
 * Serves an inspector of a store that no host of this program works on, such as that of a PostgreSQL server: `PostgresStore.layer`
 * with `readOnly`. `actions` are off unless they are asked for, and need a store that can be written: what they ask for, the next
 * host on the store does.
 *
 * Fails with `InputInvalid` as {@link layer} does, or as the store does.
 */
export const layerReading = <E>(
  store: Layer.Layer<ProcessStore, E>,
  options: InspectorOptions = {}
): Layer.Layer<Inspector, InputInvalid | E> => {
  const { actions = false, redact } = options
  return Layer.scoped(
    Inspector,
    Effect.flatMap(
      Effect.all([fileParts({ redact, actions }), InspectorSource, ProcessStore]),
      ([own, given, present]) => serve("file", { ...options, actions }, { ...own, ...given }, Feed.polling(present))
    )
  ).pipe(Layer.provide(Layer.provideMerge(Layer.mergeAll(Registry.layer, Liveness.layer, Outbox.layer), store)))
}

const serve = (
  mode: "live" | "file",
  options: InspectorOptions,
  parts: InspectorParts,
  elsewhere: Feed.ExternalChanges
): Effect.Effect<typeof Inspector.Service, InputInvalid, ProcessStore | ProcessRegistry | Scope.Scope> =>
  Effect.gen(function* () {
    const checked = yield* Arguments.refusing(() => Effect.succeed(checkedOptions(options)))
    const { host, token, actions, name, redact, announce, port } = checked

    const store = yield* ProcessStore
    const registry = yield* ProcessRegistry
    const feed = yield* Feed.make(store, { redact, externalChanges: elsewhere })

    const directory = yield* Directory.make(store, redact, deathsIn(parts))

    const bound = yield* Http.serve({ host, port }, (at) => {
      const access = Access.make(token, host, at)
      return appOf({ store, registry, parts, feed, directory, access, redact, host: { mode, actions, name } })
    })
    const origin = `http://${Access.bracketed(host)}:${bound}`
    const addressOf = (view: string, id?: string): string =>
      `${origin}/#/${view}${id === undefined ? "" : `/${encodeURIComponent(id)}`}?token=${encodeURIComponent(token)}`
    const address = addressOf("processes")
    yield* Effect.logInfo(`inspector of ${name}: ${origin}/ (its token is not logged)`)
    yield* announce(`inspector of ${name}: ${address}`)
    return Inspector.of({ address, addressOf, port: bound, token, clients: feed.clients })
  })

const known = {
  port: true,
  host: true,
  token: true,
  actions: true,
  name: true,
  redact: true,
  announce: true
} as const satisfies Readonly<Record<keyof InspectorOptions, true>>

/** Checks each option. Throws `InputInvalid`, which names it. */
const checkedOptions = (given: InspectorOptions): Required<InspectorOptions> => {
  const options = Arguments.record("options", given)
  Arguments.known(known, options)
  const { port = 0, host = "127.0.0.1", token = Access.randomToken() } = options
  const { actions = true, name = "holdfast", redact = showAll, announce = announceOnTerminal } = options
  if (Arguments.whole("port", port, 0) > 65_535) {
    throw new InputInvalid({ field: "port", problem: `is ${port}; there are none above 65535` })
  }
  if (!Access.isLoopback(Arguments.text("host", host))) {
    throw new InputInvalid({ field: "host", problem: `is ${host}; only loopback names are served` })
  }
  if (Arguments.text("token", token) === "") throw new InputInvalid({ field: "token", problem: "is empty" })
  Arguments.truth("actions", actions)
  Arguments.text("name", name)
  Arguments.callable("redact", redact)
  Arguments.callable("announce", announce)
  return { port, host, token, actions, name, redact, announce }
}

/** A terminal shows the address to the person before it; what collects output into files and exporters does not get it. */
const announceOnTerminal = (line: string): Effect.Effect<void> =>
  Effect.sync(() => {
    if (process.stderr.isTTY) process.stderr.write(`${line}\n`)
  })
