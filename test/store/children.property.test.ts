import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import Database from "better-sqlite3"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import type { ProcessId } from "../../src/model/ids.ts"
import { processId } from "../../src/model/ids.ts"
import type { ClosePolicy } from "../../src/model/Registration.ts"
import { Activations } from "../../src/operations/Activations.ts"
import { host } from "../../src/operations/decisions/authority.ts"
import * as Children from "../../src/operations/decisions/children.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import { texts } from "../../src/store/sqlite/statements.ts"
import { lawEnv } from "../../src/testing/Certify.ts"
import { outputs, registeredOf, registrationOf } from "../../src/testing/fixtures.ts"
import { temporaryFolder } from "../support/folders.ts"
import { samples } from "../support/samples.ts"

/** The family: process `n` is the child of process `parents[n]`; 0 is the root. */
const parents = [undefined, 0, 0, 1, 1, 2, 3, 3, 5] as const
const members = parents.map((_, index) => index)

/** What may happen to one member, at any time and in any order. */
type Step = { readonly act: "start" | "register" | "cancel" | "end" | "pay"; readonly member: number }

const step: FastCheck.Arbitrary<Step> = FastCheck.record({
  act: FastCheck.constantFrom("start", "start", "start", "register", "cancel", "end", "pay", "pay"),
  member: FastCheck.nat(parents.length - 1)
})

const scenario = FastCheck.record({
  policies: FastCheck.array(FastCheck.constantFrom<ClosePolicy>("cancel", "cancel", "abandon", "keep"), {
    minLength: parents.length,
    maxLength: parents.length
  }),
  steps: FastCheck.array(step, { minLength: 5, maxLength: 40 }),
  /** How many steps are under way at once. */
  together: FastCheck.constantFrom(1, 4, 40)
})

const runs = samples(60, 2_000)

const temporaryFile = Layer.unwrapScoped(
  Effect.map(temporaryFolder, (folder) =>
    SqliteStore.layer({ filename: join(folder, "children.db"), synchronous: "NORMAL" })
  )
)

const backends: Readonly<Record<string, Layer.Layer<ProcessStore, unknown>>> = {
  memory: MemoryStore.layer,
  sqlite: temporaryFile
}

/** Performs one step; a refusal is an answer. */
const perform = (family: string, policies: ReadonlyArray<ClosePolicy>, { act, member }: Step) =>
  Effect.gen(function* () {
    const store = yield* ProcessStore
    const registry = yield* ProcessRegistry
    const activations = yield* Activations
    const id = idOf(family, member)
    const parent = parents[member]
    const registration = registrationOf(
      id,
      "externally_owned",
      parent === undefined
        ? {}
        : { parent: { processId: idOf(family, parent), closePolicy: policies[member] ?? "cancel" } }
    )
    switch (act) {
      case "start":
        return yield* activations.start(yield* registeredOf(registration), host)
      case "register":
        return yield* registry.registerProcess(registration)
      case "cancel":
        return yield* registry.requestProcessCancel(id, "chance", host)
      case "end":
        return yield* registry.completeProcess(id, outputs.Success, { _tag: "ExternalOwner" })
      case "pay":
        return yield* store.transact(Children.dispatchPlan(id), Children.dispatch(id))
    }
  }).pipe(
    Effect.as("accepted"),
    Effect.catchAll(({ _tag }) => Effect.succeed<string>(_tag))
  )

const idOf = (family: string, member: number): ProcessId => processId(`${family}-${member}`)

const payEverything = (family: string) =>
  Effect.gen(function* () {
    const store = yield* ProcessStore
    // A payment makes its child owe its own children: as many rounds as generations, and one that finds nothing.
    for (const _ of members) {
      for (const member of members) {
        const id = idOf(family, member)
        yield* store.transact(Children.dispatchPlan(id), Children.dispatch(id))
      }
    }
    return yield* Effect.forEach(members, (member) => store.children.closeRequestsOf(idOf(family, member)))
  })

describe("every interleaving of starting children and stopping their parents", () => {
  for (const [name, store] of Object.entries(backends)) {
    it.effect(`refuses the child or asks it, and owes nothing in the end: ${name}`, () =>
      Effect.gen(function* () {
        const runtime = yield* Effect.runtime<ProcessStore | ProcessRegistry | Activations>()
        const runPromise = Runtime.runPromise(runtime)
        let family = 0
        yield* Effect.promise(() =>
          FastCheck.assert(
            FastCheck.asyncProperty(scenario, async ({ policies, steps, together }) => {
              const own = `${name}-${family++}`
              await runPromise(
                Effect.gen(function* () {
                  const registry = yield* ProcessRegistry
                  yield* Effect.forEach(steps, (each) => perform(own, policies, each), { concurrency: together })
                  const owed = yield* payEverything(own)
                  assert.deepStrictEqual(owed.flat(), [])
                  const records = yield* Effect.forEach(members, (member) => registry.getProcess(idOf(own, member)))
                  for (const [member, record] of records.entries()) {
                    const above = parents[member]
                    const parent = above === undefined ? undefined : records[above]
                    if (record === undefined || parent === undefined || record.status._tag !== "Running") continue
                    const hasEnded = parent.status._tag !== "Running"
                    const isClosing = hasEnded || parent.cancelRequest !== undefined
                    const policy = record.parent?.closePolicy
                    if (policy === "cancel") assert.isTrue(!isClosing || record.cancelRequest !== undefined, record.id)
                    if (policy === "abandon")
                      assert.strictEqual(record.abandonRequest !== undefined, hasEnded, record.id)
                    if (policy === "keep") assert.strictEqual(record.abandonRequest, undefined, record.id)
                    if (record.cancelRequest?.reason?.startsWith("parent ")) assert.isTrue(isClosing, record.id)
                  }
                })
              )
            }),
            { numRuns: runs }
          )
        )
      }).pipe(Effect.provide(lawEnv(store)))
    )
  }

  it.scoped("a process without children costs one probe of an index when it ends", () =>
    Effect.gen(function* () {
      const filename = join(yield* temporaryFolder, "plan.db")
      yield* SqliteStore.make({ filename })
      const db = new Database(filename, { readonly: true })
      const values = { parent: "p", reason: "r", at: 1, first: "cancel", second: "abandon" }
      const steps = db.prepare(`EXPLAIN QUERY PLAN ${texts.putCloseRequests}`).all(values) as ReadonlyArray<{
        readonly detail: string
      }> // the columns of a plan
      db.close()
      assert.deepStrictEqual(
        steps.slice(0, 2).map(({ detail }) => detail),
        ["SEARCH child USING INDEX child_parent (parent_id=?)", "SEARCH state USING INTEGER PRIMARY KEY (rowid=?)"]
      )
    })
  )
})
