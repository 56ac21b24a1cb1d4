/**
 * Who runs what, when several programs share one state file: every owner and how many bodies it holds, from the store, and the
 * bodies of this program by name, from its supervision tree.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { Host, Owner } from "../../../../src/index.ts"
import { ProcessStore } from "../../../../src/store.ts"
import { grouped } from "../report/text.ts"
import type { Screen } from "./Screen.ts"

/** One owner and how many bodies it holds. */
export interface OwnerLine {
  readonly name: string
  readonly pid: number | undefined
  readonly bodies: number
  readonly isOwn: boolean
}

/** Shows the owners while it runs: in place on a terminal, elsewhere as a line when they change. */
export const watch = (
  screen: Screen
): Effect.Effect<never, never, Host.Host | Owner.Owner | ProcessStore.ProcessStore> =>
  Effect.gen(function* () {
    const store = yield* ProcessStore.ProcessStore
    const host = yield* Host.Host
    const { identity } = yield* Owner.Owner
    let shown = { who: "", text: "", atMs: 0 }
    let known: ReadonlyArray<SeenOwner> = []

    const check = Effect.gen(function* () {
      const nowMs = yield* Clock.currentTimeMillis
      known = seen(known, ownersOf(yield* store.leases.holders, identity.incarnationId), nowMs)
      const owners = known.map(({ owner }) => owner)
      const text = describe(owners)
      if (screen.live) return screen.status([text, bodiesOf(yield* host.tree)].filter((line) => line !== ""))
      const who = owners.map(({ name }) => name).join()
      // A new list of owners is printed at once; how many bodies each holds, at most every few seconds.
      const isNews = who !== shown.who || (text !== shown.text && nowMs - shown.atMs >= seldomMs)
      if (owners.length === 0 || !isNews) return
      shown = { who, text, atMs: nowMs }
      screen.print(text)
    }).pipe(Effect.catchAll((error) => Effect.logDebug(`the owners could not be read: ${error.message}`)))

    return yield* Effect.forever(Effect.zipRight(check, Effect.sleep(checkEveryMs)))
  })

/** An owner, and when it last held anything. Units: epoch milliseconds, UTC. */
export interface SeenOwner {
  readonly owner: OwnerLine
  readonly atMs: number
}

/** Keeps owners that hold nothing for a moment, as between two bodies. */
export const seen = (
  before: ReadonlyArray<SeenOwner>,
  owners: ReadonlyArray<OwnerLine>,
  nowMs: number
): ReadonlyArray<SeenOwner> => {
  const idle = before
    .filter(({ owner, atMs }) => nowMs - atMs < goneAfterMs && !owners.some(({ name }) => name === owner.name))
    .map(({ owner, atMs }) => ({ owner: { ...owner, bodies: 0 }, atMs }))
  return [...owners.map((owner) => ({ owner, atMs: nowMs })), ...idle].sort((a, b) => inOrder(a.owner, b.owner))
}

/** The owners in the order of their names, this program's own first. `own` renews the leases of this program. */
export const ownersOf = (holders: ReadonlyArray<ProcessStore.Holder>, own: string): ReadonlyArray<OwnerLine> =>
  holders
    .map(({ renewerId, owner, leases }) => ({
      name: (renewerId ?? owner.incarnationId).slice(0, 8),
      pid: owner.liveness._tag === "LocalProcess" ? owner.liveness.pid : undefined,
      bodies: leases,
      isOwn: renewerId === own
    }))
    .sort(inOrder)

const inOrder = (a: OwnerLine, b: OwnerLine): number => Number(b.isOwn) - Number(a.isOwn) || (a.name < b.name ? -1 : 1)

/** All owners as one line: `owners: 1f2e3d4c (pid 12, this program) 3 bodies; 5a6b7c8d (pid 13) 1 body`. */
export const describe = (owners: ReadonlyArray<OwnerLine>): string =>
  owners.length === 0
    ? ""
    : `owners: ${owners
        .map(({ name, pid, bodies, isOwn }) => {
          const about = [...(pid === undefined ? [] : [`pid ${pid}`]), ...(isOwn ? ["this program"] : [])].join(", ")
          return `${name}${about === "" ? "" : ` (${about})`} ${bodies === 1 ? "1 body" : `${grouped(bodies)} bodies`}`
        })
        .join("; ")}`

/** The bodies that run in this program, by the ends of their names; parents of other bodies here are left out. */
export const bodiesOf = (tree: Host.TreeNode): string => {
  const all = processesIn(tree)
  const leaves = all.filter(({ name }) => !all.some((other) => other.name.startsWith(`${name}/`)))
  const said = leaves.map(({ name, state }) => {
    const short = name.split("/").slice(1).join("/") || "audit"
    return state === "running" ? short : `${short} (${state})`
  })
  return said.length === 0 ? "" : `here: ${said.sort().join(", ")}`
}

const processesIn = (node: Host.TreeNode): ReadonlyArray<Host.TreeNode> =>
  node.kind === "process" ? [node] : node.children.flatMap(processesIn)

const checkEveryMs = 250

const seldomMs = 5_000

const goneAfterMs = 1_000
