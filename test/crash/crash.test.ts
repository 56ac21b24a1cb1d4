import { platform } from "node:os"
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as Postgres from "../support/postgres.ts"
import { isLong, isWhole } from "../support/samples.ts"
import type { Verdict } from "./laboratory.ts"
import * as Laboratory from "./laboratory.ts"
import { momentsOf, type PointName, pointOf, points } from "./points.ts"

/** Trials by the row and column of the matrix that is printed. */
interface Trial {
  readonly name: string
  readonly run: () => Promise<Verdict>
  /** Whether it must come to what it is about. */
  readonly mayMiss?: boolean
}

const killsOn = (material: Laboratory.Material): ReadonlyArray<Trial> =>
  (Object.keys(points) as ReadonlyArray<PointName>) // the table's own keys
    .filter((name) => name !== "any commit")
    .flatMap((name) =>
      momentsOf(pointOf(name)).flatMap((moment) =>
        (pointOf(name).again ? [1, 2] : [1]).map((occurrence) => ({
          name: `killed ${moment === "middle" ? "in the middle of a group commit, at" : moment} "${name}" #${occurrence}`,
          run: () => Laboratory.kill(name, moment, occurrence, material),
          // What arrives together at a server may be two groups.
          mayMiss: occurrence > 1 || (material === "postgres" && moment === "middle")
        }))
      )
    )

const wakesOn = (material: Laboratory.Material): ReadonlyArray<Trial> => [
  { name: "killed between the sink and the settling of a wake", run: () => Laboratory.redelivery(material) }
]

const successions = ["held by another", "handed back", "ended"] as const

const zombiesOn = (material: Laboratory.Material): ReadonlyArray<Trial> => [
  {
    name: "frozen beyond its lease, run by a worker, held by another",
    run: () => Laboratory.zombie("worker", "held by another", material)
  },
  ...successions.map((succession) => ({
    name: `frozen beyond its lease, run by hand, ${succession}`,
    run: () => Laboratory.zombie("by hand", succession, material)
  }))
]

const sleepsOn = (material: Laboratory.Material): ReadonlyArray<Trial> =>
  (["goes on", "ends at once"] as const).map((waking) => ({
    name: `asleep beyond its lease with owner-bound work that ${waking}`,
    run: () => Laboratory.sleep(waking, material)
  }))

const outagesOn = (material: Laboratory.Material): ReadonlyArray<Trial> =>
  (["complete", "start"] as const).flatMap((point) =>
    (["SIGCONT", "SIGKILL"] as const).flatMap((relief) =>
      [false, true].map((outlasts) => ({
        name: `frozen before the commit of "${point}", ${outlasts ? "longer" : "shorter"} than the leases, then ${relief}`,
        run: () => Laboratory.outage(point, relief, outlasts, material)
      }))
    )
  )

// A sum alone takes nine commits, one after the other: with fewer in all, every host that is to be killed is.
const loadsOn = (material: Laboratory.Material): ReadonlyArray<Trial> => [
  { name: "two hosts under load, killed in turn", run: () => Laboratory.load(2, [3, 2], material) },
  { name: "two hosts under load, killed and replaced again", run: () => Laboratory.load(2, [2, 1, 3, 2], material) },
  { name: "three hosts under load, killed in turn", run: () => Laboratory.load(3, [1, 2, 1, 2, 1, 1], material) }
]

/** Every trial is made of each material. */
const allOn = (material: Laboratory.Material): ReadonlyArray<Trial> =>
  [killsOn, wakesOn, zombiesOn, sleepsOn, outagesOn, loadsOn].flatMap((trialsOf) => trialsOf(material))

const all = [
  ...allOn("sqlite"),
  ...(Postgres.hasPostgres
    ? allOn("postgres").map((trial) => ({ ...trial, name: `on PostgreSQL, ${trial.name}` }))
    : [])
]

/** What every run tries; the gate tries more, the long run everything. */
const sample: ReadonlySet<string> = new Set([
  'killed in the middle of a group commit, at "start" #1',
  "frozen beyond its lease, run by a worker, held by another",
  ...(Postgres.hasPostgres ? ['on PostgreSQL, killed before "complete" #1'] : []),
  ...(isWhole
    ? [
        'killed before "abandon" #1',
        "two hosts under load, killed in turn",
        'killed after "passivate" #1',
        'killed after "owe children" #1',
        "killed between the sink and the settling of a wake",
        'frozen before the commit of "complete", shorter than the leases, then SIGCONT'
      ]
    : []),
  ...(isWhole && Postgres.hasPostgres
    ? ['on PostgreSQL, frozen before the commit of "start", longer than the leases, then SIGKILL']
    : [])
])

const trialsOf = new Map<string, number>()
const width = Math.max(...all.map(({ name }) => name.length))

afterAll(() => {
  if (!isLong) return
  for (const [invariant, trials] of trialsOf) console.log(`held in ${String(trials).padStart(3)} trials: ${invariant}`)
})

// Proof of a death, and of a stop, is what /proc says.
describe.skipIf(platform() !== "linux")("a host that is killed or frozen", () => {
  for (const { name, run, mayMiss = false } of all.filter((trial) => isLong || sample.has(trial.name))) {
    it(`${name}: loses nothing that was acknowledged, and the next host finishes`, async () => {
      const { outcome, problems } = await run()
      if (isLong) console.log(`${name.padEnd(width)}  ${outcome}`)
      if (!mayMiss) assert.notStrictEqual(outcome, "unreached")
      for (const [invariant, found] of Object.entries(problems)) {
        assert.deepStrictEqual(found, [], invariant)
        trialsOf.set(invariant, (trialsOf.get(invariant) ?? 0) + 1)
      }
    })
  }

  it("the sample names trials that exist", () => {
    const names = new Set(all.map(({ name }) => name))
    assert.deepStrictEqual(
      [...sample].filter((name) => !names.has(name)),
      []
    )
  })
})
