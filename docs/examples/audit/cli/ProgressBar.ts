/**
 * Progress of the audit on a screen, as far as this program knows it.
 *
 * Invariant: a file counts once, even if both a body and the follower of the records report it.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { counted, grouped } from "../report/text.ts"
import type { Planned } from "../work/Progress.ts"
import { Progress } from "../work/Progress.ts"
import type { Screen } from "./Screen.ts"

/** Shows progress as a bar on a terminal, elsewhere as a line for every tenth. */
export const layer = (screen: Screen, paceMs: number): Layer.Layer<Progress> =>
  Layer.scoped(
    Progress,
    Effect.gen(function* () {
      yield* Effect.addFinalizer(() => Effect.sync(screen.clear))
      // Includes batches without a plan: a host also resumes other audits, and may start before the plan is known.
      const readHere = new Map<string, Set<string>>()
      const batchesDone = new Set<string>()
      let plan: ReadonlyMap<string, number> = new Map()
      let total = 0
      let takenOver = 0
      let done = 0
      let tenth = 0

      const doneOf = (batchId: string): number =>
        batchesDone.has(batchId) ? (plan.get(batchId) ?? 0) : (readHere.get(batchId)?.size ?? 0)

      /** Applies a change to a batch, and shows it if the batch is in the plan. */
      const change = (batchId: string, apply: () => void): void => {
        const before = doneOf(batchId)
        apply()
        if (!plan.has(batchId)) return
        done += doneOf(batchId) - before
        show()
      }

      const show = (): void => {
        const taken = takenOver === 0 ? "" : `, ${grouped(takenOver)} taken over`
        screen.draw({ done, total, text: `batch ${batchesDone.size} of ${plan.size}${taken}` })
        const reached = total === 0 ? 10 : Math.floor((10 * done) / total)
        if (!screen.live && reached > tenth) screen.print(`${reached * 10} %: ${done} of ${total} files`)
        tenth = Math.max(tenth, reached)
      }

      return Progress.of({
        fileRead: (batchId, path) =>
          Effect.sync(() =>
            change(batchId, () => readHere.set(batchId, (readHere.get(batchId) ?? new Set()).add(path)))
          ),
        rest: paceMs === 0 ? Effect.void : Effect.sleep(paceMs),
        note: (line) => Effect.sync(() => screen.print(line)),
        planned: (batches, before) =>
          Effect.sync(() => {
            // A batch whose files were read here was not taken over, even if it was done before the plan was known.
            const taken = batches.filter(({ id }) => before.has(id) && !readHere.has(id))
            plan = new Map(batches.map(({ id, files }) => [id, files]))
            for (const id of before) batchesDone.add(id)
            total = filesIn(batches)
            takenOver = taken.length
            done = batches.reduce((sum, { id }) => sum + doneOf(id), 0)
            screen.print(
              taken.length === 0 ? `${amount(batches)} to read` : `${amount(batches)}; taken over: ${amount(taken)}`
            )
            show()
          }),
        batchDone: (batchId) => Effect.sync(() => change(batchId, () => batchesDone.add(batchId)))
      })
    })
  )

const filesIn = (batches: ReadonlyArray<Planned>): number => batches.reduce((total, { files }) => total + files, 0)

const amount = (batches: ReadonlyArray<Planned>): string =>
  `${counted(filesIn(batches), "file")} in ${grouped(batches.length)} ${batches.length === 1 ? "batch" : "batches"}`
