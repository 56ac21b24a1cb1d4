/**
 * Which requests share a transaction: whatever is queued and however long transactions take.
 */
import { assert, describe, it } from "@effect/vitest"
import * as FC from "effect/FastCheck"
import { processId } from "../../src/model/ids.ts"
import type { Job } from "../../src/store/postgres/batches.ts"
import { eligible } from "../../src/store/postgres/batches.ts"
import { samples } from "../support/samples.ts"

/** What happens to a writer: a request arrives, a connection is free and takes a batch, the oldest or another batch is over. */
type Step =
  | { readonly _tag: "Arrive"; readonly locks: ReadonlyArray<string>; readonly alone: "no" | "renewal" | "session" }
  | { readonly _tag: "Take"; readonly limit: number }
  | { readonly _tag: "End"; readonly which: number }

const step: FC.Arbitrary<Step> = FC.oneof(
  {
    weight: 4,
    arbitrary: FC.record({
      _tag: FC.constant("Arrive" as const),
      locks: FC.uniqueArray(FC.constantFrom("a", "b", "c", "d"), { maxLength: 3 }),
      alone: FC.constantFrom<"no" | "renewal" | "session">("no", "no", "no", "no", "no", "renewal", "session")
    })
  },
  { weight: 3, arbitrary: FC.record({ _tag: FC.constant("Take" as const), limit: FC.integer({ min: 1, max: 4 }) }) },
  { weight: 2, arbitrary: FC.record({ _tag: FC.constant("End" as const), which: FC.nat(3) }) }
)

const deliver = (): void => {}

const jobOf = ({ locks, alone }: Extract<Step, { readonly _tag: "Arrive" }>): Job => {
  if (alone === "renewal") return { deliver, renew: { leases: [], ttlMs: 1, renewerId: "it" } as never } // nothing looks into it
  const decide = () => assert.fail("nothing is decided here")
  return { deliver, decide, plan: { lock: locks.map(processId), ...(alone === "session" ? { session: "s" } : {}) } }
}

const locksOf = (job: Job) => ("renew" in job ? [] : job.plan.lock)
const isAlone = (job: Job) => "renew" in job || job.plan.session !== undefined

/** Two requests of which the later one must not pass the earlier one. */
const meet = (one: Job, other: Job) => locksOf(one).some((id) => locksOf(other).includes(id))

/** The rule at one moment; answers the jobs that are taken. */
const taken = (queue: ReadonlyArray<Job>, atWork: ReadonlyArray<ReadonlyArray<Job>>, limit: number) => {
  const busy = new Set(atWork.flat().flatMap(locksOf))
  const places = eligible(queue, busy, limit)
  const jobs = places.map((place) => queue[place] as Job) // places of the queue
  assert.isAtMost(jobs.length, limit)
  assert.deepStrictEqual(
    places,
    [...new Set(places)].sort((a, b) => a - b),
    "in their order, each once"
  )
  const locks = jobs.flatMap(locksOf)
  assert.strictEqual(new Set(locks).size, locks.length, "what shares a transaction shares no row")
  assert.isFalse(
    locks.some((id) => busy.has(id)),
    "no row is worked on twice at a time"
  )
  if (jobs.some(isAlone)) assert.deepStrictEqual(places, [0], "what must be alone is")
  const passed = queue.filter((_, place) => !places.includes(place) && place < (places.at(-1) ?? 0))
  for (const waiting of passed) {
    assert.isFalse(isAlone(waiting), "nothing passes what must be alone")
    const later = jobs.filter((job) => queue.indexOf(job) > queue.indexOf(waiting))
    assert.isFalse(
      later.some((job) => meet(job, waiting)),
      "nothing passes a request of the same row"
    )
  }
  const [first] = queue
  if (first !== undefined && !locksOf(first).some((id) => busy.has(id))) {
    assert.include(places, 0, "the oldest request waits for its own rows only")
  }
  if (!queue.some(isAlone)) {
    const free = queue.filter(
      (job, place) =>
        !locksOf(job).some((id) => busy.has(id)) && !queue.slice(0, place).some((other) => meet(job, other))
    )
    assert.deepStrictEqual(jobs, free.slice(0, limit), "what is disjoint shares a transaction")
  }
  return jobs
}

describe("the requests that share a transaction", () => {
  it("have disjoint rows, keep the order of each row, and leave none behind", () => {
    FC.assert(
      FC.property(FC.array(step, { maxLength: 60 }), (steps) => {
        let queue: ReadonlyArray<Job> = []
        let atWork: ReadonlyArray<ReadonlyArray<Job>> = []
        const take = (limit: number) => {
          const jobs = taken(queue, atWork, limit)
          queue = queue.filter((job) => !jobs.includes(job))
          if (jobs.length > 0) atWork = [...atWork, jobs]
        }
        for (const each of steps) {
          if (each._tag === "Arrive") queue = [...queue, jobOf(each)]
          else if (each._tag === "Take") take(each.limit)
          else atWork = atWork.filter((_, place) => place !== each.which % atWork.length)
        }
        // Once nothing arrives any more, each round takes something.
        for (atWork = []; queue.length > 0; atWork = []) {
          const before = queue.length
          take(1)
          assert.isBelow(queue.length, before)
        }
      }),
      { numRuns: samples(200, 5_000) }
    )
  })
})
