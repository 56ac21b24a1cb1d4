import { spawn } from "node:child_process"
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import { inspect, openerOf } from "../../docs/examples/audit/cli/inspecting.ts"
import { open, picture } from "../inspector/browser.ts"
import { tokenIn } from "../inspector/fixtures.ts"
import { inBrowser } from "../inspector/inBrowser.ts"
import { remove } from "../support/folders.ts"
import { bounded, memory, until } from "../support/hosts.ts"
import { isWhole } from "../support/samples.ts"
import { plant } from "./directory.ts"
import { main, run, start } from "./program.ts"

/** Runs a command at a terminal of its own. */
const terminal = "/usr/bin/script"

const folder = mkdtempSync(join(tmpdir(), "holdfast-inspecting-"))
const directory = join(folder, "content")
let folders = 0

const place = (): string => {
  const path = join(folder, `place-${++folders}`)
  mkdirSync(path)
  return path
}

beforeAll(() => {
  mkdirSync(directory)
  plant(directory, { history: false })
})

afterAll(() => Effect.runPromise(remove(folder)))

const addressIn = (out: ReadonlyArray<string>): string | undefined =>
  out.flatMap((line) => /^to watch it: (.*)$/.exec(line)?.[1] ?? [])[0]

/** The program, waiting for an approval that never comes, and where it says that it can be watched. */
const waiting = (cwd: string) =>
  Effect.gen(function* () {
    const program = yield* start([directory, "--wait"], { cwd })
    yield* program.once("it to wait", () => program.out.some((line) => line.startsWith("waiting for the approval")))
    const address = addressIn(program.out) ?? assert.fail(`no address in\n${program.out.join("\n")}`)
    const id = /audit:[0-9a-f]+:1/.exec(program.out[1] ?? "")?.[0] ?? assert.fail("no id")
    return { program, address, id }
  })

describe("the inspector of an audit", () => {
  it.live("is served while the program runs, answers whoever has the token, and ends with the program", () =>
    Effect.gen(function* () {
      const { program, address, id } = yield* waiting(place())
      const { origin, hash } = new URL(address)
      const ask = (token: string) =>
        Effect.promise(() =>
          fetch(`${origin}/api/process?id=${encodeURIComponent(id)}`, {
            headers: { authorization: `Bearer ${token}` }
          })
        )
      assert.strictEqual((yield* bounded(ask(tokenIn(address)))).status, 200)
      assert.strictEqual((yield* bounded(ask("guessed"))).status, 401)
      assert.strictEqual(decodeURIComponent(hash.split("?")[0] ?? ""), `#/processes/${id}`)
      yield* program.kill("SIGINT")
      assert.strictEqual((yield* program.ended).code, 130)
      const after = yield* Effect.promise(() =>
        fetch(origin).then(
          () => "answers",
          () => "gone"
        )
      )
      assert.strictEqual(after, "gone")
    }).pipe(Effect.scoped)
  )

  it.live("is not served with --no-inspect", () =>
    Effect.gen(function* () {
      const ended = yield* run([directory, "--yes", "--no-inspect"], { cwd: place() })
      assert.deepStrictEqual([ended.code, ended.err, addressIn(ended.out)], [0, [], undefined])
    })
  )

  it.live("that finds its port taken is a warning, and nothing else", () =>
    Effect.gen(function* () {
      const other = yield* Effect.acquireRelease(
        Effect.async<ReturnType<typeof createServer>>((resume) => {
          const server = createServer().listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
        }),
        (server) => Effect.sync(() => server.close())
      )
      const said: Array<string> = []
      const hear = Logger.replace(
        Logger.defaultLogger,
        Logger.make(({ message }) => said.push(String(message)))
      )
      const screen = { live: true, print: () => assert.fail("there is no address"), warn: () => {}, draw: () => {} }
      const { port } = other.address() as AddressInfo // it listens at a port
      yield* inspect(
        "audit:1",
        { ...screen, status: () => {}, clear: () => {} },
        { serve: true, open: true, port }
      ).pipe(Logger.withMinimumLogLevel(LogLevel.Warning), Effect.provide(memory([])), Effect.provide(hear))
      assert.match(said.join("\n"), /^the inspector is not served: port \d+ cannot be served/)
    }).pipe(Effect.scoped)
  )
})

inBrowser("the page of an audit", (browser) => {
  it.live.skipIf(!isWhole)(
    "opens at the address that was printed with the audit chosen, and keeps the token out of sight",
    () =>
      Effect.gen(function* () {
        const { address, id } = yield* waiting(place())
        const page = yield* Effect.promise(() => open(browser(), address))
        yield* Effect.promise(() => page.locator(`.line[data-process="${id}"][aria-selected="true"]`).waitFor())
        yield* Effect.promise(() => page.locator(".title h2", { hasText: id }).waitFor())
        yield* Effect.promise(() => page.locator('.chart .active[data-id="audit.waiting"]').waitFor())
        yield* Effect.promise(() => picture(page, "audit"))
        assert.notInclude(page.url(), "token")
        assert.include(decodeURIComponent(page.url()), `#/processes/${id}`)
      }).pipe(Effect.scoped)
  )
})

describe("a browser", () => {
  it("is opened where a person sits at a terminal of a desktop, and nowhere else", () => {
    const desk = { DISPLAY: ":0" }
    const cases = [
      ["linux", desk, true, "xdg-open"],
      ["linux", { WAYLAND_DISPLAY: "wayland-0" }, true, "xdg-open"],
      ["linux", {}, true, undefined],
      ["linux", { DISPLAY: "" }, true, undefined],
      ["linux", desk, false, undefined],
      ["linux", { ...desk, SSH_CONNECTION: "10.0.0.1 1 10.0.0.2 22" }, true, undefined],
      ["linux", { ...desk, CI: "true" }, true, undefined],
      ["darwin", {}, true, "open"],
      ["darwin", {}, false, undefined],
      ["win32", {}, true, "rundll32"]
    ] as const
    for (const [platform, env, isTerminal, command] of cases) {
      assert.strictEqual(openerOf({ platform, env, isTerminal })?.[0], command, JSON.stringify([platform, env]))
    }
  })

  /** Runs the program at a terminal of a desktop whose `xdg-open` notes what it is to open, or fails. */
  const atTerminal = (args: ReadonlyArray<string>, opener: string) =>
    Effect.gen(function* () {
      const cwd = place()
      const bin = place()
      const noted = join(bin, "noted")
      writeFileSync(
        join(bin, "xdg-open"),
        `#!/bin/sh\n${opener}\ncp "$1" ${noted}.part && echo "$1" >> ${noted}.part && mv ${noted}.part ${noted}\n`
      )
      chmodSync(join(bin, "xdg-open"), 0o755)
      const command = [process.execPath, main, directory, "--yes", ...args].join(" ")
      const { CI: _, SSH_CONNECTION: __, ...env } = process.env
      const child = yield* Effect.acquireRelease(
        Effect.sync(() =>
          spawn(terminal, ["-qec", command, "/dev/null"], {
            cwd,
            stdio: ["ignore", "pipe", "inherit"],
            env: { ...env, DISPLAY: ":9", PATH: `${bin}${delimiter}${process.env.PATH ?? ""}` }
          })
        ),
        (one) => Effect.sync(() => one.kill("SIGKILL"))
      )
      let out = ""
      child.stdout.on("data", (data) => {
        out += String(data)
      })
      const code = yield* bounded(
        Effect.async<number | null>((resume) => void child.on("close", (code) => resume(Effect.succeed(code))))
      )
      return { code, noted, address: /to watch it: (\S+)/.exec(out)?.[1] ?? `no address in ${out}` }
    })

  it.live.skipIf(!isWhole || !existsSync(terminal))(
    "is given a page that leads to the address that is printed; not with --no-open, and an opener that fails is no matter",
    () =>
      Effect.gen(function* () {
        const opened = yield* atTerminal([], "")
        assert.strictEqual(opened.code, 0)
        yield* until(Effect.sync(() => existsSync(opened.noted)))
        const [page = "", argument = ""] = readFileSync(opened.noted, "utf8").split("\n")
        assert.strictEqual(/url=([^"]*)"/.exec(page)?.[1], opened.address)
        assert.notInclude(argument, tokenIn(opened.address))
        assert.isFalse(existsSync(argument), "the page with the address is removed")
        const unopened = yield* atTerminal(["--no-open"], "")
        assert.deepStrictEqual([unopened.code, existsSync(unopened.noted)], [0, false])
        assert.match(unopened.address, /^http/)
        const failed = yield* atTerminal([], "exit 3")
        assert.deepStrictEqual([failed.code, existsSync(failed.noted)], [0, false])
      }).pipe(Effect.scoped)
  )
})
