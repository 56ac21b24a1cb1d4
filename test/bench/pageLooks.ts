/**
 * How soon the inspector's page answers over many processes, and for how long a large value holds up its tab.
 *
 * A tab's tasks are those that Chromium's own tracing names: while one runs, the tab takes no key and draws nothing.
 */
import { strict as assert } from "node:assert"
import { dirname, join } from "node:path"
import * as Effect from "effect/Effect"
import type { Browser, Page } from "playwright-core"
import * as Inspector from "../../src/inspector/Inspector.ts"
import { processId } from "../../src/model/ids.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import { open } from "../inspector/browser.ts"
import { fileStore } from "../inspector/fixtures.ts"
import type { FigureSpec, Run } from "./Contest.ts"
import { reading } from "./Contest.ts"
import { inspectedFile, register } from "./inspectedHost.ts"
import { namesOf } from "./multiply.ts"
import { chromium, run } from "./page.ts"
import { stored } from "./scale.ts"
import { quantile } from "./statistics.ts"

/** How many processes the file has, how often the overview is opened again, and for how many texts a person searches. */
const processes = 20_000
const openings = 5
const searches = 12

const nameAt = namesOf("scale")

/** Measures `firstMs` and `laterMs`, from the start of the navigation to the whole overview, and `searchMs`, from a key to its list. */
export const measureLooks = async (folder: string): Promise<Run> => {
  const filename = await stored(dirname(folder), processes)
  const program = Effect.gen(function* () {
    const { addressOf } = yield* Inspector.Inspector
    const browser = yield* chromium
    const opened: Array<number> = []
    for (let turn = 0; turn <= openings; turn++) {
      opened.push(yield* Effect.promise(() => overviewOnce(browser, addressOf("overview"))))
    }
    const [firstMs = Number.NaN, ...later] = opened
    const page = yield* Effect.promise(() => open(browser, addressOf("processes")))
    yield* Effect.promise(() => page.locator(".line").first().waitFor())
    const searched: Array<number> = []
    for (let turn = 1; turn <= searches; turn++) {
      searched.push(yield* Effect.promise(() => searchOnce(page, nameAt(turn * 1_601))))
    }
    return {
      firstMs,
      laterMs: quantile(later, 0.5),
      searchMs: quantile(searched, 0.5),
      slowestSearchMs: Math.max(...searched)
    }
  })
  return run(program, inspectedFile(filename))
}

/** Figures of many processes. */
export const looksFigures: ReadonlyArray<FigureSpec> = [
  {
    name: "overview of 20,000 processes, first look",
    unit: "ms",
    value: reading("firstMs"),
    target: { of: "figure", max: 1_000 }
  },
  { name: "later looks, p50", unit: "ms", value: reading("laterMs"), target: { of: "figure", max: 1_000 } },
  { name: "search, p50", unit: "ms", value: reading("searchMs"), target: { of: "figure", max: 300 } },
  { name: "search, slowest", unit: "ms", value: reading("slowestSearchMs") }
]

/** How large a value is. Units: characters. */
const size = 4_000_000

/** One text, and as many rows as it takes. */
const values = {
  text: { text: "x".repeat(size) },
  rows: Array.from({ length: Math.round(size / 90) }, (_, index) => ({
    index,
    path: `/data/${index}.csv`,
    isRead: true,
    by: ["ana", "ben"]
  }))
} as const

/** Measures the longest task of the tab: `open…Ms`, while a process with the value is opened, and `load…Ms`, while all of it is. */
export const measurePayload = (folder: string): Promise<Run> => {
  const filename = join(folder, "payload.db")
  const fill = Effect.gen(function* () {
    const registry = yield* ProcessRegistry
    for (const [name, value] of Object.entries(values)) {
      yield* register(name)
      yield* registry.completeProcess(processId(name), { _tag: "Success", value }, { _tag: "ExternalOwner" })
    }
  })
  const program = Effect.gen(function* () {
    const { addressOf } = yield* Inspector.Inspector
    const browser = yield* chromium
    const found: Record<string, number> = {}
    for (const name of ["text", "rows"] as const) {
      const page = yield* Effect.promise(() => open(browser, addressOf("processes")))
      yield* Effect.promise(async () => {
        const result = page.locator("section[aria-label=Result]")
        const line = page.locator(`.line[data-process="${name}"]`)
        await line.waitFor()
        found[`${name}OpenMs`] = await longestTask(browser, page, async () => {
          await line.click()
          await result.getByRole("button", { name: /^load \d/ }).waitFor()
        })
        found[`${name}LoadMs`] = await longestTask(browser, page, async () => {
          await result.getByRole("button", { name: /^load \d/ }).click()
          await result
            .getByText(/characters$| more$/)
            .first()
            .waitFor()
        })
        await page.context().close()
      })
    }
    return found
  })
  return Effect.runPromise(Effect.scoped(Effect.provide(fill, fileStore(filename)))).then(() =>
    run(program, inspectedFile(filename))
  )
}

/** Figures of a large value. */
export const payloadFigures: ReadonlyArray<FigureSpec> = (["text", "rows"] as const).flatMap(
  (name): Array<FigureSpec> => [
    {
      name: `longest task, a process with 4 MB of ${name} opened`,
      unit: "ms",
      value: reading(`${name}OpenMs`),
      target: { of: "figure", max: 50 }
    },
    {
      name: `longest task, the 4 MB of ${name} loaded`,
      unit: "ms",
      value: reading(`${name}LoadMs`),
      target: { of: "figure", max: 50 }
    }
  ]
)

/** Opens the overview in a context of its own: nothing is cached. Units: milliseconds. */
const overviewOnce = async (browser: Browser, address: string): Promise<number> => {
  const page = await open(browser, "about:blank")
  try {
    await page.addInitScript(noteWhole)
    await page.goto(address)
    await page.waitForFunction(() => globalThis.wholeMs !== undefined)
    assert.match((await page.locator(".figures").first().textContent()) ?? "", /20,000/)
    return await page.evaluate(() => globalThis.wholeMs ?? Number.NaN)
  } finally {
    await page.context().close()
  }
}

/** Types a text into the search, and waits for the one line that it finds. Units: milliseconds. */
const searchOnce = async (page: Page, id: string): Promise<number> => {
  await page.evaluate(noteFound, id)
  await page.locator("#search").fill(id)
  return page.evaluate(() => globalThis.foundMs)
}

interface TraceEvent {
  readonly name: string
  readonly ph: string
  readonly pid: number
  readonly tid: number
  readonly dur?: number
  readonly args?: { readonly name?: string }
}

/** The longest task of the tab's main thread while something is done. Units: milliseconds. */
const longestTask = async (browser: Browser, page: Page, act: () => Promise<void>): Promise<number> => {
  await browser.startTracing(page, { categories: ["toplevel"] })
  await act()
  // What was shown is drawn with the next frame.
  await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))))
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString()) as {
    readonly traceEvents: ReadonlyArray<TraceEvent>
  } // as Chromium writes it
  const threads = new Set(
    traceEvents.flatMap(({ name, args, pid, tid }) =>
      name === "thread_name" && args?.name === "CrRendererMain" ? [`${pid} ${tid}`] : []
    )
  )
  const tasks = traceEvents.filter(
    ({ name, ph, pid, tid }) => ph === "X" && name.endsWith("RunTask") && threads.has(`${pid} ${tid}`)
  )
  assert(tasks.length > 0, "the trace has no task of the tab")
  return Math.max(...tasks.map(({ dur = 0 }) => dur / 1_000))
}

declare global {
  var wholeMs: number | undefined
  var foundMs: Promise<number>
}

// What follows runs in the page.

const noteWhole = (): void => {
  new MutationObserver((_changes, observer) => {
    if (document.querySelector(".overview .figures") === null || document.querySelector(".overview .past") !== null)
      return
    observer.disconnect()
    // What is in the document now is seen with the next frame.
    requestAnimationFrame(() =>
      requestAnimationFrame((nowMs) => {
        globalThis.wholeMs = nowMs
      })
    )
  }).observe(document, { childList: true, subtree: true })
}

const noteFound = (id: string): void => {
  globalThis.foundMs = new Promise((resolve) => {
    let beganMs = Number.NaN
    document.querySelector("#search")?.addEventListener("input", () => (beganMs = performance.now()), { once: true })
    const observer = new MutationObserver(() => {
      const lines = [...document.querySelectorAll<HTMLElement>(".line")]
      if (lines.length !== 1 || lines[0]?.dataset["process"] !== id) return
      observer.disconnect()
      requestAnimationFrame(() => requestAnimationFrame((nowMs) => resolve(nowMs - beganMs)))
    })
    observer.observe(document.body, { childList: true, subtree: true })
  })
}
