/**
 * The laboratory: trials in which real hosts are killed or frozen at named points, and what they left is judged.
 *
 * Invariant: a trial waits for facts, in the side log or of the kernel, and never for time; every wait has an end.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { Child } from "../support/children.ts"
import { start } from "../support/children.ts"
import { patienceMs } from "../support/patience.ts"
import * as Postgres from "../support/postgres.ts"
import type { Assignment } from "./child.ts"
import { heldId } from "./engines.ts"
import { acknowledged, invariants, wholeTransactions } from "./invariants.ts"
import type { Moment, Plan, PointName } from "./points.ts"
import { pointOf } from "./points.ts"
import { missing, remainsOf, tornTransactions } from "./remains.ts"
import { isServer, rowsOf } from "./rows.ts"
import type { Fact } from "./sideLog.ts"
import { only, read } from "./sideLog.ts"
import type { Driving } from "./zombie.ts"

/** How a trial ended: in a word, and with what is wrong by invariant; an empty list is an invariant that held. */
export interface Verdict {
  readonly outcome: string
  readonly problems: Readonly<Record<string, ReadonlyArray<string>>>
}

/** Long enough that nothing is renewed while a trial looks on; short enough to lapse within one. Units: milliseconds. */
const long = 60_000
const short = 900

/** A folder with a database, and the children that worked on it. */
interface Bench {
  readonly facts: () => ReadonlyArray<Fact>
  readonly run: (role: Assignment["role"], ttlMs?: number) => Child
  /** Waits until something is so; fails with what a child said last when it ended before, or when it takes too long. */
  readonly until: (
    what: string,
    isSo: () => boolean | Promise<boolean>,
    ...children: ReadonlyArray<Child>
  ) => Promise<void>
  /** Waits for an end of its own, without an error. */
  readonly ended: (child: Child) => Promise<void>
  readonly killed: (child: Child) => Promise<void>
  readonly openGate: () => void
  readonly goOn: () => void
  readonly database: string
}

/** What a trial runs on: a file, or a schema of a PostgreSQL server. */
export type Material = "sqlite" | "postgres"

const onBench = async (
  trial: (bench: Bench) => Promise<Omit<Verdict, "problems"> & Partial<Verdict>>,
  material: Material = "sqlite"
): Promise<Verdict> => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-crash-"))
  const [file = "", sideLog = "", gate = "", next = ""] = ["crash.db", "side.log", "gate", "next"].map((name) =>
    join(folder, name)
  )
  const scope = Effect.runSync(Scope.make())
  const database = material === "sqlite" ? file : await Effect.runPromise(Scope.extend(schema, scope))
  const children: Array<Child> = []
  const facts = () => read(sideLog)
  const until: Bench["until"] = async (what, isSo, ...watched) => {
    const deadline = Date.now() + patienceMs
    while (!(await isSo())) {
      const gone = watched.find(({ process }) => process.exitCode !== null || process.signalCode !== null)
      if (gone !== undefined && !(await isSo()))
        throw new Error(`a child ended before ${what}\n${gone.errors.join("\n")}`)
      if (Date.now() > deadline) throw new Error(`not within ${patienceMs} ms: ${what}\n${said(children)}`)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
  const bench: Bench = {
    database,
    facts,
    until,
    run: (role, ttlMs = short) => {
      const assignment: Assignment = { database, sideLog, gate, next, ttlMs, role }
      const child = start("test/crash/child.js", [JSON.stringify(assignment)])
      children.push(child)
      return child
    },
    ended: async (child) => {
      const { code, signal } = await child.ended()
      if (code !== 0) throw new Error(`a child ended with ${code ?? signal}\n${said([child])}`)
    },
    killed: async (child) => {
      child.process.kill("SIGKILL")
      await child.ended()
    },
    openGate: () => writeFileSync(gate, ""),
    goOn: () => writeFileSync(next, "")
  }
  const judged = async (): Promise<Verdict["problems"]> => {
    const remains = await remainsOf(database, facts())
    const found = Object.entries(invariants)
      .filter(([name]) => !name.startsWith("a zombie") || only(facts(), "tried").length > 0)
      .map(([name, check]) => [name, check(remains)])
    return Object.fromEntries(found)
  }
  try {
    const { outcome, problems = {} } = await trial(bench).catch(async (cause: Error) => {
      // Work that never ends says little by itself: what is wrong with it says more.
      const wrong = Object.entries(await judged()).flatMap(([name, found]) =>
        found.length > 0 ? [name, ...found] : []
      )
      throw new Error([cause.message, ...wrong].join("\n"), { cause })
    })
    return { outcome, problems: { ...problems, ...(await judged()) } }
  } finally {
    for (const { process } of children) process.kill("SIGKILL")
    rmSync(folder, { recursive: true, force: true })
    await Effect.runPromise(Scope.close(scope, Exit.void))
  }
}

/** The URL of a schema of a trial's own. */
const schema = Effect.map(Postgres.freshSchema, (where) => {
  const url = new URL(where.url)
  url.searchParams.set("schema", where.schema)
  return url.href
})

const said = (children: ReadonlyArray<Child>): string =>
  children.flatMap(({ lines, errors }) => [...lines, ...errors].slice(-15)).join("\n")

const driving = (plan?: Plan): Assignment["role"] => {
  const run = plan === undefined ? undefined : pointOf(plan.point).run
  return { _tag: "Drive", ...(plan && { plan }), ...(plan && { run: run ?? "whole" }) }
}

/** Kills a host at a point; the next one finishes. `unreached`: the host ended before, which is no failure by itself. */
export const kill = (
  point: PointName,
  moment: Moment,
  occurrence: number,
  material: Material = "sqlite"
): Promise<Verdict> =>
  onBench(async (bench) => {
    if (pointOf(point).run === "recovery") {
      // Something must be left to recover: begun owner-bound work, and a tree in the middle of its work.
      const first = bench.run(
        driving({ point: "start owner-bound work", moment: "after", occurrence: 1, signal: "SIGKILL" })
      )
      await first.ended()
      return await killing(bench, { point, moment, occurrence, signal: "SIGKILL" })
    }
    return await killing(bench, { point, moment, occurrence, signal: "SIGKILL" })
  }, material)

const killing = async (bench: Bench, plan: Plan) => {
  const before = only(bench.facts(), "reached").length
  const child = bench.run(driving(plan))
  const { signal } = await child.ended()
  const reached = only(bench.facts(), "reached")[before]
  if (reached === undefined && signal !== null) throw new Error(`killed by another\n${said([child])}`)
  const problems = reached === undefined ? {} : await crashed(bench, reached)
  await bench.ended(bench.run(driving()))
  return { outcome: reached === undefined ? "unreached" : "killed, then finished by the next host", problems }
}

/** Kills a host between its sink's answer and the settling of the wake: the next host hands the wake over again. */
export const redelivery = (material: Material = "sqlite"): Promise<Verdict> =>
  onBench(async (bench) => {
    const plan: Plan = { point: "settle a wake", moment: "before", occurrence: 1, signal: "SIGKILL" }
    await bench.run(driving(plan)).ended()
    const handedOver = only(bench.facts(), "delivered")
    await bench.ended(bench.run(driving()))
    const all = only(bench.facts(), "delivered")
    const again = handedOver.filter(
      ({ source, wakeId }) => all.filter((each) => each.source === source && each.wakeId === wakeId).length > 1
    )
    const problems = again.length > 0 ? [] : [`${handedOver.length} were handed over, none of them again`]
    return {
      outcome: `${again.length} delivered again`,
      problems: { "a wake that was handed over and not settled is handed over again, under its id": problems }
    }
  }, material)

/** What must hold before anybody else writes. */
const crashed = async (
  { database, facts }: Bench,
  reached: Parameters<typeof tornTransactions>[1]
): Promise<Verdict["problems"]> => {
  const gone = await missing(database, facts())
  // What is missing now may be done again later: it is said at once.
  if (gone.length > 0) throw new Error([acknowledged, ...gone].join("\n"))
  return { [wholeTransactions]: await tornTransactions(database, reached) }
}

/** What became of the process while its zombie was frozen. */
export type Succession = "held by another" | "handed back" | "ended"

/** Freezes a host beyond its lease while another one takes over, and lets it go on. */
export const zombie = (by: Driving, succession: Succession, material: Material = "sqlite"): Promise<Verdict> =>
  onBench(async (bench) => {
    const frozen = bench.run({ _tag: "Zombie", driving: by })
    await bench.until("the zombie freezes", () => isStopped(frozen), frozen)
    if (succession === "ended") bench.openGate()
    const heir = bench.run({ _tag: "Heir" }, long)
    const begun = (id: string, fence: number) =>
      only(bench.facts(), "began").some((fact) => fact.id === id && fact.fence >= fence)
    // Its child is the last that the heir writes: what changes after that is the zombie's. By hand, there was no child before.
    const fenceOfChild = by === "worker" ? 2 : 1
    const isTaken = () => begun(heldId, 2) && begun(`${heldId}/child`, fenceOfChild)
    await bench.until("the heir takes over", isTaken, heir)
    if (succession === "handed back") {
      bench.goOn()
      await bench.ended(heir)
    } else if (succession === "ended") {
      await bench.until("the process ends", () => hasEnded(bench.database, heldId))
      if (by === "by hand") await bench.ended(heir)
    }
    frozen.process.kill("SIGCONT")
    await bench.ended(frozen)
    await bench.killed(heir)
    bench.openGate()
    await bench.ended(bench.run({ _tag: "Drive" }))
    return { outcome: `${only(bench.facts(), "tried")[0]?.attempts.length} writes tried` }
  }, material)

/** When a host that slept beyond its lease finds that its owner-bound body has ended: while it sleeps, or later. */
export type Waking = "ends at once" | "goes on"

/** Freezes a host that runs owner-bound work, beyond its lease: nobody may run it again, and it goes on with it. */
export const sleep = (waking: Waking, material: Material = "sqlite"): Promise<Verdict> =>
  onBench(async (bench) => {
    const frozen = bench.run({ _tag: "Sleeper" })
    await bench.until("the sleeper freezes", () => isStopped(frozen), frozen)
    await bench.until("its lease lapses", () => haveLapsed(bench.database))
    const heir = bench.run({ _tag: "Heir" }, long)
    await bench.until("the heir has swept", () => only(bench.facts(), "ready").length > 0, heir)
    if (waking === "ends at once") bench.openGate()
    frozen.process.kill("SIGCONT")
    if (waking === "goes on") {
      await bench.until("it holds its lease again", async () => !(await haveLapsed(bench.database)), frozen)
      bench.openGate()
    }
    await bench.ended(frozen)
    await bench.ended(heir)
    const [row] = await rowsOf<{ readonly lifecycle: string }>(bench.database, "SELECT lifecycle FROM state")
    const outcome = String(row?.lifecycle)
    const kept = outcome === "completed" ? [] : [`it is ${outcome}`]
    return { outcome, problems: { "owner-bound work outlives the sleep of its host": kept } }
  }, material)

/** Several hosts on one store; each of the first ones ends itself at its n-th commit, and is replaced. */
export const load = (hosts: number, commits: ReadonlyArray<number>, material: Material = "sqlite"): Promise<Verdict> =>
  onBench(async (bench) => {
    const turns = [...commits]
    const work = async (): Promise<void> => {
      const occurrence = turns.shift()
      if (occurrence === undefined) {
        // A host that is not to be killed would leave those nothing to do that are.
        const killed = () => only(bench.facts(), "reached").length === commits.length
        await bench.until("the others are killed", killed)
        return await bench.ended(bench.run(driving()))
      }
      const plan: Plan = { point: "any commit", moment: "after", occurrence, signal: "SIGKILL" }
      const host = bench.run({ _tag: "Drive", plan })
      const { code } = await host.ended()
      if (code !== null && code !== 0) throw new Error(`a host ended with ${code}\n${said([host])}`)
      const gone = await missing(bench.database, bench.facts())
      if (gone.length > 0) throw new Error([acknowledged, ...gone].join("\n"))
      await work()
    }
    await Promise.all(Array.from({ length: hosts }, work))
    const killed = only(bench.facts(), "reached").length
    if (killed !== commits.length) return { outcome: "unreached" }
    return { outcome: `${killed} killed, finished by ${hosts}` }
  }, material)

/** How a store outage ends for whoever caused it. */
export type Relief = "SIGCONT" | "SIGKILL"

/**
 * Freezes a host inside a transaction. For another host on the same file that is a store outage, which it outlives; on a server it
 * goes on with all that the transaction has not locked.
 */
export const outage = (
  point: PointName,
  relief: Relief,
  outlastsLeases: boolean,
  material: Material = "sqlite"
): Promise<Verdict> =>
  onBench(async (bench) => {
    const neighbour = bench.run({ _tag: "Neighbour" }, outlastsLeases ? short : long)
    await bench.until("the neighbour is at work", () => only(bench.facts(), "ready").length > 0, neighbour)
    const plan: Plan = { point, moment: "before", occurrence: 1, signal: "SIGSTOP" }
    const frozen = bench.run({ _tag: "Drive", plan })
    await bench.until("a host freezes in a transaction", () => isStopped(frozen), frozen)
    bench.goOn()
    bench.openGate()
    await bench.until("the neighbour tried the store", () => only(bench.facts(), "outage").length > 0, neighbour)
    if (outlastsLeases) await bench.until("the leases lapse", () => hasOutlasted(bench.database), neighbour)
    frozen.process.kill(relief)
    await bench.ended(neighbour)
    if (relief === "SIGCONT") await bench.ended(frozen)
    const answers = only(bench.facts(), "outage").map(({ read: reads, write }) => `${reads}; ${write}`)
    const [expected, invariant] =
      material === "sqlite"
        ? (["read; busy, written: no", "a host outlives a store outage: reads go on, writes say why"] as const)
        : (["read; written", "a host frozen in a transaction holds up nothing that it has not locked"] as const)
    return { outcome: answers.join(), problems: { [invariant]: answers[0] === expected ? [] : answers } }
  }, material)

/** Whether the kernel has stopped a child. */
const isStopped = ({ process }: Child): boolean => {
  try {
    return /\) T /.test(readFileSync(`/proc/${process.pid}/stat`, "utf8"))
  } catch {
    return false
  }
}

const hasEnded = async (database: string, id: string): Promise<boolean> => {
  const rows = await rowsOf<Named>(database, "SELECT process_id AS id FROM state WHERE lifecycle = 'completed'")
  return rows.some((row) => row.id === id)
}

interface Named {
  readonly id: string
}

const haveLapsed = async (database: string): Promise<boolean> => {
  const leases = await rowsOf<{ readonly at: number }>(database, "SELECT expires_at AS at FROM lease")
  return leases.every(({ at }) => at < Date.now())
}

/**
 * Whether a host is frozen in a transaction for longer than leases last. On a file its neighbour cannot renew its own; on a server
 * it can, and the transaction says its age.
 */
const hasOutlasted = async (database: string): Promise<boolean> =>
  isServer(database)
    ? (
        await rowsOf(
          database,
          `SELECT FROM pg_stat_activity AS host WHERE state = 'idle in transaction'
             AND clock_timestamp() - xact_start > interval '${short} milliseconds'
             AND EXISTS (SELECT FROM pg_locks WHERE pid = host.pid AND relation = 'state'::regclass)`
        )
      ).length > 0
    : await haveLapsed(database)
