/**
 * `holdfast copy --from FILE --to URL`: moves the processes of a stopped host's file to a PostgreSQL server, and proves that all of
 * it arrived. The file stays as it is.
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { LeaseOwner } from "../../model/Lease.ts"
import { OwnerLiveness } from "../../operations/OwnerLiveness.ts"
import { verify } from "../../operations/verify.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import { open as openContent } from "../../store/sqlite/content.ts"
import * as Database from "../database.ts"
import * as Shared from "../options.ts"
import { misused, refused, TheScreen } from "../Screen.ts"
import { harmless } from "../table.ts"

const options = {
  from: Shared.text("from", "file", "The database file. Its host is stopped."),
  to: Shared.text("to", "url", "postgres://user@host/database?schema=NAME: a schema without processes of its own."),
  dryRun: Options.boolean("dry-run").pipe(
    Options.withDescription("Only say what would be copied, and what is in the way.")
  ),
  json: Shared.json
}

/** The command. */
export const command = Command.make("copy", options, ({ from, to, dryRun, json }) =>
  Effect.gen(function* () {
    const screen = yield* TheScreen
    const filename = yield* Database.fileOf(Option.some(from), "copy takes a file, and a server as --to")
    if (!Database.isServer(to)) return yield* misused("--to takes the URL of a server: postgres://user@host/database")
    const target = yield* Database.sourceOf(Option.some(to))
    if (target._tag === "File") return yield* misused("--to takes the URL of a server: postgres://user@host/database")
    const file = harmless(filename)

    const content = yield* Effect.mapError(
      openContent(filename),
      Database.unopened({ _tag: "File", filename, shown: file })
    )
    const rows = content.tables.reduce((sum, table) => sum + table.rows, 0)
    const { open } = yield* Effect.mapError(
      Database.loaded(() => import("../../store/postgres/copying.ts")),
      Database.unopened(target)
    )
    const { url, schema } = target
    const copy = yield* Effect.mapError(
      open({
        content,
        url,
        ...(schema === undefined ? {} : { schema }),
        onProgress: (doing, done) => screen.progress(`${doing}: ${done} of ${rows} rows`)
      }),
      Database.unopened(target)
    )
    const report = (processes: number) =>
      json
        ? screen.json({ from: filename, to: target.shown, state: stateOf(copy.state, dryRun), processes, rows })
        : screen.print(
            `${file}: ${processes} processes, ${rows} rows, ${saying[stateOf(copy.state, dryRun)]} ${harmless(target.shown)}`
          )
    const counted = content.tables.find(({ name }) => name === "process")?.rows ?? 0
    if (copy.state === "done") return yield* report(counted)

    const processes = yield* Database.look(Option.some(filename), Effect.zipRight(withoutHost(file), verified(file)))
    if (dryRun) return yield* report(processes)
    if (copy.state === "under_way") yield* screen.remark(`goes on behind ${copy.before} of ${rows} rows`)
    yield* copy.write
    yield* copy.compare
    yield* Effect.provide(
      verified(harmless(target.shown)),
      Layer.mapError(Database.server({ ...target, readOnly: true, isCopying: true }), Database.unopened(target))
    )
    yield* Database.look(Option.some(filename), withoutHost(file))
    if (!(yield* content.isPresent)) {
      return yield* refused(
        `a host worked on ${file} meanwhile: stop it, drop the schema of ${target.shown}, and copy again`
      )
    }
    yield* copy.finish
    yield* screen.progress("")
    yield* report(processes)
  }).pipe(Effect.scoped)
).pipe(
  Command.withDescription(
    "Copy a stopped host's file into a schema of a PostgreSQL server, and compare all of it. Run again, it goes on."
  )
)

const saying = {
  copied: "copied to",
  already_copied: "are in already:",
  would_be_copied: "would be copied to"
} as const

const stateOf = (state: "new" | "under_way" | "done", dryRun: boolean): keyof typeof saying =>
  state === "done" ? "already_copied" : dryRun ? "would_be_copied" : "copied"

/** Folds every log of a store anew, and says how many there are. */
const verified = (shown: string) =>
  Effect.gen(function* () {
    const screen = yield* TheScreen
    const { checked, differences } = yield* Effect.provideServiceEffect(
      verify(),
      ProcessStore,
      Database.watched(screen, `verifying ${shown}`)
    )
    const [first] = differences
    if (first !== undefined) {
      return yield* refused(
        `${shown} has ${differences.length} differences from its logs, the first in ${first.processId}: holdfast verify lists them`
      )
    }
    return checked
  })

/** Refuses a file of which a host may still hold a process. What has expired, or is of a dead host, is taken over on the server. */
const withoutHost = (shown: string) =>
  Effect.gen(function* () {
    const store = yield* ProcessStore
    const liveness = yield* OwnerLiveness
    const self = yield* liveness.identify("holdfast copy")
    const now = yield* Clock.currentTimeMillis
    for (const holder of yield* store.leases.holders) {
      if (yield* liveness.isDefinitelyDead(holder.owner, self)) continue
      const until = yield* lastOf(yield* store.leases.heldBy(holder))
      if (until <= now) continue
      const { ownerId, liveness: evidence } = holder.owner
      return yield* refused(
        `${shown} has a host that holds ${holder.leases} of its processes until ${new Date(until).toISOString()}: stop ${ownerText(ownerId, evidence)} first`
      )
    }
  })

/** When the last of these leases ends. */
const lastOf = (
  holdings: ReadonlyArray<{ readonly processId: Parameters<typeof ProcessStore.Service.leases.of>[0] }>
) =>
  Effect.flatMap(ProcessStore, (store) =>
    Effect.reduce(holdings, 0, (last, { processId }) =>
      Effect.map(store.leases.of(processId), (lease) => Math.max(last, lease?.expiresAtMs ?? 0))
    )
  )

const ownerText = (ownerId: string, evidence: LeaseOwner["liveness"]): string =>
  evidence._tag === "LocalProcess" ? `${harmless(ownerId)} (process ${evidence.pid})` : harmless(ownerId)
