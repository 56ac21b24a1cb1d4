/**
 * How far the audit is, as far as this program knows: told by the bodies that run here, and by whoever follows the records.
 *
 * Invariant: a file counts once, whoever told of it. Nothing here is kept: what must survive is in the processes.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { counted, grouped } from "../report/text.ts"
import type { Screen } from "./Screen.ts"

/** A batch by the id of its process, and how many files it has. */
export interface Planned {
  readonly id: string
  readonly files: number
}

/** Hears how far the audit is. */
export class Progress extends Context.Tag("audit/Progress")<
  Progress,
  {
    /** A file of a batch was read here, now or in an earlier activation. */
    readonly fileRead: (batchId: string, path: string) => Effect.Effect<void>
    /** The pause before each file. */
    readonly rest: Effect.Effect<void>
    /** Something worth a line happened. */
    readonly note: (line: string) => Effect.Effect<void>
    /** The list is known, and which of its batches had been read when this program looked first. */
    readonly planned: (batches: ReadonlyArray<Planned>, before: ReadonlySet<string>) => Effect.Effect<void>
    /** A batch is recorded as read, by this program or by another. */
    readonly batchDone: (batchId: string) => Effect.Effect<void>
  }
>() {}

/** Shows progress on a screen: as a bar when somebody looks, else as a line for every tenth. */
export const layer = (screen: Screen, paceMs: number): Layer.Layer<Progress> =>
  Layer.scoped(
    Progress,
    Effect.gen(function* () {
      yield* Effect.addFinalizer(() => Effect.sync(screen.clear))
      // Also of batches that are in no plan: a host goes on with other unfinished audits, and may begin before the plan is known.
      const readHere = new Map<string, Set<string>>()
      const batchesDone = new Set<string>()
      let plan: ReadonlyMap<string, number> = new Map()
      let total = 0
      let takenOver = 0
      let done = 0
      let tenth = 0

      const doneOf = (batchId: string): number =>
        batchesDone.has(batchId) ? (plan.get(batchId) ?? 0) : (readHere.get(batchId)?.size ?? 0)

      /** Changes what is known of a batch, and shows it if the batch is one of the audit's. */
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
            // A batch whose files were read here was not taken over, however soon it was done.
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
