import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { assert, it } from "@effect/vitest"
import { patienceMs } from "../support/patience.ts"
import * as Postgres from "../support/postgres.ts"
import { projectRoot } from "../support/projectRoot.ts"

it.skipIf(!Postgres.hasPostgres)("a program that has loaded the server ends with the code that it has set", () => {
  const embedded = pathToFileURL(join(projectRoot, "dist/test/support/embedded.js")).href
  const program = `import { embeddedPostgres } from "${embedded}"; await embeddedPostgres(); process.exitCode = 3`
  const { status, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
    encoding: "utf8",
    timeout: patienceMs
  })
  assert.strictEqual(status, 3, stderr)
})
