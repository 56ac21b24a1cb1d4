/**
 * Attachments in a folder: the way out for values that are too large, as the guide to values shows it.
 */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FC from "effect/FastCheck"
import * as Schema from "effect/Schema"
import { engine as promiseEngine } from "../../src/host/embed/createHost.ts"
import { Processes } from "../../src/host/Processes.ts"
import { limits } from "../../src/model/json.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import { Attachments } from "../../src/runtime/HostServices.ts"
import { bounded, memory, sqlite, temporaryFolder } from "../support/hosts.ts"

const common = { version: "1", payload: Schema.Number, success: Schema.String, disposition: "rerunnable" } as const

const Report = Engine.make("report", {
  ...common,
  run: (length, ctx) =>
    Effect.gen(function* () {
      const { attachments } = (yield* ctx.surroundings).hostServices
      return yield* ctx.step("write", attachments.put(new TextEncoder().encode("x".repeat(length))))
    })
})

const Promised = promiseEngine("promised", {
  ...common,
  run: async (length, ctx) => {
    const { putAttachment, attachment } = await ctx.surroundings()
    const ref = await ctx.step("write", () => putAttachment(new TextEncoder().encode("x".repeat(length))))
    return `${ref} ${(await attachment(ref))?.length}`
  }
})

const inFolder = Effect.map(temporaryFolder, (parent) => {
  const folder = join(parent, "deep", "attachments")
  const within = <A, E>(effect: Effect.Effect<A, E>) => Effect.provide(effect, Attachments.layerFolder(folder))
  return { folder, parent, within }
})

describe("attachments in a folder", () => {
  it.scopedLive("keep any bytes under the hash of their content, each once, and leave nothing else", () =>
    Effect.gen(function* () {
      const { folder, within } = yield* inFolder
      const all = FC.sample(FC.uint8Array(), 20)
      const service = yield* within(Attachments)
      const refs = yield* Effect.forEach([...all, ...all], service.put, { concurrency: 8 })
      assert.deepStrictEqual(refs.slice(0, all.length), refs.slice(all.length))
      for (const [index, ref] of refs.entries()) {
        assert.deepStrictEqual([...((yield* service.get(ref)) ?? [])], [...(all[index % all.length] ?? [])])
      }
      assert.deepStrictEqual(
        readdirSync(folder).sort(),
        [...new Set(refs)].map((ref) => ref.replace("sha256:", "")).sort()
      )
      // printf abc | sha256sum
      assert.strictEqual(
        yield* service.put(new TextEncoder().encode("abc")),
        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
      )
    })
  )

  it.scopedLive("answer nothing for what is no reference, and fail for a file that was changed", () =>
    Effect.gen(function* () {
      const { folder, parent, within } = yield* inFolder
      const { get, put } = yield* within(Attachments)
      writeFileSync(join(parent, "secret"), "s")
      for (const ref of ["", "../../secret", "sha256:../../secret", `sha256:${"0".repeat(64)}`]) {
        assert.isUndefined(yield* get(ref))
      }
      const ref = yield* put(new Uint8Array([1]))
      writeFileSync(join(folder, ref.replace("sha256:", "")), "changed")
      assert.match((yield* Effect.flip(get(ref))).message, /another content than its name says/)
    })
  )

  it.scopedLive("that cannot be written are a typed failure", () =>
    Effect.gen(function* () {
      const { folder, parent, within } = yield* inFolder
      mkdirSync(join(parent, "deep"))
      writeFileSync(folder, "a file")
      const { put } = yield* within(Attachments)
      assert.match((yield* Effect.flip(put(new Uint8Array([1])))).message, /could not keep an attachment: EEXIST/)
    })
  )

  it.scopedLive("carry a value that is too large for the log, in Effect and in Promises", () =>
    Effect.gen(function* () {
      const { parent, folder } = yield* inFolder
      const host = sqlite(join(parent, "agent.db"), [Report, Promised], {
        hostServices: Attachments.layerFolder(folder)
      })
      yield* Effect.gen(function* () {
        const processes = yield* Processes
        const length = limits.maxLength + 1
        const report = yield* processes.start(Report, { id: "r", payload: length })
        const ref = yield* bounded(report.await)
        assert.match(ref, /^sha256:/)
        const promised = yield* processes.start(Promised, { id: "p", payload: length })
        assert.strictEqual(yield* bounded(promised.await), `${ref} ${length}`)
      }).pipe(Effect.provide(host))
    })
  )

  it.live("are refused by a host that keeps none, which says how to", () =>
    Effect.gen(function* () {
      const handle = yield* (yield* Processes).start(Report, { id: "r", payload: 1 })
      assert.match((yield* Effect.flip(bounded(handle.await))).message, /attachments are not kept.*layerFolder/)
    }).pipe(Effect.provide(memory([Report])))
  )
})
