import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Scope from "effect/Scope"
import * as Inspector from "../../src/inspector/Inspector.ts"
import type { InspectorParts } from "../../src/inspector/InspectorSource.ts"
import { InspectorSource } from "../../src/inspector/InspectorSource.ts"
import { processId } from "../../src/model/ids.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import { remove } from "../support/folders.ts"
import { quiet } from "../support/hosts.ts"
import { isLong, isWhole } from "../support/samples.ts"
import { faults, open, picture } from "./browser.ts"
import { fileStore, memoryStore, note, register, waitForApproval } from "./fixtures.ts"
import { inBrowser } from "./inBrowser.ts"

const now = 1_700_000_000_000

const parts: InspectorParts = {
  tree: Effect.succeed({
    name: "host",
    kind: "supervisor",
    state: "running",
    children: [
      { name: "lease renewer", kind: "worker", state: "running", restarts: 0 },
      {
        name: "recovery sweep",
        kind: "worker",
        state: "running",
        restarts: 1,
        children: [{ name: "deploy-42", kind: "process", state: "running", attempt: 2 }]
      }
    ]
  }),
  sweeps: Effect.succeed([
    {
      at_ms: now,
      duration_ms: 4,
      admitted: ["deploy-42"],
      ended: [{ id: "report-7", as: "abandoned" }],
      deferred: [{ id: "deploy-43", reason: { why: "no_engine" } }]
    },
    { at_ms: now - 1_000, duration_ms: 1, admitted: [], ended: [], deferred: [] }
  ]),
  wakes: Effect.succeed({
    counts: { pending: 1, enqueued: 12, discarded: 1 },
    rows: [
      {
        wake_id: "w1",
        process_id: "deploy-42",
        sequence: 3,
        target_session_id: "s1",
        state: "pending",
        attempts: 1,
        next_attempt_at_ms: now,
        input: "look at this"
      },
      {
        wake_id: "w2",
        process_id: "report-7",
        sequence: 9,
        target_session_id: "s2",
        state: "discarded",
        discard_reason: "expired",
        attempts: 7,
        next_attempt_at_ms: null,
        input: "too late"
      }
    ],
    blocked: []
  }),
  explain: (id) =>
    Effect.succeed({ text: `${id} waits for the signal approve; a sender moves it on.\nWhat would move it` }),
  redrive: (wakeId) => Effect.succeed({ wake_id: wakeId })
}

/** A host with processes, and an inspector of it that can be stopped and started again on its port. */
const makeHost = async () => {
  const runtime = ManagedRuntime.make(memoryStore)
  const services = await runtime.runtime()
  const start = async (port: number) => {
    const scope = await Effect.runPromise(Scope.make())
    const inspector = Layer.provide(
      Layer.provide(Inspector.layer({ token: "secret", name: "test host", port }), quiet),
      Layer.succeedContext(services.context)
    )
    const context = await Effect.runPromise(
      Layer.buildWithScope(inspector, scope).pipe(Effect.provideService(InspectorSource, parts))
    )
    const { address, addressOf, port: bound } = await Effect.runPromise(Effect.provide(Inspector.Inspector, context))
    return { address, addressOf, port: bound, stop: () => Effect.runPromise(Scope.close(scope, Exit.void)) }
  }
  return { run: runtime.runPromise, start, end: () => runtime.dispose() }
}

const furnish = Effect.gen(function* () {
  const registry = yield* ProcessRegistry
  for (let index = 0; index < 60; index++) yield* register(`batch/${String(index).padStart(3, "0")}`)
  yield* register("deploy-42", { identity: { kind: "deploy", label: "Deploy the api" } })
  yield* register("deploy-42/build", {
    identity: { kind: "build" },
    parent: { processId: processId("deploy-42"), closePolicy: "cancel" }
  })
  yield* note("deploy-42", "planned")
  yield* waitForApproval("deploy-42")
  const end = (id: string, output: Parameters<typeof registry.completeProcess>[1]) =>
    registry.completeProcess(processId(id), output, { _tag: "ExternalOwner" })
  yield* end("batch/000", { _tag: "Success", value: { url: "https://api.example" } })
  yield* end("batch/001", { _tag: "Failure", class: "execution", code: "Broken", message: "the build broke" })
  const cause = { name: "ENOENT", message: "no such file", stack: "    at open (disk.ts:3:1)" }
  const thrown = { name: "RangeError", message: "out of range", stack: "    at build (build.ts:7:2)", cause }
  yield* end("batch/003", {
    _tag: "Failure",
    class: "internal",
    code: "Broken",
    message: "RangeError: out of range",
    thrown
  })
  yield* end("batch/002", { _tag: "Cancelled", message: "no longer needed" })
})

inBrowser("the page in a browser", (browser) => {
  let host: Awaited<ReturnType<typeof makeHost>>
  let inspector: Awaited<ReturnType<typeof host.start>>

  beforeAll(async () => {
    host = await makeHost()
    await host.run(furnish)
    inspector = await host.start(0)
  })

  afterAll(async () => {
    await inspector?.stop()
    await host?.end()
  })

  it("a process is found, read, signalled, seen to move, and looked at in its past", async () => {
    const page = await open(browser(), inspector.address)
    assert.notInclude(page.url(), "secret")
    await page.locator('.chip[data-state=""] b', { hasText: "62" }).waitFor()
    await page.locator(".line").first().waitFor()
    const lines = await page.locator(".line").count()
    assert.isBelow(lines, 40, "only the lines in view exist")

    await page.keyboard.press("/")
    await page.waitForFunction(() => document.activeElement?.tagName === "INPUT")
    await page.keyboard.type("deploy the")
    await page.locator('.line[data-process="deploy-42"]').waitFor()
    await page.waitForFunction(() => document.querySelectorAll(".line").length === 1)
    await page.keyboard.press("Enter")
    await page.locator(".strip .lit", { hasText: "waiting" }).waitFor()
    await page.locator(".facts", { hasText: "process:deploy-42:signal.approve:1" }).waitFor()
    await page.locator(".why", { hasText: "a sender moves it on" }).waitFor()
    await page.locator(".children a", { hasText: "deploy-42/build" }).waitFor()

    await page.getByRole("button", { name: "Signal…" }).click()
    const dialog = page.getByRole("dialog")
    await dialog.getByLabel("by").fill("ana")
    await dialog.getByLabel("level").selectOption("always")
    await dialog.getByLabel("urgent").check()
    await picture(page, "signal-dialog")
    await dialog.getByRole("button", { name: "Send signal" }).click()
    await dialog.waitFor({ state: "detached" })
    await page.locator(".strip .lit", { hasText: "waiting" }).waitFor({ state: "detached" })
    const sent = await host.run(
      Effect.flatMap(ProcessRegistry, (registry) => registry.recentEvents(processId("deploy-42"), 2))
    )
    assert.deepStrictEqual(sent[0]?.payload, { by: "ana", level: "always", urgent: true })

    await page.getByRole("link", { name: "Lifecycle" }).click()
    await page.locator('[data-id="process.running.wait.clear"].active').waitFor()
    await page.locator('[data-transition="process.running.wait.waiting process.resumed 0"].taken').first().waitFor()
    await page.goBack()
    await page.locator('.event[data-sequence="2"]').click()
    await page.locator(".strip .lit", { hasText: "waiting" }).waitFor()
    await page.locator(".past", { hasText: "As it was after event 2 of 4" }).waitFor()
    assert.include(page.url(), "deploy-42@2")
    await page.keyboard.press("[")
    await page.locator(".past", { hasText: "event 1 of 4" }).waitFor()
    await page.keyboard.press("Escape")
    await page.locator(".past").waitFor({ state: "hidden" })
    await page.locator(".strip .lit", { hasText: "waiting" }).waitFor({ state: "detached" })
    await page.context().close()
  })

  it("an ended process takes no action: every button is disabled and says why", async () => {
    const page = await open(browser(), inspector.addressOf("processes", "batch/040"))
    const names = ["Signal…", "Cancel…", "Abandon…"]
    const actions = names.map((name) => page.getByRole("button", { name }))
    await page.locator('.title:has-text("batch/040") .pill.running').waitFor()
    // Whether the host takes actions comes by another request than the process.
    for (const name of names) await page.getByRole("button", { name, disabled: false }).waitFor()
    await page.evaluate(() => {
      location.hash = "#/processes/batch%2F000"
    })
    await page.locator('.title:has-text("batch/000") .pill.completed').waitFor()
    for (const action of actions) {
      assert.isTrue(await action.isDisabled())
      assert.strictEqual(await action.getAttribute("title"), "The process has ended")
    }
    await page.context().close()
  })

  it("a failure is shown by name, message and the line that threw; its stack and its causes are folded", async () => {
    const page = await open(browser(), inspector.addressOf("processes", "batch/003"))
    const failure = page.locator("[aria-label=Failure] .failure")
    await failure.waitFor()
    assert.strictEqual(await failure.locator("> .problem").textContent(), "RangeError: out of range")
    assert.strictEqual(await failure.locator("> .threw").textContent(), "at build (build.ts:7:2)")
    await failure.getByText("Caused by ENOENT: no such file").click()
    assert.isTrue(await failure.locator(".threw", { hasText: "disk.ts:3:1" }).isVisible())
    await page.evaluate(() => {
      location.hash = "#/processes/batch%2F001"
    })
    await page.locator('.title:has-text("batch/001") .pill.failed').waitFor()
    assert.strictEqual(await failure.locator("> .problem").textContent(), "Broken: the build broke")
    await page.context().close()
  })

  it("the supervision tree shows each part by its name", async () => {
    const page = await open(browser(), inspector.addressOf("tree"))
    await page.locator(".tree .branch", { hasText: "recovery sweep" }).first().waitFor()
    const names = await page.locator(".tree .branch b").allTextContents()
    assert.deepStrictEqual(names, ["host", "lease renewer", "recovery sweep", "deploy-42"])
    await page.context().close()
  })

  it("after a restart of the inspector on its port the page is up to date again by itself", async () => {
    const page = await open(browser(), inspector.addressOf("processes", "batch/010").replace("?", "?text=batch/010&"))
    await page.locator('#link[data-connection="live"]').waitFor()
    await page.locator(".strip").waitFor()
    await inspector.stop()
    await page.locator('#link[data-connection="lost"]').waitFor()
    await picture(page, "disconnected")
    await host.run(waitForApproval("batch/010"))
    inspector = await host.start(inspector.port)
    await page.locator('#link[data-connection="live"]').waitFor()
    await page.locator(".strip .lit", { hasText: "waiting" }).waitFor()
    await page.locator('.line[data-process="batch/010"] .mark.wait').waitFor()
    await page.context().close()
  })

  it("where event follows event a line stays the element it was, and the log holds the last thousand", async () => {
    const page = await open(browser(), inspector.addressOf("processes", "batch/020"))
    const line = page.locator('.line[data-process="batch/020"]')
    await line.waitFor()
    await page.locator(".log .state", { hasText: "No event yet" }).waitFor()
    const before = await line.elementHandle()
    for (let chunk = 1; chunk <= 8; chunk++) {
      await host.run(Effect.forEach(Array.from({ length: 150 }), () => note("batch/020", "again"), { discard: true }))
      await page.locator(".where", { hasText: `${(chunk * 150).toLocaleString("en")} events` }).waitFor()
      await page.locator(`.event[data-sequence="${chunk * 150}"]`).waitFor()
    }
    assert.strictEqual(await page.locator(".events .event").count(), 1_000)
    assert.strictEqual(await page.locator(".events .event").first().getAttribute("data-sequence"), "201")
    assert.isTrue(await line.evaluate((after, kept) => after === kept, before))
    await page.context().close()
  })

  it("says in one sentence why a process does not move, and the rest when it is asked to", async () => {
    const page = await open(browser(), inspector.addressOf("processes", "batch/030"))
    const why = page.locator(".why")
    await why.locator(".why-sentence", { hasText: "batch/030 waits for the signal approve" }).waitFor()
    assert.isFalse(await why.locator("pre").isVisible())
    await why.locator("summary").click()
    await why.locator("pre", { hasText: "What would move it" }).waitFor()
    await host.run(note("batch/030", "news"))
    await page.locator(".where", { hasText: /^1 event$/ }).waitFor()
    assert.isTrue(await why.locator("pre").isVisible(), "it stays open while it is read")
    await page.context().close()
  })

  it("a machine is stepped by hand: an event from its form, the next state, its commands", async () => {
    const page = await open(browser(), inspector.addressOf("machines", "process"))
    await page.locator('[data-id="process.running.execution.unstarted"].active').waitFor()
    await page.getByLabel("event").first().selectOption("process.started")
    await page.getByRole("button", { name: "Send event" }).click()
    await page.locator('[data-id="process.running.execution.started.active"].active').waitFor()
    await page.getByLabel("event").first().selectOption("process.cancel_requested")
    await page.getByRole("button", { name: "Send event" }).click()
    await page.locator(".commands code", { hasText: "interruptBody" }).waitFor()
    const fills = (whole: boolean) => page.waitForFunction((is) => (document.fullscreenElement !== null) === is, whole)
    await page.getByRole("button", { name: "Full screen" }).click()
    await fills(true)
    await page.locator(".chart-frame").press("f")
    await fills(false)
    await page.context().close()
  })

  it("on a file the page says that it changes nothing, and the theme is kept", async () => {
    const folder = mkdtempSync(join(tmpdir(), "holdfast-page-"))
    const filename = join(folder, "crashed.db")
    const scope = await Effect.runPromise(Scope.make())
    try {
      await Effect.runPromise(Effect.scoped(Effect.provide(register("left-behind"), fileStore(filename))))
      const onFile = Layer.provide(Inspector.layerFile({ filename }), quiet)
      const context = await Effect.runPromise(Layer.buildWithScope(onFile, scope))
      const { addressOf } = await Effect.runPromise(Effect.provide(Inspector.Inspector, context))
      const page = await open(browser(), addressOf("processes", "left-behind"))
      await page.locator(".mode.file", { hasText: "file, read-only" }).waitFor()
      await page.locator(".log .state", { hasText: "No event yet" }).waitFor()
      assert.isTrue(await page.getByRole("button", { name: "Cancel…" }).isDisabled())
      await page.locator('#views a[href="#/tree"]').click()
      await page.locator(".state", { hasText: "not available here" }).waitFor()
      await picture(page, "absent-part")
      await page.locator("#theme").click()
      await page.reload()
      await page.locator('html[data-theme="light"]').waitFor({ state: "attached" })
      await page.context().close()
    } finally {
      await Effect.runPromise(Scope.close(scope, Exit.void))
      await Effect.runPromise(remove(folder))
    }
  })

  it("says on a narrow page when an event came and with what, and names the process whole", async () => {
    const viewport = { width: 390, height: 800 }
    const page = await open(browser(), inspector.addressOf("processes", "deploy-42"), { viewport })
    const line = page.locator('.event[data-sequence="1"]')
    await line.waitFor()
    for (const part of [".event-time", ".event-type", ".event-payload"]) {
      assert.isTrue(await line.locator(part).isVisible(), part)
    }
    const name = page.locator(".lane-name", { hasText: "this process" }).locator("b")
    assert.isTrue(await name.evaluate((element) => element.scrollWidth <= element.clientWidth))
    await picture(page, "narrow-process")
    await page.context().close()
  })

  const views: ReadonlyArray<readonly [name: string, hash: string, ready: string]> = [
    ["overview", "#/overview", ".asked, .figures"],
    ["list", "#/processes", ".line"],
    ["process", "#/processes/deploy-42", ".waterfall .lane"],
    ["lifecycle", "#/processes/deploy-42?tab=lifecycle", '[data-id="process.running"].active'],
    ["difference", "#/processes/deploy-42?tab=difference", ".change"],
    ["record", "#/processes/deploy-42?tab=record", ".value"],
    ["past", "#/processes/deploy-42@2", ".past:not([hidden])"],
    ["failure", "#/processes/batch%2F003", ".threw"],
    ["unknown", "#/processes/nobody", ".state.error"],
    ["tree", "#/tree", ".tree"],
    ["sweeps", "#/sweeps", ".sweep"],
    ["wakes", "#/wakes", "table"],
    ["machine", "#/machines/process", ".commands, .steps li"]
  ]

  // Each theme shows the same elements: a page changes its theme, and is not opened anew. A short run has both in the window of
  // a desk, and one of them in a narrow one.
  const themes = { 390: ["dark"], 1280: ["light", "dark"], 1920: ["light"] } as const
  for (const width of isLong ? ([390, 1280, 1920] as const) : ([390, 1280] as const)) {
    it.skipIf(!isWhole)(
      `every view is free of faults for those who cannot see or point, and no wider than the window: ${width}`,
      async () => {
        const viewport = { width, height: 800 }
        const page = await open(browser(), inspector.address, { viewport, reducedMotion: "reduce" })
        const found: Array<string> = []
        for (const [name, hash, ready] of views) {
          await page.evaluate((to) => {
            location.hash = to
          }, hash)
          await page.locator(ready).first().waitFor()
          const beyond = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
          if (beyond > 0) found.push(`${name} is ${beyond} pixels too wide`)
          for (const colorScheme of isLong ? themes[1280] : themes[width]) {
            await page.emulateMedia({ colorScheme })
            found.push(...(await faults(page)).map((fault) => `${name}, ${colorScheme}: ${fault}`))
          }
        }
        await page.context().close()
        assert.deepStrictEqual(found, [])
      }
    )
  }
})
