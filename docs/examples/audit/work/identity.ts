/**
 * Which process an audit is: the unfinished one of the same request, or a new one.
 *
 * Invariant: the store decides. Two programs that start at once agree on one audit, and a finished audit is never reused.
 */
import { createHash } from "node:crypto"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { ProcessRecord } from "../../../../src/index.ts"
import { Processes } from "../../../../src/index.ts"
import { waits } from "./Approval.ts"
import type { AuditPayload } from "./audit.ts"
import { Audit } from "./audit.ts"

/** The audit to start, or to attach to. */
export interface Choice {
  readonly id: string
  readonly unfinished: boolean
  /** The directories of other unfinished audits in the same store: a host resumes those as well. */
  readonly others: ReadonlyArray<string>
}

/** Finds the unfinished audit of a request, or makes an id: the name of the request and the next free number. */
export const choose = (payload: AuditPayload) =>
  Effect.gen(function* () {
    const processes = yield* Processes
    const name = nameOf(payload)
    const unfinished = Effect.gen(function* () {
      const audits = (yield* processes.listNonTerminal).filter(isAudit)
      const own = audits.find(({ id }) => id.startsWith(`${name}:`))
      const busy = yield* Effect.filter(audits, (audit) =>
        audit === own ? Effect.succeed(false) : Effect.map(waits(audit.id), (isWaiting) => !isWaiting)
      )
      return { own, others: busy.map(({ id, identity }) => identity.label ?? id) }
    })
    const found = yield* unfinished
    if (found.own !== undefined) return { id: found.own.id, unfinished: true, others: found.others } satisfies Choice
    const number = yield* firstFree((number) => isTaken(processes, `${name}:${number}`))
    // Another program may have begun in between: what it took is its audit, and it is shared.
    const { own, others } = yield* unfinished
    return own === undefined
      ? ({ id: `${name}:${number}`, unfinished: false, others } satisfies Choice)
      : ({ id: own.id, unfinished: true, others } satisfies Choice)
  })

/** Whether a process is an audit that this version of the program can resume. */
export const isAudit = ({ identity }: ProcessRecord.ProcessRecord): boolean => isOurs(identity.definition)

/** Names a request: equal for equal requests, in every program with the same version of the audit. */
export const nameOf = ({ directory, out, exclude, ownPaths, fileTimeoutMs }: AuditPayload): string => {
  const request = JSON.stringify([Audit.version, directory, out, exclude, ownPaths, fileTimeoutMs])
  return `audit:${createHash("sha256").update(request).digest("hex").slice(0, 12)}`
}

/** The smallest free number, if all numbers below it are taken: doubles until it finds a free one, then bisects. */
export const firstFree = <E, R>(taken: (number: number) => Effect.Effect<boolean, E, R>): Effect.Effect<number, E, R> =>
  Effect.gen(function* () {
    let free = 1
    while (yield* taken(free)) free *= 2
    let below = Math.floor(free / 2)
    while (free - below > 1) {
      const middle = Math.floor((below + free) / 2)
      if (yield* taken(middle)) below = middle
      else free = middle
    }
    return free
  })

const isOurs = Schema.is(Schema.Struct({ kind: Schema.Literal(Audit.kind), version: Schema.Literal(Audit.version) }))

const isTaken = (processes: typeof Processes.Service, id: string) =>
  processes
    .handle(Audit, id)
    .status.pipe(
      Effect.as(true),
      Effect.catchTags({ ProcessUnknown: () => Effect.succeed(false), ProcessPruned: () => Effect.succeed(true) })
    )
