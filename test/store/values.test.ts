/**
 * Every law again, for a caller that goes on changing whatever it handed over and whatever it was answered.
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { explain } from "../../src/explain/explain.ts"
import type { ProcessId } from "../../src/model/ids.ts"
import { external } from "../../src/operations/decisions/authority.ts"
import { HandleGrants } from "../../src/operations/HandleGrants.ts"
import * as Observing from "../../src/operations/Observation.ts"
import * as OwnerEvidence from "../../src/operations/OwnerLiveness.ts"
import { OwnerLiveness } from "../../src/operations/OwnerLiveness.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import { stateAt } from "../../src/operations/stateAt.ts"
import { verify } from "../../src/operations/verify.ts"
import { freshId, registrationOf } from "../../src/testing/fixtures.ts"
import type { Caller } from "./callers.ts"
import { backends, lawEnvFor, tryLaws, usedBy } from "./callers.ts"

/** The parts of a live snapshot that are the machine's, and the same for every process. */
const ofMachine = new Set(["machine", "_nodes", "tags", "children", "historyValue"])

/** The fields of a record or a list that are data; whatever else a value may be, such as a function, has none. */
const fieldsOf = (value: unknown): ReadonlyArray<readonly [string, unknown]> | undefined => {
  if (typeof value !== "object" || value === null) return undefined
  const prototype: unknown = Object.getPrototypeOf(value)
  if (!Array.isArray(value) && prototype !== Object.prototype && prototype !== null) return undefined
  const isLive = "machine" in value
  return Object.entries(value).filter(([key, field]) => typeof field !== "function" && !(isLive && ofMachine.has(key)))
}

/** Changes everything that can be changed in a value. */
const scramble = (value: unknown): void => {
  const fields = fieldsOf(value)
  if (fields === undefined || Object.isFrozen(value)) return
  for (const [, field] of fields) scramble(field)
  for (const [key] of fields) Reflect.set(value as object, key, "changed")
  if (Array.isArray(value)) value.push("more")
  else Reflect.set(value as object, "more", true)
}

/** A copy of the data in a value. */
const copyOf = (value: unknown): unknown => {
  const fields = fieldsOf(value)
  if (fields === undefined) return value
  const copies = fields.map(([key, field]) => [key, copyOf(field)] as const)
  return Array.isArray(value) ? copies.map(([, copy]) => copy) : { ...(value as object), ...Object.fromEntries(copies) }
}

/** Copies what a law hands over and is answered; the originals are changed, while the operation runs and after it. */
const careless: Caller =
  (operate) =>
  (...args) =>
    Effect.gen(function* () {
      const handed = args.map(copyOf)
      const running = yield* Effect.fork(operate(...handed))
      yield* Effect.yieldNow()
      for (const [index, arg] of handed.entries()) if (arg !== args[index]) scramble(arg)
      const answer = yield* Fiber.join(running)
      const said = copyOf(answer)
      if (said !== answer) scramble(answer)
      return said
    })

tryLaws("a careless caller", careless)

for (const [backend, store] of Object.entries(backends)) {
  layer(lawEnvFor(careless, store))(`${backend}, a careless observer`, (it) => {
    it.effect("is shown the same again", () =>
      Effect.gen(function* () {
        const registry = yield* ProcessRegistry
        const grants = yield* HandleGrants
        const careful = yield* Observing.make
        const observation = usedBy(careless, careful)
        const explained = Effect.provideService(OwnerLiveness, OwnerEvidence.make(OwnerEvidence.unknowing))
        const alone = usedBy(careless, { stateAt, verify, explain: (of: ProcessId) => explained(explain(of)) })
        const id = yield* freshId
        const session = { sessionId: `s-${id}` }
        const originator = { _tag: "Session" as const, scope: session }
        yield* registry.registerProcess(
          registrationOf(id, "externally_owned", {
            input: { _tag: "External", metadata: { deep: ["a"] } },
            identity: { kind: "k", label: "mine" },
            provenance: { originator },
            wakeTarget: session
          })
        )
        yield* registry.appendEvent(id, { eventType: "note", payload: { deep: ["a"] } }, external)
        yield* grants.grantHandle(session, id, { label: "mine" })
        const looks = {
          "stateAt, the registration": alone.stateAt(id, 0),
          stateAt: alone.stateAt(id, 1),
          verify: Effect.map(alone.verify({ ids: [id] }), (report) => ({ id, report })),
          explain: alone.explain(id),
          observe: observation.observe(id),
          snapshotForSession: observation.snapshotForSession(session.sessionId),
          listGrantedTo: observation.listGrantedTo(session, { status: "any" }),
          listOriginatedBy: observation.listOriginatedBy(session, { status: "any" })
        }
        for (const [name, look] of Object.entries(looks)) {
          const first = yield* look
          assert.include(JSON.stringify(first), id)
          assert.deepStrictEqual(yield* look, first, name)
          assert.deepStrictEqual(yield* verify({ ids: [id] }), { checked: 1, retaken: 0, differences: [] }, name)
        }
        const [first] = yield* careful.snapshotForSession(session.sessionId)
        assert.deepStrictEqual(first?.events[0]?.payload, { deep: ["a"] })
      })
    )
  })
}
