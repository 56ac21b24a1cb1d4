/**
 * What a redaction hides: whatever producers, bodies and people gave, on every route, the stream of changes among them.
 *
 * Every value that is stored here has {@link mark} in it, so that a route cannot show one unnoticed; the routes are those of the
 * server's own table.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { emit, log, sendTo, setup } from "xstate"
import type { Redact } from "../../src/explain/redaction.ts"
import { showAll } from "../../src/explain/redaction.ts"
import { Processes } from "../../src/host/Processes.ts"
import * as Inspector from "../../src/inspector/Inspector.ts"
import { readsOf } from "../../src/inspector/server.ts"
import { plain } from "../../src/model/EventType.ts"
import { processId } from "../../src/model/ids.ts"
import * as Authority from "../../src/operations/decisions/authority.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import { fromMachine } from "../../src/runtime/engine/fromMachine.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import { RecoverySweep } from "../../src/supervision/RecoverySweep.ts"
import { bounded, memory, quiet, until } from "../support/hosts.ts"
import { note, register } from "./fixtures.ts"

const mark = "zyx-"

const given = new Set<string>()

/** A value that must not be seen, with a name that says which one was. */
const hide = (name: string): string => {
  given.add(mark + name)
  return mark + name
}

const declared = { version: "1", success: Schema.Unknown, disposition: "rerunnable" } as const

const Baker = Engine.make("baker", {
  ...declared,
  payload: Schema.Struct({ word: Schema.String }),
  run: (_, ctx) =>
    Effect.gen(function* () {
      yield* ctx.step("done", Effect.succeed(hide("step")))
      yield* ctx.step(
        "under way",
        ({ report }) => Effect.zipRight(Effect.orDie(report({ at: hide("progress") })), failing),
        {
          error: Schema.String,
          retry: Schedule.spaced("20 millis")
        }
      )
    })
})

const failing = Effect.fail(hide("step-error"))

const Broken = Engine.make("broken", {
  ...declared,
  payload: Schema.Null,
  run: () =>
    Effect.sync(() => {
      throw Object.assign(new Error(hide("thrown"), { cause: new Error(hide("cause")) }), { code: hide("code") })
    })
})

/** What runs as `poor` here takes a number. */
const Poor = Engine.make("poor", { ...declared, payload: Schema.Number, run: () => Effect.succeed(1) })

/** An event with more than a type, for a receiver that is not known to the machine. */
const carrying = <E extends { readonly type: string }>(event: E): { readonly type: string } => event

const secretive = setup({
  types: {
    context: {} as { readonly word: string },
    events: {} as { readonly type: "say"; readonly word: string },
    emitted: {} as { readonly type: "said"; readonly word: string }
  },
  actions: { tell: (_, _params: { readonly word: string }) => {} }
}).createMachine({
  id: "orders.secretive",
  context: { word: hide("context") },
  initial: "on",
  states: {
    on: {
      after: { 100000: "over" },
      on: {
        say: {
          actions: [
            { type: "tell", params: { word: hide("params") } },
            emit({ type: "said", word: hide("emitted") }),
            log(() => hide("logged"), "a label"),
            // Neither takes it: one is of no process, the other is declared with a number.
            sendTo(({ system }) => system.get("gone"), carrying({ type: "say", word: hide("unsent") })),
            sendTo(({ system }) => system.get("external"), carrying({ type: "count", by: hide("refused") }))
          ]
        }
      }
    },
    over: { type: "final" }
  }
})

const Secretive = fromMachine(secretive, {
  version: "1",
  input: Schema.Undefined as Schema.Schema<undefined, unknown>,
  events: { say: Schema.Struct({ word: Schema.String }) },
  actions: { tell: () => Effect.never }
})

const host = Layer.provide(memory([Baker, Broken, Poor, Secretive]), quiet)

/** An inspector of the host, which has none of its own. */
const inspected = (redact: Redact) => Layer.provide(Inspector.layerHost({ token: "secret", redact }), quiet)

const ids = ["baker", "broken", "poor", "secretive", "external", "good", "bad"]

/** Processes in which every part that may hold a value holds one. */
const furnish = Effect.gen(function* () {
  const processes = yield* Processes
  const registry = yield* ProcessRegistry
  const count = { type: "object", properties: { by: { type: "integer" } } }
  yield* register("external", {
    input: { _tag: "External", metadata: { label: hide("label"), more: hide("metadata") } },
    identity: { kind: "external", label: hide("label") },
    wakeTarget: { sessionId: "s", agentFrameId: "f" },
    eventTypes: [
      plain("note"),
      plain("signal.count", count),
      {
        name: "call",
        payloadSchema: { schema: {} },
        semantics: { wake: { input: { pointer: "/text" }, dedupeKey: { selector: { pointer: "/key" } } } }
      }
    ]
  })
  yield* note("external", hide("note"))
  const call = { eventType: "call", payload: { text: hide("wake"), key: hide("wake-key") } }
  yield* registry.appendEvent(processId("external"), call, Authority.host)
  yield* registry.requestProcessCancel(processId("external"), hide("cancel-reason"), Authority.host)
  const request = { requestedBy: "ana", requestedAtMs: 1, reason: hide("abandon-reason") }
  yield* registry.requestProcessAbandon(processId("external"), request, Authority.host)
  for (const [id, output] of [
    ["good", { _tag: "Success", value: hide("result") }],
    [
      "bad",
      {
        _tag: "Failure",
        class: "execution",
        code: "Broken",
        message: hide("failure"),
        thrown: { name: "Error", message: hide("message"), data: hide("data"), stack: hide("stack") }
      }
    ]
  ] as const) {
    yield* register(id, { input: { _tag: "External", metadata: { secret: hide("metadata") } } })
    yield* registry.completeProcess(processId(id), output, { _tag: "ExternalOwner" })
  }
  yield* processes.start(Baker, { id: "baker", payload: { word: hide("payload") } })
  yield* processes.start(Broken, { id: "broken", payload: null })
  const { envRef } = Option.getOrThrow(Option.fromNullable(yield* registry.getProcess(processId("baker"))))
  yield* register("poor", {
    input: { _tag: "Engine", kind: "poor", payload: hide("undecodable") },
    identity: { kind: "poor", definition: { version: "1" } },
    disposition: "rerunnable",
    ...(envRef === undefined ? {} : { envRef })
  })
  const talk = yield* processes.start(Secretive, { id: "secretive", payload: undefined })
  yield* talk.send({ type: "say", word: hide("event") })
  yield* (yield* RecoverySweep).sweep
})

/** What asks a route about a process, or once about all of them. */
const queries: Readonly<Record<string, (id: string) => ReadonlyArray<string>>> = {
  "/api/host": () => [""],
  "/api/processes": () => ["", "?text=zyx"],
  "/api/overview": () => [""],
  "/api/counts": () => [""],
  "/api/look": (id) => [`?id=${id}`, `?id=${id}&at=last`, `?id=${id}&at=0`],
  "/api/runs": (id) => [`?id=${id}`],
  "/api/process": (id) => [`?id=${id}`],
  "/api/events": (id) => [`?id=${id}`],
  "/api/state": (id) => [0, 1, 3].map((sequence) => `?id=${id}&sequence=${sequence}`),
  "/api/machines": () => [""],
  "/api/machine": () => ["?id=owner"],
  "/api/messages": (id) => [`?id=${id}`],
  "/api/tree": () => [""],
  "/api/sweeps": () => [""],
  "/api/wakes": () => [""],
  "/api/explain": (id) => [`?id=${id}`]
}

const answered = (path: string) =>
  Effect.flatMap(Inspector.Inspector, ({ port }) =>
    Effect.promise(async () => {
      const answer = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { authorization: "Bearer secret" } })
      return { status: answer.status, text: await answer.text() }
    })
  )

/** What every route and the stream show of the values, each with what stands before it. */
/** What has large values, each of which is asked for by itself. */
const parted = new Set(["processes", "look", "process", "events", "state", "explain"].map((name) => `/api/${name}`))

const shown = Effect.gen(function* () {
  const heard = yield* streamed
  yield* note("external", hide("note"))
  const found = new Map<string, string>()
  const look = (path: string, text: string): void => {
    for (const { 0: value, index } of text.matchAll(/zyx-[a-z-]+/g)) {
      found.set(value, `${path} shows ${text.slice(Math.max(0, index - 40), index)}${value}`)
    }
  }
  for (const [path, ask] of Object.entries(queries)) {
    for (const query of new Set(ids.flatMap(ask))) {
      for (const whole of parted.has(path) ? ["", `${query === "" ? "?" : "&"}part=`] : [""]) {
        const { status, text } = yield* answered(path + query + whole)
        const isThere = status === 200 || (path === "/api/state" && status === 400)
        assert.isTrue(isThere, `${path}${query}: ${text}`)
        look(path + query + whole, text)
      }
    }
  }
  yield* until(Effect.sync(() => heard().includes('"process_id":"external"')))
  look("/api/changes", heard())
  return found
})

describe("a redaction", () => {
  it.scopedLive("hides what producers, bodies and people gave, on every route and in the stream of changes", () =>
    bounded(
      Effect.gen(function* () {
        assert.sameMembers(Object.keys(queries), Object.keys(readsOf({} as never)), "every route is asked here") // none of them is called
        yield* furnish
        const store = yield* ProcessStore
        for (const [id, least] of [
          ["baker", 1],
          ["broken", 2],
          ["secretive", 3],
          ["external", 4]
        ] as const) {
          yield* until(
            Effect.map(store.find(processId(id)), (found) => found._tag === "Present" && found.row.sequence >= least)
          )
        }
        // Without a redaction each of them is somewhere, so that all were looked for.
        const plain = yield* Effect.provide(Effect.scoped(shown), inspected(showAll))
        assert.sameMembers([...plain.keys()], [...given])
        const hidden = yield* Effect.provide(
          Effect.scoped(shown),
          inspected(() => "[hidden]")
        )
        assert.deepStrictEqual([...hidden.values()], [])
      }).pipe(Effect.provide(host))
    )
  )
})

/** Follows the changes; answers with a function that has all that was heard. */
const streamed = Effect.gen(function* () {
  const { port } = yield* Inspector.Inspector
  const stop = yield* Effect.acquireRelease(
    Effect.sync(() => new AbortController()),
    (controller) => Effect.sync(() => controller.abort())
  )
  const { body } = yield* Effect.promise(() =>
    fetch(`http://127.0.0.1:${port}/api/changes`, {
      headers: { authorization: "Bearer secret" },
      signal: stop.signal
    })
  )
  let text = ""
  const reader = body?.getReader()
  const read = async (): Promise<void> => {
    const { done = true, value } = (await reader?.read()) ?? {}
    if (done) return
    text += new TextDecoder().decode(value)
    await read()
  }
  void read().catch(() => {})
  return () => text
})
