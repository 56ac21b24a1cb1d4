/**
 * Watches what the store's writer sends to PostgreSQL, and ends this OS process at a named point: `hooks.ts` for the other material.
 *
 * Invariant: the library's code is the code that ships. Only the driver's `query` is wrapped, before a host is built; every
 * statement is sent as it would be.
 */
import { Client } from "pg"
import type { Batch } from "./hooks.ts"
import { arriving, timeMarks } from "./hooks.ts"
import type { Plan } from "./points.ts"
import { matches, pointOf } from "./points.ts"
import { parentId } from "./workload.ts"

/** A row that is written, by its columns. */
type Row = Readonly<Record<string, unknown>>

interface Config {
  readonly name?: string
  readonly values?: ReadonlyArray<unknown>
}

/** Numbers that neither processes nor wakes have. */
const beside = { renewal: -1_000_000, parent: -2_000_000 }

/** The server and the schema of a URL that names both. */
export const whereOf = (named: URL): { readonly url: string; readonly schema: string } => {
  const url = new URL(named)
  url.searchParams.delete("schema")
  return { url: url.href, schema: named.searchParams.get("schema") ?? "" }
}

/** Installs the plan. Call it once, before a host is built. */
export const install = (plan: Plan, sideLog: string): void => {
  const point = pointOf(plan.point)
  const arrive = arriving(plan, sideLog)
  const batches = new WeakMap<object, Batch>()
  const tokens = new Map<unknown, unknown>()
  const ownerBound = new Set<unknown>()

  /** What each statement of the writer says of the rows that it writes: the process, and marks of it. */
  const notes: Readonly<Record<string, (row: Row, batch: Batch) => readonly [pk: unknown, ...marks: Array<string>]>> = {
    putProcess: ({ pk, registration }) => {
      const isBound = String(registration).includes('"disposition":"owner_bound"')
      if (isBound) ownerBound.add(pk)
      const isChild = String(registration).includes('"parent":')
      const marks = [...(isChild ? ["registered as child"] : []), ...(isBound ? ["registered as owner-bound"] : [])]
      return [pk, "registered", ...marks]
    },
    putEvent: ({ pk, sequence, event_type: type, payload }, { written }) => {
      written.push([Number(pk), Number(sequence), String(type)])
      const more = ownerBound.has(pk) ? [`owner-bound event ${type}`] : []
      return [pk, `event ${type}`, ...more, ...timeMarks(String(type), String(payload))]
    },
    putJournal: ({ pk, operation }) => [pk, `journal ${operation}`],
    putLease: ({ pk, lease_token: token }) => {
      const isSame = tokens.get(pk) === token
      tokens.set(pk, token)
      return [pk, isSame ? "renewed" : "claimed"]
    },
    removeLease: ({ pk }) => [pk, "released"],
    // Which children there are the server knows. This parent has some.
    closeChildren: ({ parent }) => [beside.parent, ...(parent === parentId ? ["owes children"] : [])],
    removeCloseRequest: ({ pk }) => [pk, "was owed"],
    addWake: ({ pk }) => [pk, "wake owed"],
    putWake: ({ number, state }) => [-Number(number), `wake ${state}`]
  }

  const query = Client.prototype.query as (...args: ReadonlyArray<unknown>) => unknown
  Client.prototype.query = function (this: Client, ...args: ReadonlyArray<unknown>) {
    const [{ name = "", values = [] } = {}, answered] = args as [Config?, ((cause: unknown, result: unknown) => void)?] // as the writer calls it
    const run = (...given: ReadonlyArray<unknown>) => query.call(this, ...given)
    if (name === "begin") batches.set(this, { marks: new Map(), written: [], last: 0 })
    const batch = batches.get(this) ?? { marks: new Map(), written: [], last: 0 }
    const sendNow = () => {
      for (let corks = this.connection.stream.writableCorked; corks > 0; corks--) this.connection.stream.uncork()
    }
    if (name === "commit" || name === "renew") {
      batches.delete(this)
      if (name === "renew") batch.marks.set(beside.renewal, ["renewed"])
      const isPoint = [...batch.marks.values()].some((marks) => matches(point, marks))
      if (isPoint && plan.moment === "before") arrive(batch, false, sendNow)
      return run(args[0], (cause: unknown, result: unknown) => {
        if (isPoint && plan.moment === "after" && !cause) arrive(batch, true)
        answered?.(cause, result)
      })
    }
    const sent = run(...args)
    const note = notes[name]
    if (note === undefined) return sent
    const rows = JSON.parse(String(values[0])) as ReadonlyArray<Row> // as the statement takes them
    for (const row of rows) {
      const [of, ...marks] = note(row, batch)
      const pk = Number(of)
      const own = batch.marks.get(pk) ?? []
      const all = [...own, ...marks]
      batch.marks.set(pk, all)
      const isNew = matches(point, all) && !matches(point, own)
      if (plan.moment === "middle" && isNew && batch.marks.size >= 2) arrive(batch, false, sendNow)
    }
    return sent
  } as never // the same method, watched
}
