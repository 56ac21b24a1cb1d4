import { request as httpRequest } from "node:http"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { Processes } from "../../src/host/Processes.ts"
import * as Inspector from "../../src/inspector/Inspector.ts"
import { InspectorSource } from "../../src/inspector/InspectorSource.ts"
import type {
  EventsView,
  HostView,
  ListView,
  MachineLine,
  MachineView,
  MomentView,
  ProcessView,
  StepView
} from "../../src/inspector/View.ts"
import { processId } from "../../src/model/ids.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import { outputs } from "../../src/testing/fixtures.ts"
import { bounded, memory, quiet, temporaryFolder } from "../support/hosts.ts"
import { fileStore, inspected, note, register, waitForApproval } from "./fixtures.ts"

interface Answer<A> {
  readonly status: number
  readonly headers: Headers
  readonly body: A
}

/** Asks the inspector in context, with its token unless told otherwise. */
const ask = <A = unknown>(path: string, init: RequestInit = {}, token: string | null = "secret") =>
  Effect.gen(function* () {
    const { port } = yield* Inspector.Inspector
    const headers = { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...init.headers }
    return yield* bounded(
      Effect.promise(async (): Promise<Answer<A>> => {
        const response = await fetch(`http://127.0.0.1:${port}${path}`, { ...init, headers })
        const text = await response.text()
        const isJson = response.headers.get("content-type")?.startsWith("application/json") === true
        return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text }
      })
    )
  })

const post = <A = unknown>(path: string, body: unknown) =>
  ask<A>(path, { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" } })

/** A raw request: `fetch` does not let a caller say what the host is called. */
const statusFor = (headers: Readonly<Record<string, string>>) =>
  Effect.flatMap(Inspector.Inspector, ({ port }) =>
    bounded(
      Effect.promise(
        () =>
          new Promise<number>((resolve, reject) => {
            const sent = httpRequest(
              { port, host: "127.0.0.1", path: "/api/host", headers: { authorization: "Bearer secret", ...headers } },
              (response) => {
                response.resume()
                resolve(response.statusCode ?? 0)
              }
            )
            sent.on("error", reject)
            sent.end()
          })
      )
    )
  )

const ids = (list: ListView) => list.rows.map((row) => row.process_id)

describe("access to the inspector", () => {
  it.live("a request without the token, or with another one, learns nothing", () =>
    Effect.gen(function* () {
      for (const token of [null, "", "Secret"]) {
        const { status, body } = yield* ask("/api/processes", {}, token)
        assert.strictEqual(status, 401)
        assert.deepStrictEqual(body, {
          error: {
            tag: "Refused",
            message: "the token is missing or wrong: open the address that the inspector printed"
          }
        })
      }
    }).pipe(Effect.provide(inspected()))
  )

  it.live("the token counts in the authorization header only; no answer sets a cookie", () =>
    Effect.gen(function* () {
      const { port } = yield* Inspector.Inspector
      const page = yield* ask<string>("/", {}, null)
      assert.strictEqual(page.status, 200)
      assert.include(page.body, "<!doctype html>")
      assert.isNull(page.headers.get("set-cookie"))
      const cookie = `holdfast_inspector_${port}=secret`
      assert.strictEqual((yield* ask("/api/host", { headers: { cookie } }, null)).status, 401)
      assert.strictEqual((yield* ask("/api/host?token=secret", {}, null)).status, 401)
      assert.strictEqual((yield* ask("/api/host")).status, 200)
    }).pipe(Effect.provide(inspected()))
  )

  it.live("everything the page asks for is there", () =>
    Effect.gen(function* () {
      const { body } = yield* ask<string>("/", {}, null)
      const files = [...body.matchAll(/(?:href|src)="([a-zA-Z]+\.[a-z]+)"/g)].map(([, file]) => file)
      assert.includeMembers(files, ["style.css", "main.js", "icon.svg"])
      for (const file of files) assert.strictEqual((yield* ask(`/${file}`)).status, 200, file)
    }).pipe(Effect.provide(inspected()))
  )

  it.live("another host's name and another origin are refused, token or not", () =>
    Effect.gen(function* () {
      const { port } = yield* Inspector.Inspector
      assert.strictEqual(yield* statusFor({ host: `localhost:${port}` }), 200)
      assert.strictEqual(yield* statusFor({ host: `evil.example:${port}` }), 403)
      assert.strictEqual(yield* statusFor({ host: "127.0.0.1" }), 403)
      assert.strictEqual(yield* statusFor({ origin: `http://127.0.0.1:${port}` }), 200)
      assert.strictEqual(yield* statusFor({ origin: "http://evil.example" }), 403)
      assert.strictEqual(yield* statusFor({ origin: "null" }), 403)
    }).pipe(Effect.provide(inspected()))
  )

  it.live("every answer forbids scripts from elsewhere, frames and referrers", () =>
    Effect.gen(function* () {
      for (const path of ["/", "/style.css", "/api/host", "/nowhere"]) {
        const { headers } = yield* ask(path)
        assert.include(headers.get("content-security-policy") ?? "", "default-src 'none'; script-src 'self'")
        assert.strictEqual(headers.get("referrer-policy"), "no-referrer")
        assert.strictEqual(headers.get("x-frame-options"), "DENY")
      }
    }).pipe(Effect.provide(inspected()))
  )

  it.live("a name that is no file of the page is not found, whatever it points at", () =>
    Effect.gen(function* () {
      for (const path of ["/..%2Fassets.ts", "/assets.ts", "/page%2Fstyle.css", "/__proto__.js", "/api/actions"]) {
        assert.strictEqual((yield* ask(path)).status, 404, path)
      }
    }).pipe(Effect.provide(inspected()))
  )

  it.live("only a loopback name is served, and a port that is taken is an answer", () =>
    Effect.gen(function* () {
      const { port } = yield* Inspector.Inspector
      const opened = (options: Inspector.InspectorOptions) =>
        Effect.exit(Effect.scoped(Layer.build(inspected(options))))
      const open = yield* opened({ host: "0.0.0.0" })
      assert.include(JSON.stringify(open), "only loopback names are served")
      const taken = yield* bounded(opened({ port }))
      assert.isTrue(Exit.isFailure(taken))
      assert.include(JSON.stringify(taken), "EADDRINUSE")
    }).pipe(Effect.provide(inspected()))
  )
})

describe("the list", () => {
  it.live("pages go on by number, in the order that is asked for; what changed last comes first", () =>
    Effect.gen(function* () {
      for (const id of ["c", "a", "d", "b"]) yield* register(id)
      const page = (query: string) =>
        Effect.map(ask<ListView>(`/api/processes?${query}`), ({ body }) => [ids(body), body.total])
      assert.deepStrictEqual(yield* page("limit=3"), [["b", "d", "a"], 4])
      assert.deepStrictEqual(yield* page("limit=3&offset=3"), [["c"], 4])
      yield* note("c", "moves")
      assert.deepStrictEqual(yield* page("limit=2"), [["c", "b"], 4])
      assert.deepStrictEqual(yield* page("sort=id&order=asc"), [["a", "b", "c", "d"], 4])
      assert.strictEqual((yield* ask("/api/processes?sort=mood")).status, 400)
    }).pipe(Effect.provide(inspected()))
  )

  it.live("text, kind, originator and state narrow it; an id that is known is found at once", () =>
    Effect.gen(function* () {
      const registry = yield* ProcessRegistry
      yield* register("a/ab")
      yield* register("ab")
      yield* register("zz", { identity: { kind: "deploy", label: "Build AB" } })
      yield* register("turn", {
        provenance: { originator: { _tag: "Session", scope: { sessionId: "s1", agentFrameId: "f" } } }
      })
      yield* registry.completeProcess(processId("zz"), { _tag: "Success", value: 1 }, { _tag: "ExternalOwner" })
      const found = (query: string) => Effect.map(ask<ListView>(`/api/processes?${query}`), ({ body }) => ids(body))
      assert.deepStrictEqual(yield* found("text=AB"), ["zz", "ab", "a/ab"])
      assert.deepStrictEqual(yield* found("text=ab"), ["ab", "zz", "a/ab"])
      assert.deepStrictEqual(yield* found("kind=deploy"), ["zz"])
      assert.deepStrictEqual(yield* found("session=s1"), ["turn"])
      assert.deepStrictEqual(yield* found("session=session:s1/frame:f"), ["turn"])
      assert.deepStrictEqual(yield* found("state=completed"), ["zz"])
      assert.deepStrictEqual(yield* found("state=running&text=zz"), [])
      assert.strictEqual((yield* ask("/api/processes?state=odd")).status, 400)
      const { body } = yield* ask("/api/counts")
      assert.deepStrictEqual(body, {
        counts: { running: 3, completed: 1, failed: 0, cancelled: 0, abandoned: 0 },
        total: 4
      })
    }).pipe(Effect.provide(inspected()))
  )
})

describe("one process", () => {
  it.live("it is shown with its record, its states, its signals and its children", () =>
    Effect.gen(function* () {
      yield* register("p")
      yield* register("p/child", { parent: { processId: processId("p"), closePolicy: "cancel" } })
      yield* register("child with its own id", { parent: { processId: processId("p"), closePolicy: "abandon" } })
      yield* register("p/stranger")
      yield* waitForApproval("p")
      const { body } = yield* ask<ProcessView>("/api/process?id=p")
      assert.strictEqual(body.record.id, "p")
      assert.deepStrictEqual(body.record.status, { state: "running" })
      assert.deepStrictEqual(body.row.waits, ["approve"])
      assert.include(body.active, "process.running.wait.waiting")
      assert.include(body.accepts, "process.resumed")
      assert.deepStrictEqual(
        body.signals.map(({ name, expected }) => [name, expected]),
        [["approve", true]]
      )
      assert.deepStrictEqual(
        body.children.map((child) => child.process_id),
        ["child with its own id", "p/child"]
      )
      assert.strictEqual(body.lease, null)
      assert.strictEqual((yield* ask("/api/process?id=none")).status, 404)
      assert.strictEqual((yield* ask("/api/process")).status, 400)
    }).pipe(Effect.provide(inspected()))
  )

  it.live("the state at an event is the record as it was then, with what the event did", () =>
    Effect.gen(function* () {
      yield* register("p")
      yield* note("p", "one")
      yield* waitForApproval("p")
      yield* note("p", "two")
      const at = (sequence: number) => ask<MomentView>(`/api/state?id=p&sequence=${sequence}`)
      const before = (yield* at(1)).body
      assert.deepStrictEqual([before.event?.event_type, before.record.wait], ["note", undefined])
      assert.include(before.active, "process.running.wait.clear")
      const entered = (yield* at(2)).body
      assert.strictEqual(entered.event?.event_type, "process.waiting")
      assert.include(entered.active, "process.running.wait.waiting")
      assert.deepStrictEqual(entered.taken, ["process.running.wait.clear process.waiting 0"])
      const registered = (yield* at(0)).body
      assert.deepStrictEqual([registered.event, registered.taken], [null, []])
      assert.strictEqual((yield* at(4)).status, 400)
      const { body } = yield* ask<EventsView>("/api/events?id=p&limit=2")
      assert.deepStrictEqual(
        [body.last_sequence, body.events.map(({ event_type }) => event_type)],
        [3, ["process.waiting", "note"]]
      )
    }).pipe(Effect.provide(inspected()))
  )
})

describe("machines", () => {
  it.live("each is shown with its definition and a chart of all its states", () =>
    Effect.gen(function* () {
      const lines = (yield* ask<ReadonlyArray<MachineLine>>("/api/machines")).body
      assert.includeMembers(
        lines.map(({ id }) => id),
        ["process", "run", "sweep", "supervisor", "owner", "host"]
      )
      const machine = (yield* ask<MachineView>("/api/machine?id=process")).body
      assert.strictEqual(machine.description, lines.find(({ id }) => id === "process")?.description)
      const states = machine.chart.nodes.map(({ id }) => id)
      assert.includeMembers(states, ["process", "process.running.execution.started.active", "process.abandoned"])
      const edge = machine.chart.edges.find(({ id }) => id === "process.running.wait.clear process.waiting 0")
      assert.strictEqual(edge?.target, "process.running.wait.waiting")
      assert.isAtLeast(edge?.points.length ?? 0, 2)
      assert.include(machine.events, "process.started")
    }).pipe(Effect.provide(inspected()))
  )

  it.live("a machine is stepped by hand: states, commands, and an event that nothing handles", () =>
    Effect.gen(function* () {
      const step = (body: unknown) => post<StepView>("/api/simulate", { machine: "process", ...(body as object) })
      const begun = (yield* step({ input: { createdAtMs: 1, wakeTarget: null } })).body
      assert.include(begun.active, "process.running.execution.unstarted")
      const sample = (yield* ask<MachineView>("/api/machine?id=process")).body.samples["process.started"]
      const started = (yield* step({ snapshot: begun.snapshot, event: sample })).body
      assert.include(started.active, "process.running.execution.started.active")
      assert.deepStrictEqual(started.commands, [])
      const asked = (yield* step({
        snapshot: started.snapshot,
        event: { type: "process.cancel_requested", atMs: 2, reason: null }
      })).body
      assert.deepStrictEqual(asked.commands, [{ type: "interruptBody", params: { cause: "cancel" } }])
      assert.deepStrictEqual(started.taken, ["process.running.execution.unstarted process.started 0"])
      const ignored = (yield* step({ snapshot: started.snapshot, event: { type: "nothing.happened" } })).body
      assert.deepStrictEqual([ignored.changed, ignored.commands], [false, []])
      const odd = yield* step({ snapshot: { value: "nowhere", context: {} } })
      assert.strictEqual(odd.status, 400)
      assert.strictEqual((yield* post("/api/simulate", { machine: "none" })).status, 400)
    }).pipe(Effect.provide(inspected()))
  )
})

describe("actions", () => {
  it.live("a signal is sent once, however often its form is", () =>
    Effect.gen(function* () {
      yield* register("p")
      yield* waitForApproval("p")
      const signal = { process_id: "p", name: "approve", payload: { by: "ana", level: "once" }, signal_id: "1" }
      assert.strictEqual((yield* post("/api/actions/signal", signal)).status, 200)
      assert.strictEqual((yield* post("/api/actions/signal", signal)).status, 200)
      const { body } = yield* ask<EventsView>("/api/events?id=p")
      assert.deepStrictEqual(
        body.events.map(({ event_type }) => event_type),
        ["process.waiting", "signal.approve", "process.resumed"]
      )
      const unfit = yield* post("/api/actions/signal", { ...signal, payload: { by: 1 }, signal_id: "2" })
      assert.strictEqual(unfit.status, 409)
    }).pipe(Effect.provide(inspected()))
  )

  it.live("a process that has ended refuses a signal and a cancel; a signal sent before its end is a replay", () =>
    Effect.gen(function* () {
      yield* register("p")
      yield* waitForApproval("p")
      const signal = { process_id: "p", name: "approve", payload: { by: "ana", level: "once" }, signal_id: "1" }
      const sent = yield* post("/api/actions/signal", signal)
      const registry = yield* ProcessRegistry
      yield* registry.completeProcess(processId("p"), outputs.Success, { _tag: "ExternalOwner" })
      const { events } = (yield* ask<EventsView>("/api/events?id=p")).body
      const again = yield* post("/api/actions/signal", signal)
      assert.deepStrictEqual([again.status, again.body], [200, sent.body])
      for (const late of [
        post("/api/actions/signal", { ...signal, signal_id: "2" }),
        post("/api/actions/cancel", { process_id: "p", reason: null })
      ]) {
        const { status, body } = yield* late
        assert.strictEqual(status, 409)
        assert.nestedPropertyVal(body, "error.tag", "ProcessAlreadyTerminal")
      }
      assert.deepStrictEqual((yield* ask<EventsView>("/api/events?id=p")).body.events, events)
    }).pipe(Effect.provide(inspected()))
  )

  it.live("cancel and abandon leave their request in the record", () =>
    Effect.gen(function* () {
      yield* register("p")
      yield* post("/api/actions/cancel", { process_id: "p", reason: "no longer needed" })
      yield* post("/api/actions/abandon", { process_id: "p", reason: "lost" })
      const { record } = (yield* ask<ProcessView>("/api/process?id=p")).body
      assert.nestedPropertyVal(record, "cancel_request.reason", "no longer needed")
      assert.nestedPropertyVal(record, "abandon_request.requested_by", "inspector")
    }).pipe(Effect.provide(inspected()))
  )

  it.scopedLive("they are refused where they are off, and on a file, before the body is read", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const filename = join(folder, "a.db")
      yield* Effect.scoped(Effect.provide(register("p"), fileStore(filename)))
      const onFile = Layer.provide(Inspector.layerFile({ filename, token: "secret" }), quiet)
      const refused = Effect.gen(function* () {
        const { status, body } = yield* post("/api/actions/cancel", {})
        return [status, body] as const
      })
      assert.deepStrictEqual(yield* Effect.provide(refused, onFile), [
        403,
        {
          error: {
            tag: "ReadOnly",
            message: "this inspector reads a file and changes nothing: use the inspector of a running host"
          }
        }
      ])
      assert.deepStrictEqual(yield* Effect.provide(refused, inspected({ actions: false })), [
        403,
        { error: { tag: "ReadOnly", message: "the actions of this inspector are switched off" } }
      ])
      const shown = yield* Effect.provide(ask<HostView>("/api/host"), onFile)
      assert.deepStrictEqual([shown.body.mode, shown.body.actions, shown.body.name], ["file", false, "a.db"])
    })
  )

  it.live("a body that is no JSON is refused", () =>
    Effect.gen(function* () {
      const form = yield* ask("/api/actions/cancel", { method: "POST", body: "process_id=p" })
      assert.strictEqual(form.status, 415)
    }).pipe(Effect.provide(inspected()))
  )
})

const Patient = Engine.make("patient", {
  version: "1",
  payload: Schema.Null,
  success: Schema.Null,
  disposition: "rerunnable",
  run: () => Effect.never
})

describe("a running host", () => {
  it.live("shows who holds what it runs, and a process asked to stop from the page stops", () =>
    Effect.gen(function* () {
      const handle = yield* (yield* Processes).start(Patient, { id: "p", payload: null, label: "waits for ever" })
      const { body } = yield* ask<ProcessView>("/api/process?id=p")
      assert.include(body.active, "process.running.execution.started.active")
      assert.strictEqual(body.fencing_token, 1)
      const owner = body.lease?.owner as { readonly owner_id: string }
      assert.strictEqual(owner.owner_id, body.row.owner_id)
      const held = (yield* ask<ListView>(`/api/processes?owner=${encodeURIComponent(owner.owner_id)}`)).body
      assert.deepStrictEqual(ids(held), ["p"])
      assert.strictEqual((yield* post("/api/actions/cancel", { process_id: "p", reason: "enough" })).status, 200)
      const ended = yield* bounded(Effect.flip(handle.await))
      assert.strictEqual(ended._tag, "ProcessCancelled")
      const { event, active, taken } = (yield* ask<MomentView>("/api/state?id=p&sequence=3")).body
      assert.strictEqual(event?.event_type, "process.cancelled")
      assert.deepStrictEqual(active, ["process", "process.cancelled"])
      assert.deepStrictEqual(taken, ["process.running process.cancelled 0"])
    }).pipe(
      Effect.provide(Layer.provide(Layer.provideMerge(Inspector.layer({ token: "secret" }), memory([Patient])), quiet))
    )
  )

  it.scopedLive("the file of one that is gone is shown as it was left, and stays as it is", () =>
    Effect.gen(function* () {
      const filename = join(yield* temporaryFolder, "a.db")
      yield* Effect.scoped(
        Effect.provide(
          Effect.zipRight(register("p"), Effect.zipRight(waitForApproval("p"), note("p", "last"))),
          fileStore(filename)
        )
      )
      const looked = Effect.gen(function* () {
        const { row } = (yield* ask<ProcessView>("/api/process?id=p")).body
        return [row.state, row.sequence, row.waits]
      })
      const onFile = Layer.provide(Inspector.layerFile({ filename, token: "secret" }), quiet)
      assert.deepStrictEqual(yield* Effect.provide(looked, onFile), ["running", 2, ["approve"]])
      assert.deepStrictEqual(yield* Effect.provide(looked, onFile), ["running", 2, ["approve"]])
    })
  )
})

describe("parts of a host", () => {
  it.live("one that is absent says so; one that is there is shown, and its failure is an answer", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual((yield* ask("/api/tree")).body, { available: false })
    }).pipe(Effect.provide(inspected()), (absent) =>
      Effect.zipRight(
        absent,
        Effect.gen(function* () {
          assert.deepStrictEqual((yield* ask("/api/tree")).body, { available: true, value: { id: "host" } })
          assert.deepStrictEqual((yield* ask("/api/explain?id=p")).body, {
            available: true,
            value: { text: "p waits" }
          })
          const failed = yield* ask("/api/sweeps")
          assert.deepStrictEqual(
            [failed.status, failed.body],
            [503, { error: { tag: "StoreError", message: "it is busy" } }]
          )
        }).pipe(
          Effect.provide(inspected()),
          Effect.provideService(InspectorSource, {
            tree: Effect.succeed({ id: "host" }),
            sweeps: Effect.fail({ _tag: "StoreError", message: "it is busy" }),
            explain: (id) => Effect.succeed({ text: `${id} waits` })
          })
        )
      )
    )
  )
})
