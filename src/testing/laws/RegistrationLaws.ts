/**
 * Laws of registration, and of execution environments, which are stored under their content's address.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Environment from "../../model/Environment.ts"
import { plain } from "../../model/EventType.ts"
import type { StoreError } from "../../model/errors.ts"
import type { EnvironmentRef } from "../../model/ids.ts"
import { maxIdBytes, processId } from "../../model/ids.ts"
import type { Registration } from "../../model/Registration.ts"
import { external } from "../../operations/decisions/authority.ts"
import { Environments } from "../../operations/Environments.ts"
import { acceptWith } from "../../store/Decision.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import { isFold, keptOf, recordOf, refused, writesNothing } from "../evidence.ts"
import { eventTypes, freshId, freshProcess, leasedProcess, outputs, registrationOf } from "../fixtures.ts"
import type { Law } from "../Law.ts"
import { expectEquals, expectFailure, law, lawsOf } from "../Law.ts"

const registrationLaws: ReadonlyArray<Law> = lawsOf("ADR 0003", {
  *"a new process is running, unstarted, unleased and has an empty log"({ registry }) {
    const id = yield* freshId
    const record = yield* registry.registerProcess(registrationOf(id, "rerunnable"))
    yield* expectEquals("its status", record.status, { _tag: "Running" })
    yield* expectEquals("its counters", [record.activations, record.attempts, record.waits], [0, 0, []])
    yield* expectEquals("its times", record.updatedAtMs, record.createdAtMs)
    yield* expectEquals("its owner", record.firstStarted, undefined)
    const kept = yield* keptOf(id)
    yield* expectEquals(
      "its log and lease",
      [kept.log, kept.lease, kept.fencingToken, kept.sequence],
      [[], undefined, 0, 0]
    )
    yield* expectEquals("what is stored", kept.record, record)
    yield* isFold(id)
  },

  *"an id that was never registered has no process"({ registry }) {
    const id = yield* freshId
    yield* expectEquals("get", yield* registry.getProcess(id), undefined)
    const error = yield* refused("its events", "ProcessUnknown", [id], registry.eventsAfter(id, 0))
    yield* expectEquals("the failure", error.processId, id)
  },

  *"registering the same again answers the stored record and writes nothing"({ registry }) {
    const id = yield* freshProcess()
    const stored = yield* recordOf(id)
    const again = yield* writesNothing([id], registry.registerProcess(registrationOf(id, "rerunnable")))
    yield* expectEquals("the answer", again, stored)
  },

  *"registering an ended process again answers its end and restarts nothing"({ registry }) {
    const { id, lease } = yield* leasedProcess()
    yield* registry.completeProcessWithLease(lease, outputs.Success)
    const again = yield* writesNothing([id], registry.registerProcess(registrationOf(id, "rerunnable")))
    yield* expectEquals("the status", again.status, { _tag: "Completed", output: outputs.Success })
  },

  *"another registration under a known id is refused, with both hashes"({ registry }) {
    const id = yield* freshProcess()
    const { registrationHash } = yield* recordOf(id)
    for (const changes of differences) {
      const other = registrationOf(id, "rerunnable", changes)
      const error = yield* refused("it", "RegistrationConflict", [id], registry.registerProcess(other))
      yield* expectEquals("the stored hash", error.stored, registrationHash)
      yield* expectEquals("whether the hashes differ", error.presented !== error.stored, true)
    }
  },

  *"an invalid registration is refused, names the field, and leaves nothing behind"({ registry }) {
    for (const [disposition, changes, field] of invalid) {
      const id = yield* freshId
      const registration = registrationOf(id, disposition, changes)
      const error = yield* refused(field, "RegistrationInvalid", [id], registry.registerProcess(registration))
      yield* expectEquals("the field", error.field, field)
    }
  },

  *"an id or a wake target that no store could look up is refused, the longest that can be is not"({ registry }) {
    const own = yield* freshId
    const longest = processId(own + randomText(maxIdBytes - own.length))
    const longer = processId(`${longest}x`)
    const refusal = yield* refused(
      "a longer id",
      "RegistrationInvalid",
      [longer],
      registry.registerProcess(registrationOf(longer, "externally_owned"))
    )
    yield* expectEquals("the field", refusal.field, "id")
    const [scope, replayKey] = [{ sessionId: longest.slice("session:".length) }, `${longest}${longest}`]
    const wakeTarget = { sessionId: longest }
    const woken = registrationOf(own, "externally_owned", { wakeTarget })
    const { field } = yield* refused("a longer target", "RegistrationInvalid", [own], registry.registerProcess(woken))
    yield* expectEquals("the field", field, "wake_target")
    yield* registry.registerProcess(registrationOf(longest, "externally_owned", { wakeTarget: scope, eventTypes }))
    const wake = { eventType: "progress", payload: { urgent: true, text: "look" }, replayKey, wakeTargetScope: scope }
    const first = yield* registry.appendEvent(longest, wake, external)
    const again = yield* registry.appendEvent(longest, wake, external)
    yield* expectEquals("the event under the same key", again.event.sequence, first.event.sequence)
    yield* refused(
      "a longer target of a wake",
      "InputInvalid",
      [longest],
      registry.appendEvent(longest, { ...wake, replayKey: "other", wakeTargetScope: wakeTarget }, external)
    )
    const ended = yield* registry.completeProcess(longest, outputs.Success, { _tag: "ExternalOwner" })
    yield* expectEquals("its id", ended.id, longest)
  },

  *"a registration is judged before its id is looked up"({ registry }) {
    const id = yield* freshProcess()
    const registration = registrationOf(id, "rerunnable", { maxAttempts: 0 })
    yield* refused("an invalid one", "RegistrationInvalid", [id], registry.registerProcess(registration))
  },

  *"core event types that are not declared follow the declared ones, in their order"() {
    const declared = [plain("first"), plain("process.cancel_requested", { type: "object" })]
    const id = yield* freshProcess("rerunnable", { eventTypes: declared })
    const record = yield* recordOf(id)
    yield* expectEquals(
      "the names",
      record.eventTypes.map((type) => type.name),
      [
        "first",
        "process.cancel_requested",
        "process.completed",
        "process.failed",
        "process.cancelled",
        "process.abandoned"
      ]
    )
    yield* expectEquals("the declared ones", record.eventTypes.slice(0, 2), declared)
  },

  *"every field of a registration is stored as it was declared"({ registry }) {
    const registration = registrationOf(yield* freshId, "owner_bound", everything)
    yield* registry.registerProcess(registration)
    const { eventTypes: _types, wakeTarget, ...rest } = registration
    const record = yield* recordOf(registration.id)
    yield* expectEquals("the wake target", record.wakeTarget, wakeTarget)
    for (const [field, value] of Object.entries(rest)) {
      yield* expectEquals(field, record[field as keyof typeof record], value)
    }
    yield* isFold(registration.id)
  },

  *"what was registered does not change with the caller's own copy"({ registry }) {
    const id = yield* freshId
    const payload = { steps: 3 }
    const input = { _tag: "Engine", kind: "law.engine", payload } as const
    yield* registry.registerProcess(registrationOf(id, "rerunnable", { input }))
    payload.steps = 4
    const record = yield* recordOf(id)
    yield* expectEquals("the input", record.input, { _tag: "Engine", kind: "law.engine", payload: { steps: 3 } })
  },

  *"of concurrent registrations of one id exactly one comes true"({ registry }) {
    const id = yield* freshId
    const rivals = Array.from({ length: 12 }, (_, index) =>
      registrationOf(id, "rerunnable", { maxAttempts: 1 + (index % 2) })
    )
    const outcomes = yield* Effect.forEach(
      rivals,
      (rival) =>
        Effect.map(
          Effect.either(registry.registerProcess(rival)),
          Either.mapLeft((error) => error._tag)
        ),
      { concurrency: "unbounded" }
    )
    const winner = (yield* recordOf(id)).maxAttempts
    yield* expectEquals(
      "who was accepted",
      outcomes.map((outcome) => (Either.isRight(outcome) ? outcome.right.maxAttempts : outcome.left)),
      rivals.map((rival) => (rival.maxAttempts === winner ? winner : "RegistrationConflict"))
    )
  },

  *"the registration of one process leaves every other one alone"({ registry }) {
    const bystander = yield* freshProcess()
    yield* registry.appendEvent(bystander, { eventType: "note", payload: 1 }, external)
    yield* writesNothing([bystander], freshProcess("externally_owned"))
  }
})

const differences: ReadonlyArray<Partial<Registration>> = [
  { input: { _tag: "Engine", kind: "law.engine", payload: { steps: 4 } } },
  { disposition: "owner_bound" },
  { identity: { kind: "law.engine", label: "another" } },
  { eventTypes: [...eventTypes].reverse() },
  { provenance: { originator: { _tag: "Session", scope: { sessionId: "s" } } } },
  { wakeTarget: { sessionId: "s" } },
  { parent: { processId: processId("parent"), closePolicy: "keep" } },
  { maxAttempts: 3 }
]

const everything: Partial<Registration> = {
  input: {
    _tag: "Engine",
    kind: "law.engine",
    payload: { text: 'ünïcode 🦀 \u0000 "quoted"', list: [1, 2.5, null, true, {}] }
  },
  identity: { kind: "law.engine", label: "label", definition: { nested: [{ deep: null }] } },
  provenance: {
    originator: { _tag: "Session", scope: { sessionId: "s", agentFrameId: "f" } },
    causedBy: { _tag: "Effect", sessionId: "s", turnId: "t", effectId: "e" }
  },
  wakeTarget: { sessionId: "s", agentFrameId: "f" },
  parent: { processId: processId("parent"), closePolicy: "cancel" },
  maxAttempts: 7
}

const withTypes = (...types: ReadonlyArray<Registration["eventTypes"][number]>): Partial<Registration> => ({
  eventTypes: types
})

const ends = (name: string, state: "completed" | "failed", pointer?: string) => ({
  name,
  payloadSchema: { schema: {} },
  semantics: { terminal: { state, ...(pointer === undefined ? {} : { awaitOutput: { pointer } }) } }
})

const invalid: ReadonlyArray<readonly [Registration["disposition"], Partial<Registration>, string]> = [
  ["rerunnable", { id: processId(" \t ") }, "id"],
  ["externally_owned", { envRef: "process-env:sha256:00" as NonNullable<Registration["envRef"]> }, "env_ref"],
  ["externally_owned", { input: { _tag: "Engine", kind: "k", payload: null } }, "env_ref"],
  ["rerunnable", withTypes(plain("a"), plain("  ")), "event_types/1"],
  ["rerunnable", withTypes(plain("a"), plain("a")), "event_types/1"],
  ["rerunnable", withTypes(plain("process.started")), "event_types/0"],
  ["rerunnable", withTypes(ends("over", "failed")), "event_types/0"],
  ["rerunnable", withTypes(ends("process.completed", "failed", "/await_output")), "event_types/0"],
  ["rerunnable", withTypes(ends("process.failed", "failed", "/elsewhere")), "event_types/0"],
  ["rerunnable", { maxAttempts: 0 }, "max_attempts"]
]

const undecodable = (name: string, text: string): Law =>
  law(
    name,
    "What a body can do: What a host supplies",
    Effect.gen(function* () {
      const environments = yield* Environments
      const ref = yield* freshRef
      yield* put(ref, text)
      const { envRef, problem } = yield* expectFailure("loading it", "EnvironmentUnusable", environments.load(ref))
      yield* expectEquals("the problem", { envRef, problem }, { envRef: ref, problem: "undecodable" })
    })
  )

const environmentLaws: ReadonlyArray<Law> = [
  ...lawsOf("What a body can do: What a host supplies", {
    *"a persisted environment is loaded as it was"({ environments }) {
      const spec = yield* freshSpec
      const ref = yield* environments.persist(spec)
      yield* expectEquals("the loaded spec", yield* environments.load(ref), spec)
    },

    *"the same spec has the same address, whatever the order of its keys"({ environments }) {
      const one = yield* environments.persist({ pluginOptions: { a: 1, b: [2] }, policy: { c: { d: 3, e: 4 } } })
      const two = yield* environments.persist({ policy: { c: { e: 4, d: 3 } }, pluginOptions: { b: [2], a: 1 } })
      yield* expectEquals("the address", one, goldenRef)
      yield* expectEquals("the other address", two, goldenRef)
    },

    *"another spec has another address"({ environments }) {
      const spec = yield* freshSpec
      const one = yield* environments.persist(spec)
      const two = yield* environments.persist({ ...spec, policy: { strict: false } })
      yield* expectEquals("whether they are the same", one === two, false)
    },

    *"an environment that was never stored is missing"({ environments }) {
      const ref = Environment.refOf(yield* freshSpec)
      const error = yield* expectFailure("loading it", "EnvironmentUnusable", environments.load(ref))
      yield* expectEquals("the message", error.message, `missing process execution env \`${ref}\``)
    }
  }),

  undecodable("an environment with an unknown field is refused", '{"plugin_options":{},"policy":{},"session":"s"}'),

  undecodable("an environment that is no JSON is refused", "{"),

  ...lawsOf("What a body can do: What a host supplies", {
    *"fields that are absent have their defaults"({ environments }) {
      const ref = yield* freshRef
      yield* put(ref, "{}")
      yield* expectEquals("the loaded spec", yield* environments.load(ref), { pluginOptions: {}, policy: {} })
    },

    *"what is put last under an address is what is there"({ environments, store }) {
      const ref = yield* freshRef
      yield* put(ref, "{")
      yield* put(ref, '{"policy":{"last":true}}')
      yield* expectEquals("the text", yield* store.environments.get(ref), '{"policy":{"last":true}}')
      yield* expectEquals("the spec", yield* environments.load(ref), { pluginOptions: {}, policy: { last: true } })
    },

    *"the empty environment is there without having been stored"({ environments }) {
      const spec = yield* environments.load(emptyRef)
      yield* expectEquals("the empty environment", spec, { pluginOptions: {}, policy: {} })
    }
  })
]

/** Text that does not get shorter when it is compressed. */
const randomText = (length: number): string =>
  Array.from({ length: Math.ceil(length / 36) }, () => crypto.randomUUID())
    .join("")
    .slice(0, length)

const freshSpec: Effect.Effect<Environment.EnvironmentSpec> = Effect.sync(() => ({
  pluginOptions: { law: crypto.randomUUID() },
  policy: { strict: true }
}))

const freshRef: Effect.Effect<EnvironmentRef> = Effect.sync(
  () => `process-env:sha256:${crypto.randomUUID()}` as EnvironmentRef // any text will do: nothing is looked up by its hash
)

const put = (ref: EnvironmentRef, body: string): Effect.Effect<void, StoreError, ProcessStore> =>
  Effect.flatMap(ProcessStore, (store) =>
    store.transact({ lock: [] }, () => acceptWith(undefined, [{ _tag: "PutEnvironment", ref, body }]))
  )

// SHA-256 of `{"plugin_options":{"a":1,"b":[2]},"policy":{"c":{"d":3,"e":4}}}`
const goldenRef = "process-env:sha256:66449927c102586bd3d77e2a017245ee0e3f8f000e6d1e241c744e11b177ef9a"

// SHA-256 of `{"plugin_options":{},"policy":{}}`
const emptyRef = "process-env:sha256:a13b5594b865118f2574c4c7a3cb0684d81cf56d5f122508e2d8d9923c66bfa3" as EnvironmentRef // a literal, so that the address can never change

/** The laws of registration and environments. */
export const laws: ReadonlyArray<Law> = [...registrationLaws, ...environmentLaws]
