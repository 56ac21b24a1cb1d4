/**
 * Who runs what, when several programs share one state: every owner with what it holds, as the store has it, and the bodies
 * of this program by name, as its own supervision tree has them.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { Host, Owner } from "../../../../src/index.ts"
import { ProcessStore } from "../../../../src/store.ts"
import type * as Supervisor from "../../../../src/supervision/Supervisor.ts"
import { grouped } from "../report/text.ts"
import type { Screen } from "./Screen.ts"

/** One owner and how many bodies it holds. */
export interface OwnerLine {
  readonly name: string
  readonly pid: number | undefined
  readonly bodies: number
  readonly isOwn: boolean
}

/** Shows who owns what for as long as it runs: in place on a terminal, else as a line when it changes. */
export const watch = (
  screen: Screen
): Effect.Effect<never, never, Host.Host | Owner.Owner | ProcessStore.ProcessStore> =>
  Effect.gen(function* () {
    const store = yield* ProcessStore.ProcessStore
    const host = yield* Host.Host
    const { identity } = yield* Owner.Owner
    let shown = { who: "", text: "", atMs: 0 }
    let known: ReadonlyArray<SeenOwner> = []

    const look = Effect.gen(function* () {
      const nowMs = yield* Clock.currentTimeMillis
      known = seen(known, ownersOf(yield* store.leases.holders, identity.incarnationId), nowMs)
      const owners = known.map(({ owner }) => owner)
      const text = describe(owners)
      if (screen.live) return screen.status([text, bodiesOf(yield* host.tree)].filter((line) => line !== ""))
      const who = owners.map(({ name }) => name).join()
      // Who there is, is said at once; how much each holds changes all the time, and is said now and then.
      const isNews = who !== shown.who || (text !== shown.text && nowMs - shown.atMs >= seldomMs)
      if (owners.length === 0 || !isNews) return
      shown = { who, text, atMs: nowMs }
      screen.print(text)
    }).pipe(Effect.catchAll((error) => Effect.logDebug(`the owners could not be read: ${error.message}`)))

    return yield* Effect.forever(Effect.zipRight(look, Effect.sleep(lookEveryMs)))
  })

/** An owner, and when it last held anything. Units: epoch milliseconds, UTC. */
export interface SeenOwner {
  readonly owner: OwnerLine
  readonly atMs: number
}

/** Keeps owners that hold nothing for a moment, as between two bodies: only who is gone for a while is gone. */
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

/** The owners in the order of their names, this program's own first. `own` is the keeper of its leases. */
export const ownersOf = (holders: ReadonlyArray<ProcessStore.Holder>, own: string): ReadonlyArray<OwnerLine> =>
  holders
    .map(({ renewerId: keeper, owner, leases }) => ({
      name: (keeper ?? owner.incarnationId).slice(0, 8),
      pid: owner.liveness._tag === "LocalProcess" ? owner.liveness.pid : undefined,
      bodies: leases,
      isOwn: keeper === own
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

/** The bodies at work in this program, by the ends of their names; those that wait for children here are left out. */
export const bodiesOf = (tree: Supervisor.TreeNode): string => {
  const all = processesIn(tree)
  const leaves = all.filter(({ name }) => !all.some((other) => other.name.startsWith(`${name}/`)))
  const said = leaves.map(({ name, state }) => {
    const short = name.split("/").slice(1).join("/") || "audit"
    return state === "running" ? short : `${short} (${state})`
  })
  return said.length === 0 ? "" : `here: ${said.sort().join(", ")}`
}

const processesIn = (node: Supervisor.TreeNode): ReadonlyArray<Supervisor.TreeNode> =>
  node.kind === "process" ? [node] : node.children.flatMap(processesIn)

const lookEveryMs = 250

const seldomMs = 5_000

const goneAfterMs = 1_000
