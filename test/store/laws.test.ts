import { join } from "node:path"
import { afterAll, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import type { ProcessStore } from "../../src/store/ProcessStore.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import { allLaws, lawEnv, lawsBySubject } from "../../src/testing/Certify.ts"
import { temporaryFolder } from "../support/folders.ts"

const temporaryFile = Layer.unwrapScoped(
  Effect.map(temporaryFolder, (folder) => SqliteStore.layer({ filename: join(folder, "laws.db") }))
)

const backends: Readonly<Record<string, Layer.Layer<ProcessStore, unknown>>> = {
  memory: MemoryStore.layer,
  sqlite: temporaryFile
}

const held: Record<string, number> = {}

const counted = (backend: string) =>
  Effect.sync(() => {
    held[backend] = (held[backend] ?? 0) + 1
  })

afterAll(() => {
  for (const [backend, count] of Object.entries(held)) {
    process.stdout.write(`${count} of ${allLaws.length} laws are kept by the ${backend} store\n`)
  }
})

for (const [backend, store] of Object.entries(backends)) {
  for (const [subject, laws] of Object.entries(lawsBySubject)) {
    layer(lawEnv(store))(`${backend}: ${subject}`, (it) => {
      for (const law of laws)
        it.effect(`${law.name} (${law.section})`, () => Effect.zipRight(law.check, counted(backend)))
    })
  }
}
