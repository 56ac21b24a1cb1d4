/**
 * Runs contests in rounds: each subject immediately after its own baseline, again and again.
 *
 * ```
 * round 1   baseline A · subject A · baseline B · subject B · …
 * round 2   baseline A · subject A · …
 * ```
 * Whatever disturbs the machine for a while disturbs both, so that their ratio is steadier than either.
 */
import { measureRaw, nameOf } from "./baseline.ts"
import type { Contest, Run } from "./Contest.ts"
import type { WorkFolder } from "./workFolder.ts"

/** What one contest measured in one round. */
export interface Bout {
  readonly raw?: Run
  readonly subject?: Run
}

/** The bouts of each contest by its id, in the order of the rounds. */
export type Bouts = ReadonlyMap<string, ReadonlyArray<Bout>>

/** How rounds are run. */
export interface RoundOptions {
  readonly runs: number
  readonly seconds: number
  readonly folder: WorkFolder
  /** Told what is about to run. */
  readonly onProgress: (line: string) => void
}

/**
 * Runs every contest once a round. A first round is thrown away: compilers warm up.
 *
 * A baseline that runs beside a subject anyway does not run once more for itself.
 */
export const runRounds = async (chosen: ReadonlyArray<Contest>, options: RoundOptions): Promise<Bouts> => {
  const besides = new Set(chosen.flatMap(({ measure, baseline }) => (measure && baseline ? [nameOf(baseline)] : [])))
  const contests = chosen.filter(({ measure, id }) => measure !== undefined || !besides.has(id))
  const bouts = new Map<string, Array<Bout>>(contests.map(({ id }) => [id, []]))
  for (let round = 0; round <= options.runs; round++) {
    const name = round === 0 ? "warm-up" : `round ${round}/${options.runs}`
    for (const contest of contests) {
      if (contest.once === true && round !== 1) continue
      options.onProgress(`${name}: ${contest.id}`)
      const bout = await runContest(contest, options.seconds, options.folder)
      if (round > 0) bouts.get(contest.id)?.push(bout)
    }
  }
  return bouts
}

const runContest = async ({ baseline, measure }: Contest, seconds: number, folder: WorkFolder): Promise<Bout> => {
  const raw = baseline && (await run(folder, async (path) => measureRaw(path, baseline, seconds)))
  const subject = measure && (await run(folder, (path) => measure(path, seconds)))
  return { ...(raw === undefined ? {} : { raw }), ...(subject === undefined ? {} : { subject }) }
}

const run = (folder: WorkFolder, measure: (path: string) => Promise<Run>): Promise<Run> =>
  folder.withRunFolder((path) => {
    globalThis.gc?.()
    return measure(path)
  })
