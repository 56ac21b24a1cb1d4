/**
 * Measures one library in one contest, in a program of its own: nothing of another library shares its memory.
 *
 * usage: node drive.js <module of the library> <order as JSON>; out: the run as JSON, by message
 */
import { strict as assert } from "node:assert"
import { fork } from "node:child_process"
import { once } from "node:events"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath, pathToFileURL } from "node:url"
import type { Run } from "../Contest.ts"
import { quantile } from "../statistics.ts"
import type { Peer, PeerModule, Where } from "./Peer.ts"

/** What is to be measured. `crash` only starts processes that wait, and says so: it is there to be killed. */
export type Order = Where &
  (
    | { readonly contest: "complete" | "signals"; readonly callers: number; readonly seconds: number }
    | { readonly contest: "children"; readonly times: number }
    | { readonly contest: "recovery" | "crash"; readonly processes: number }
  )

const warmUpShare = 1 / 3
const children = 100
/** How many starts and signals are under way at once after a crash. */
const recoveryCallers = 64
/** How long a killed host's processes may take from their start until they wait. */
const settlingMs = 3_000

const repeatedly = async (work: () => Promise<void>, callers: number, seconds: number): Promise<number> => {
  const startedAt = performance.now()
  const caller = async () => {
    while (performance.now() - startedAt < seconds * 1_000) await work()
  }
  await Promise.all(Array.from({ length: callers }, caller))
  return performance.now() - startedAt
}

const timed = async (work: () => Promise<void>, callers: number, seconds: number): Promise<Run> => {
  const latenciesMs: Array<number> = []
  const once = async () => {
    const startedAt = performance.now()
    await work()
    latenciesMs.push(performance.now() - startedAt)
  }
  await repeatedly(once, callers, seconds * warmUpShare)
  latenciesMs.length = 0
  const elapsedMs = await repeatedly(once, callers, seconds)
  return { perSecond: (latenciesMs.length * 1_000) / elapsedMs, p50Ms: quantile(latenciesMs, 0.5) }
}

const idOf = (index: number): string => `p-${index}`

/** Does something to each of so many processes, some at a time. */
const each = async (processes: number, work: (index: number) => Promise<void>): Promise<void> => {
  let next = 0
  const caller = async () => {
    while (next < processes) await work(next++)
  }
  await Promise.all(Array.from({ length: recoveryCallers }, caller))
}

const recovered = async ({ open }: PeerModule, where: Where, processes: number): Promise<Run> => {
  const order: Order = { ...where, contest: "crash", processes }
  // A group of its own: what the library has started beside itself is killed with it.
  const child = fork(fileURLToPath(import.meta.url), [process.argv[2] ?? "", JSON.stringify(order)], {
    detached: true,
    stdio: ["ignore", "ignore", "inherit", "ipc"]
  })
  const ended = once(child, "exit")
  await Promise.race([once(child, "message"), ended])
  assert.equal(child.exitCode, null, "the host that was to be killed ended by itself")
  if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL")
  await ended
  const openedAt = performance.now()
  const peer = await open(where)
  let firstMs = Number.NaN
  const ends: Array<Promise<void>> = []
  const beganAt = performance.now()
  await each(processes, async (index) => {
    await peer.signal(idOf(index), index)
    const end = peer.ended(idOf(index)).then((value) => {
      assert.equal(value, index)
      if (Number.isNaN(firstMs)) firstMs = performance.now() - openedAt
    })
    ends.push(end)
  })
  const acceptedMs = performance.now() - beganAt
  await Promise.all(ends)
  return { firstMs, allMs: performance.now() - openedAt, acceptedPerSecond: (processes * 1_000) / acceptedMs }
}

const measured = async (peer: Peer, order: Order): Promise<Run> => {
  let started = 0
  if (order.contest === "complete") {
    const completed = async () => {
      const value = started++
      assert.equal(await peer.complete(idOf(value), value), value)
    }
    return timed(completed, order.callers, order.seconds)
  }
  if (order.contest === "signals") {
    const cycle = async () => {
      const id = idOf(started++)
      await peer.wait(id)
      await peer.signal(id, 7)
      assert.equal(await peer.ended(id), 7)
    }
    return timed(cycle, order.callers, order.seconds)
  }
  assert.equal(order.contest, "children")
  const tookMs: Array<number> = []
  const times = "times" in order ? order.times : 0
  for (let time = 0; time <= times; time++) {
    const startedAt = performance.now()
    assert.equal(await peer.family(idOf(time), children), children)
    if (time > 0) tookMs.push(performance.now() - startedAt)
  }
  return { familyMs: quantile(tookMs, 0.5) }
}

const say = (run: Run): Promise<void> =>
  new Promise((resolve) => {
    process.send?.(run, undefined, undefined, () => resolve())
  })

const main = async (): Promise<void> => {
  // It ends with the program that waits for it, whatever the library has still to do.
  process.once("disconnect", () => process.exit(1))
  const [, , path = "", text = ""] = process.argv
  const order = JSON.parse(text) as Order // the parent's
  const library = (await import(pathToFileURL(path).href)) as PeerModule // each of them is one
  if (order.contest === "recovery") return say(await recovered(library, order, order.processes))
  const peer = await library.open(order)
  if (order.contest !== "crash") {
    await say(await measured(peer, order))
    return peer.close()
  }
  await each(order.processes, (index) => peer.wait(idOf(index)))
  await sleep(settlingMs)
  await say({ processes: order.processes })
  await sleep(600_000)
}

await main()
process.exit(0)
