import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import ts from "typescript"
import { root, start } from "../support/children.ts"
import { bounded } from "../support/hosts.ts"
import * as Postgres from "../support/postgres.ts"

describe.skipIf(!Postgres.hasPostgres)("the program of the README", () => {
  it.live("runs on PostgreSQL with another layer: the second run prints the recorded result", () =>
    Effect.gen(function* () {
      const { url, schema } = yield* Postgres.freshSchema
      const code = readFileSync(`${root}docs/examples/08-deploy.ts`, "utf8")
        .replace(
          /SingleHost\.layerSqlite\(\{ filename: "[^"]+"/,
          `ManyHosts.layerPostgres({ url: "${url}", schema: "${schema}"`
        )
        .replace("SingleHost }", "SingleHost as _Single }")
        .replace(/^/, `import { ManyHosts } from "../../src/postgres.js"\n`)
        .replaceAll("../../src/index.ts", "../../src/index.js")
      const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 }
      const built = join(root, "dist/test/postgres/readmeProgram.js")
      yield* Effect.acquireRelease(
        Effect.sync(() => writeFileSync(built, ts.transpileModule(code, { compilerOptions: options }).outputText)),
        () => Effect.sync(() => rmSync(built))
      )
      for (const run of ["first", "second"]) {
        const child = start("test/postgres/readmeProgram.js", [])
        const end = yield* Effect.promise(() => child.ended())
        assert.deepStrictEqual(end, { code: 0, signal: null }, child.errors.join("\n"))
        assert.deepStrictEqual(child.lines, ["https://api.example/api:42"], `the ${run} run`)
      }
    }).pipe(Effect.scoped, bounded)
  )
})
