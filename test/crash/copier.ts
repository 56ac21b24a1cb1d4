/**
 * A host that runs a long step, in Effect and in Promises, as a child process: the first host is killed while its steps run, the
 * next one goes on from what they said last, says so, and ends.
 *
 * usage: node copier.js <database> first|next
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { engine } from "../../src/host/embed/createHost.ts"
import { Engine, Processes, SingleHost } from "../../src/index.ts"

const [, , filename = "", host = ""] = process.argv
const isFirst = host === "first"

const common = {
  version: "1",
  disposition: "rerunnable",
  payload: Schema.Null,
  success: Schema.Unknown
} as const

const said = (line: string): void => {
  process.stdout.write(`${line}\n`)
}

const Effects = Engine.make("effects", {
  ...common,
  run: (_, ctx) =>
    ctx.step("copy", ({ last, report }) =>
      Effect.gen(function* () {
        if (!isFirst) return last ?? "nothing"
        yield* Effect.orDie(report({ done: 3 }))
        said("effects reported")
        return yield* Effect.never
      })
    )
})

const Promises = engine("promises", {
  ...common,
  run: (_, ctx) =>
    ctx.step("copy", async (_signal, { last, report }) => {
      if (!isFirst) return last ?? "nothing"
      await report({ done: 3 })
      said("promises reported")
      return new Promise(() => {})
    })
})

const program = Effect.gen(function* () {
  const processes = yield* Processes
  for (const startable of [Effects, Promises]) {
    const handle = yield* processes.start(startable, { id: startable.kind, payload: null })
    if (!isFirst) said(`${startable.kind} had ${JSON.stringify(yield* handle.await)}`)
  }
  if (isFirst) yield* Effect.never
})

const options = { engines: [Effects, Promises], leaseTtl: "900 millis", sweepInterval: "50 millis" } as const

await Effect.runPromise(Effect.provide(program, SingleHost.layerSqlite({ ...options, filename })))
