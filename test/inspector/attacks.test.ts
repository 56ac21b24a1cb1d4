/**
 * The inspector as a stranger meets it: clients without the token, that reset, lie and probe. None of them ends or slows the host.
 */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { connect } from "node:net"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Inspector from "../../src/inspector/Inspector.ts"
import { InspectorSource } from "../../src/inspector/InspectorSource.ts"
import { postsOf, readsOf } from "../../src/inspector/server.ts"
import * as Waits from "../../src/operations/Waits.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import type { Child } from "../support/children.ts"
import { start } from "../support/children.ts"
import { bounded, memory, quiet, temporaryFolder } from "../support/hosts.ts"
import { patienceMs } from "../support/patience.ts"
import { isWhole } from "../support/samples.ts"
import { open } from "./browser.ts"
import { fileStore, inspected, memoryStore, register, tokenIn, waitForApproval } from "./fixtures.ts"
import { inBrowser } from "./inBrowser.ts"
import * as Markup from "./markup.ts"

/** An inspector in an OS process of its own, which an attack may end. */
const served = Effect.gen(function* () {
  const db = join(yield* temporaryFolder, "a.db")
  yield* Effect.scoped(Effect.provide(register("p"), fileStore(db)))
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => start("src/cli/main.js", ["inspect", "--db", db])),
    (one) => Effect.sync(() => one.process.kill("SIGKILL"))
  )
  const line = yield* Effect.promise(() => child.saw(/http:/))
  const address = /http:[^\s;]+/.exec(line)?.[0] ?? assert.fail(line)
  return { child, address, port: Number(new URL(address).port) }
})

/** Fails when the program has ended, or does not answer those who have the token. */
const lives = async (child: Child, address: string): Promise<void> => {
  const answer = await fetch(new URL("/api/counts", address), {
    headers: { authorization: `Bearer ${tokenIn(address)}` },
    signal: AbortSignal.timeout(patienceMs)
  })
  assert.strictEqual(answer.status, 200)
  assert.strictEqual(child.process.exitCode, null, child.errors.join("\n"))
}

/** Sends text and resets the connection, at once or after a moment. */
const reset = (port: number, text: string, afterMs: number): Promise<void> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.write(text)
      const end = () => socket.resetAndDestroy()
      if (afterMs === 0) end()
      else setTimeout(end, afterMs)
    })
    socket.on("error", () => {})
    socket.on("close", () => resolve())
  })

const upgrade = (path: string, token: string): string =>
  [
    `GET ${path} HTTP/1.1`,
    "Host: 127.0.0.1",
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ...(token === "" ? [] : [`Authorization: Bearer ${token}`]),
    "",
    ""
  ].join("\r\n")

describe("a client that resets its connection", () => {
  it.scopedLive("ends no host, with or without the token, at any moment of an upgrade or a request", () =>
    Effect.gen(function* () {
      const { child, address, port } = yield* served
      const token = tokenIn(address)
      const texts = [
        upgrade("/", ""),
        upgrade("/api/changes", ""),
        upgrade("/api/changes", token),
        upgrade("/", "").slice(0, 60),
        upgrade("/api/changes", token).replace("Upgrade: websocket", "Upgrade: h2c"),
        `GET /api/changes HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer ${token}\r\n\r\n`,
        `CONNECT 127.0.0.1:${port} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`,
        `POST /api/actions/cancel HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Length: 100000\r\n\r\n{`,
        "\u0000\u0001garbage\r\n\r\n"
      ]
      for (let round = 0; round < 12; round++) {
        for (const text of texts) {
          yield* Effect.promise(() =>
            Promise.all([0, 0, 1, 2, 5, 10].map((afterMs) => reset(port, text, afterMs + (round % 3))))
          )
        }
        yield* Effect.promise(() => lives(child, address))
      }
    })
  )

  it.scopedLive("is refused when it asks for a WebSocket, with or without the token, whatever it asks of", () =>
    Effect.gen(function* () {
      const { address, port } = yield* served
      for (const token of ["", tokenIn(address)]) {
        for (const path of ["/", "/api/changes", "/api/processes", "/nowhere", "//%"]) {
          const answer = yield* bounded(
            Effect.async<string>((resume) => {
              const socket = connect(port, "127.0.0.1", () =>
                socket.write(upgrade(path, token).replace("Host: 127.0.0.1", `Host: 127.0.0.1:${port}`))
              )
              socket.once("data", (data) => {
                socket.destroy()
                resume(Effect.succeed(String(data)))
              })
            })
          )
          assert.match(answer, /^HTTP\/1\.1 400 [\s\S]*there is no WebSocket here/, path)
        }
      }
    })
  )
})

inBrowser("a page of another origin", (browser) => {
  it.scopedLive.skipIf(!isWhole)("ends no host by opening and closing sockets, and reads nothing", () =>
    Effect.gen(function* () {
      const { child, address, port } = yield* served
      const stranger = yield* Effect.acquireRelease(
        Effect.async<ReturnType<typeof createServer>>((resume) => {
          const server = createServer((_, response) => response.end("<!doctype html><title>elsewhere</title>"))
          server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
        }),
        (server) =>
          Effect.sync(() => {
            server.closeAllConnections()
            server.close()
          })
      )
      const { port: elsewhere } = stranger.address() as AddressInfo // it listens at a port
      const page = yield* Effect.promise(() => open(browser(), `http://localhost:${elsewhere}/`))
      const tries = 1_600
      const made = yield* Effect.promise(() =>
        page.evaluate(
          async ([target, count]) => {
            for (let at = 0; at < count; at += 8) {
              await Promise.all(
                Array.from({ length: 8 }, async (_, index) => {
                  const socket = new WebSocket(`ws://127.0.0.1:${target}/`)
                  await new Promise((resolve) => setTimeout(resolve, index * 2))
                  socket.close()
                })
              )
            }
            const read = await fetch(`http://127.0.0.1:${target}/api/counts`).then(
              (response) => response.status,
              () => "refused"
            )
            return read
          },
          [port, tries] as const
        )
      )
      assert.strictEqual(made, "refused")
      yield* Effect.promise(() => lives(child, address))
    })
  )
})

/** Asks by hand: `fetch` would tidy the path. */
const statusOf = (port: number, requestLine: string): Effect.Effect<string> =>
  bounded(
    Effect.async<string>((resume) => {
      const socket = connect(port, "127.0.0.1", () =>
        socket.write(`${requestLine} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`)
      )
      socket.once("data", (data) => {
        socket.destroy()
        resume(Effect.succeed(String(data).slice(9, 12)))
      })
    })
  )

describe("a request that cannot be read", () => {
  it.scopedLive("is the client's fault, before any token is asked, and is not logged as the host's", () =>
    Effect.gen(function* () {
      const said: Array<string> = []
      const hear = Logger.replace(
        Logger.defaultLogger,
        Logger.make(({ logLevel, message }) => said.push(`${logLevel.label} ${String(message)}`))
      )
      yield* Effect.gen(function* () {
        const { port } = yield* Inspector.Inspector
        for (const path of ["//[", "//%", "//[::", "http://[/api/host"]) {
          assert.strictEqual(yield* statusOf(port, `GET ${path}`), "400", path)
        }
      }).pipe(
        Effect.provide(Layer.provide(Layer.provideMerge(Inspector.layer({ token: "secret" }), memoryStore), hear))
      )
      assert.deepStrictEqual(
        said.filter((line) => !line.startsWith("INFO")),
        []
      )
    }).pipe(Logger.withMinimumLogLevel(LogLevel.Debug))
  )

  it.live("in its body gets one sentence that names the field", () =>
    Effect.gen(function* () {
      const { port } = yield* Inspector.Inspector
      const post = (body: string) =>
        Effect.promise(async () => {
          const answer = await fetch(`http://127.0.0.1:${port}/api/actions/cancel`, {
            method: "POST",
            headers: { authorization: "Bearer secret", "content-type": "application/json" },
            body
          })
          return [
            answer.status,
            ((await answer.json()) as { readonly error: { readonly message: string } }).error.message
          ]
        })
      assert.deepStrictEqual(yield* post("{"), [400, "body is not JSON"])
      assert.deepStrictEqual(yield* post('{"process_id":"p"}'), [400, "body/reason is missing"])
      assert.deepStrictEqual(yield* post('{"process_id":7,"reason":null}'), [
        400,
        'body/process_id must be string & Brand<"ProcessId">, is 7'
      ])
      const deep = `{"process_id":"p","reason":${"[".repeat(200_000)}${"]".repeat(200_000)}}`
      assert.strictEqual((yield* post(deep))[0], 400)
    }).pipe(Effect.provide(inspected()))
  )
})

/** What each path that may be posted to takes. */
const bodies: Readonly<Record<string, unknown>> = {
  "/api/simulate": { machine: "owner" },
  "/api/try": { machine: "none", value: "a", history: {}, event: "e" },
  "/api/actions/signal": { process_id: "p", name: "approve", payload: { by: "ana", level: "once" }, signal_id: "1" },
  "/api/actions/cancel": { process_id: "p", reason: null },
  "/api/actions/abandon": { process_id: "p", reason: "lost" },
  "/api/actions/bulk": { action: "cancel", process_ids: ["q"], reason: null, dry_run: false },
  "/api/actions/redrive": { wake_id: "w" }
}

const reads = Object.keys(readsOf({} as never)) // none of them is called

describe("a request without the token", () => {
  it.live("moves no lever and reads nothing, whichever of them there is and whatever else it shows", () =>
    Effect.gen(function* () {
      const { port } = yield* Inspector.Inspector
      const store = yield* ProcessStore
      for (const id of ["p", "q"]) yield* register(id)
      yield* waitForApproval("p")
      const ask = (path: string, init: RequestInit) =>
        Effect.promise(async () => {
          const answer = await fetch(`http://127.0.0.1:${port}${path}`, init)
          return [answer.status, await answer.text()] as const
        })
      assert.sameMembers(Object.keys(bodies), Object.keys(postsOf({} as never)), "every lever is tried here") // as above
      const before = yield* store.feed.after(0, 100)
      const shows: ReadonlyArray<Readonly<Record<string, string>>> = [
        {},
        { authorization: "" },
        { authorization: "Bearer " },
        { authorization: "Bearer Secret" },
        { authorization: "Bearer secret2" },
        { authorization: "bearer secret" },
        { authorization: "secret" },
        { authorization: `Basic ${Buffer.from("secret:secret").toString("base64")}` },
        { cookie: `holdfast_inspector_${port}=secret; token=secret` },
        { "x-authorization": "Bearer secret", "proxy-authorization": "Bearer secret" }
      ]
      const posts = Object.entries(bodies).map(([path, body]) => ({ path, method: "POST", body: JSON.stringify(body) }))
      const gets = [...reads, "/api/changes"].map((path) => ({ path: `${path}?id=p`, method: "GET" }))
      for (const { path, ...init } of [...posts, ...gets]) {
        for (const extra of shows) {
          const headers = { "content-type": "application/json", ...extra }
          const asked = extra === shows[0] ? `${path}${path.includes("?") ? "&" : "?"}token=secret` : path
          const [status, text] = yield* ask(asked, { ...init, headers })
          assert.strictEqual(status, 401, `${path} ${JSON.stringify(extra)}`)
          assert.notInclude(text, "secret")
        }
      }
      assert.deepStrictEqual(yield* store.feed.after(0, 100), before)
      // With the token each of them is moved by what they were tried with.
      for (const { path, ...init } of posts) {
        const headers = { "content-type": "application/json", authorization: "Bearer secret" }
        const [status, text] = yield* ask(path, { ...init, headers })
        // The one has no definition to step a copy of.
        assert.strictEqual(status, path === "/api/try" ? 400 : 200, `${path}: ${text}`)
      }
      assert.notDeepEqual(yield* store.feed.after(0, 100), before)
    }).pipe(
      Effect.provide(inspected()),
      Effect.provideService(InspectorSource, { redrive: (wakeId) => Effect.succeed({ wake_id: wakeId }) })
    )
  )
})

describe("the token", () => {
  it.scopedLive("is in no line that is logged", () =>
    Effect.gen(function* () {
      const said: Array<string> = []
      const hear = Logger.replace(
        Logger.defaultLogger,
        Logger.make(({ message }) => said.push(String(message)))
      )
      const announced: Array<string> = []
      const announce = (line: string) => Effect.sync(() => void announced.push(line))
      const inspector = Inspector.layer({ token: "very secret", announce })
      const { port, address } = yield* Effect.provide(
        Inspector.Inspector,
        Layer.provide(Layer.provideMerge(inspector, memoryStore), hear)
      )
      assert.deepStrictEqual(said, [`inspector of holdfast: http://127.0.0.1:${port}/ (its token is not logged)`])
      assert.deepStrictEqual(announced, [`inspector of holdfast: ${address}`])
      assert.strictEqual(tokenIn(address), "very secret")
      assert.strictEqual(new URL(address).search, "", "what a browser sends to servers and keeps in histories")
    })
  )
})

/** Goes to a place of the page that is open; resolves once that is drawn, or what it waits for is named. Runs in the page. */
const goTo = (hash: string): Promise<void> =>
  new Promise((resolve) => {
    if (location.hash === hash) return resolve()
    addEventListener("hashchange", () => requestAnimationFrame(() => requestAnimationFrame(() => resolve())), {
      once: true
    })
    location.hash = hash
  })

inBrowser("what is stored, on the page", (browser) => {
  it.scopedLive.skipIf(!isWhole)(
    "runs no script and makes no element, in any field and any view, also without the policy of the page",
    () =>
      bounded(
        Effect.gen(function* () {
          const { addressOf, port } = yield* Inspector.Inspector
          yield* Markup.furnish
          const page = yield* Effect.promise(() => open(browser(), addressOf("overview"), { bypassCSP: true }))
          const asked: Array<string> = []
          page.on("request", (request) => asked.push(request.url()))
          page.on("dialog", (dialog) => void dialog.dismiss())
          // The policy is off: what was written into the page would run.
          const isRun = yield* Effect.promise(() =>
            page.evaluate(() => {
              const script = document.createElement("script")
              script.textContent = "globalThis.isRun = true"
              document.head.append(script)
              script.remove()
              return "isRun" in globalThis
            })
          )
          assert.isTrue(isRun)
          const texts = new Set<string>()
          const injected = new Set<string>()
          const look = async (path?: string): Promise<void> => {
            if (path !== undefined) await page.evaluate(goTo, path)
            await page.waitForFunction(
              () => document.querySelector(".state.loading") === null && document.body.textContent.includes("<img")
            )
            await page.evaluate(() => {
              for (const one of document.querySelectorAll("details")) one.open = true
            })
            const found = await page.evaluate(() => ({
              text: [
                document.body.textContent,
                ...[...document.querySelectorAll("[title],[aria-label],[placeholder],input,textarea,option")].flatMap(
                  (one) => [
                    one.getAttribute("title"),
                    one.getAttribute("aria-label"),
                    one.getAttribute("placeholder"),
                    "value" in one ? String(one.value) : ""
                  ]
                )
              ].join(" "),
              injected: [...document.querySelectorAll("img, iframe, script:not([src]), [onerror]")].map(
                (one) => one.outerHTML
              ),
              ran: "ran" in globalThis
            }))
            for (const [, field = ""] of found.text.matchAll(/\[([a-z-]+)\]["\\]/g)) texts.add(field)
            for (const element of found.injected) injected.add(element)
            assert.isFalse(found.ran)
          }
          yield* Effect.promise(async () => {
            for (const view of ["overview", "processes", "machines", "tree", "sweeps", "wakes"]) await look(`#/${view}`)
            for (const [name, id] of Object.entries(Markup.ids)) {
              const place = `#/processes/${encodeURIComponent(id)}`
              await look(place)
              await page.locator("nav.tabs").waitFor()
              if (name === "waiting") {
                await look(`${place}@1`)
                await page.evaluate(goTo, place)
                await page.locator(".past").waitFor({ state: "hidden" })
                for (const lever of ["Signal…", "Cancel…", "Abandon…"]) {
                  await page.getByRole("button", { name: lever }).click()
                  await page.getByRole("dialog").waitFor()
                  await look()
                  await page.keyboard.press("Escape")
                }
              }
              if (name !== "waiting" && name !== "drawn") continue
              const tabs = await page
                .locator("nav.tabs a")
                .evaluateAll((links) => links.map((link) => link.getAttribute("href")))
              for (const tab of tabs) await look(tab ?? "")
            }
          })
          assert.deepStrictEqual([...injected], [])
          assert.deepStrictEqual(
            asked.filter((url) => !url.startsWith(`http://127.0.0.1:${port}/`) || url.endsWith("/x")),
            []
          )
          // What a person must see is there as text; the rest is shown where it is asked for.
          assert.includeMembers([...texts], [...Markup.seen])
        }).pipe(Effect.provide(markedUp), Effect.provideService(InspectorSource, Markup.parts))
      )
  )

  it.scopedLive(
    "is shown as it is stored also where it runs from right to left, in the list and wherever it is asked about",
    () =>
      Effect.gen(function* () {
        const { addressOf } = yield* Inspector.Inspector
        yield* register("rtl-\u202egnp.exe")
        const page = yield* Effect.promise(() => open(browser(), addressOf("processes", "rtl-\u202egnp.exe")))
        yield* Effect.promise(() => page.locator(".title h2").waitFor())
        yield* Effect.promise(() => page.locator(".line-id").waitFor())
        const { text, title } = yield* Effect.promise(() =>
          page.evaluate(() => ({
            text: `${document.body.textContent} ${[...document.querySelectorAll("[title]")].map((one) => one.getAttribute("title")).join(" ")}`,
            title: document.title
          }))
        )
        assert.include(text, "rtl-\\u202egnp.exe")
        assert.notMatch(text + title, /[\u202a-\u202e\u2066-\u2069]/)
      }).pipe(Effect.provide(inspected()))
  )
})

/** An inspector, named by markup, of a host that runs what {@link Markup.furnish} starts. */
const markedUp = Layer.provide(
  Layer.provideMerge(
    Inspector.layerHost({ token: "secret", name: Markup.markup("host") }),
    Layer.provideMerge(Waits.layer, memory(Markup.engines as never))
  ),
  quiet
)
