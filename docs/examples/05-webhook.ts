/**
 * Work of an outside system: this program registers it, the outside system does it and completes it by a webhook. No host runs
 * it, and no sweep gives it up because it takes long.
 *
 * usage: node dist/docs/examples/05-webhook.js [database file]
 */
import { once } from "node:events"
import type { RequestListener } from "node:http"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { json } from "node:stream/consumers"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { AwaitOutput, Engine, Ids, Processes, SingleHost } from "../../src/index.ts"
import { Provenance, Registration } from "../../src/model.ts"
import { ProcessRegistry } from "../../src/operations.ts"

const Rendered = Schema.Struct({ url: Schema.String })

/** The types of the outside work, for a handle on it. No host lists it among its engines. */
const Render = Engine.make("render", {
  version: "1",
  payload: Schema.Unknown,
  success: Rendered,
  disposition: "owner_bound",
  run: () => Effect.dieMessage("rendering is done outside")
})

/** Serves `POST /hooks/{process id}`: 200 if the end is recorded, also if it is sent again; 409 if it contradicts the record. */
const webhooks = Effect.gen(function* () {
  const registry = yield* ProcessRegistry.ProcessRegistry
  const runtime = yield* Effect.runtime()

  const complete = (id: string, body: unknown) =>
    Schema.decodeUnknown(Rendered)(body).pipe(
      Effect.flatMap((rendered) =>
        registry.completeProcess(Ids.processId(id), AwaitOutput.success(rendered), { _tag: "ExternalOwner" })
      ),
      Effect.as(200),
      Effect.catchTags({
        ParseError: () => Effect.succeed(400),
        ProcessUnknown: () => Effect.succeed(404),
        EventRejected: () => Effect.succeed(409),
        ProcessAlreadyTerminal: () => Effect.succeed(409),
        StoreError: () => Effect.succeed(503) // the sender tries again
      }),
      Effect.catchAll(() => Effect.succeed(400))
    )
  const listener: RequestListener = (request, response) => {
    const id = decodeURIComponent((request.url ?? "").replace("/hooks/", ""))
    const answer = Effect.flatMap(
      Effect.promise(() => json(request).catch(() => undefined)),
      (body) => complete(id, body)
    )
    void Runtime.runPromise(runtime)(answer).then((status) => response.writeHead(status).end())
  }
  const server = yield* Effect.acquireRelease(
    Effect.promise(async () => {
      const opened = createServer(listener).listen(0, "127.0.0.1")
      await once(opened, "listening")
      return opened
    }),
    (opened) =>
      Effect.async<void>((resume) => {
        opened.close(() => resume(Effect.void))
        opened.closeAllConnections()
      })
  )
  const { port } = server.address() as AddressInfo // it listens on a port
  return `http://127.0.0.1:${port}/hooks`
})

/** Simulates the outside system, which calls the webhook. */
const callBack = (address: string, url: string) =>
  Effect.promise(() => fetch(address, { method: "POST", body: JSON.stringify({ url }) }).then(({ status }) => status))

const program = Effect.gen(function* () {
  const id = "render-1"
  const hooks = yield* webhooks
  const registry = yield* ProcessRegistry.ProcessRegistry
  const processes = yield* Processes

  const input = { _tag: "External", metadata: { label: "poster", hook: "/hooks/render-1" } } as const
  yield* registry.registerProcess(Registration.make(Ids.processId(id), input, "externally_owned", Provenance.host))

  yield* Console.log(`recorded: ${yield* callBack(`${hooks}/${id}`, "https://cdn.example/poster.png")}`)
  yield* Console.log(`sent again: ${yield* callBack(`${hooks}/${id}`, "https://cdn.example/poster.png")}`)
  yield* Console.log(`another end: ${yield* callBack(`${hooks}/${id}`, "https://cdn.example/other.png")}`)

  const { url } = yield* processes.handle(Render, id).await
  yield* Console.log(url)
})

const filename = process.argv[2] ?? ".holdfast/webhook.db"

await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(SingleHost.layerSqlite({ filename, engines: [] }))))
