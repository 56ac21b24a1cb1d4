/**
 * How soon the inspector's page shows things: a large file when it is opened, an event of a live host, and one of a busy host.
 *
 * A real Chromium looks at a real server on this machine; both read the same clock.
 */
import { strict as assert } from "node:assert"
import { dirname } from "node:path"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Browser, Page } from "playwright-core"
import * as Inspector from "../../src/inspector/Inspector.ts"
import { launch, open } from "../inspector/browser.ts"
import type { FigureSpec, Run } from "./Contest.ts"
import { reading } from "./Contest.ts"
import { append, inspectedFile, inspectedHost, nameAt, populate, register, thousandASecond } from "./inspectedHost.ts"
import { sizes, stored } from "./scale.ts"
import { quantile } from "./statistics.ts"

/** How often the page is opened, how many events are waited for, and how many of each do not count. */
const openings = 5
const events = 120
const warmUp = 10

/** Measures `paintMs` and `filledMs`: from the start of the navigation to the first paint, and to a list with its counts. */
export const measureOpening = async (folder: string): Promise<Run> => {
  const filename = await stored(dirname(folder), sizes.big)
  const program = Effect.gen(function* () {
    const { address } = yield* Inspector.Inspector
    const browser = yield* chromium
    const opened: Array<Opened> = []
    for (let turn = 0; turn <= openings; turn++) opened.push(yield* Effect.promise(() => openOnce(browser, address)))
    const counted = opened.slice(1)
    return {
      paintMs: quantile(
        counted.map(({ paintMs }) => paintMs),
        0.5
      ),
      filledMs: quantile(
        counted.map(({ filledMs }) => filledMs),
        0.5
      ),
      slowestMs: Math.max(...counted.map(({ filledMs }) => filledMs))
    }
  })
  return run(program, inspectedFile(filename))
}

/** Figures of a large file. */
export const openingFigures: ReadonlyArray<FigureSpec> = [
  { name: "first paint, 100,000 processes, p50", unit: "ms", value: reading("paintMs") },
  { name: "list and counts filled, p50", unit: "ms", value: reading("filledMs"), target: { of: "figure", max: 1_000 } },
  { name: "list and counts filled, slowest", unit: "ms", value: reading("slowestMs") }
]

/** Measures `log…Ms`, an event in the log of the process that is shown, and `list…Ms`, a new process in the list. */
export const measureVisible = (folder: string): Promise<Run> => {
  const program = Effect.gen(function* () {
    yield* register(nameAt(0))
    const page = yield* showing(nameAt(0))
    const logMs: Array<number> = []
    const listMs: Array<number> = []
    for (let turn = 1; turn <= warmUp + events; turn++) {
      yield* pause(turn)
      const log = yield* timed(page, `.event[data-sequence="${turn}"]`, append(nameAt(0)))
      const list = yield* timed(page, lineOf(newest(turn)), register(newest(turn)))
      if (turn <= warmUp) continue
      logMs.push(log)
      listMs.push(list)
    }
    return {
      logP50Ms: quantile(logMs, 0.5),
      logP95Ms: quantile(logMs, 0.95),
      listP50Ms: quantile(listMs, 0.5),
      listP95Ms: quantile(listMs, 0.95)
    }
  })
  return run(program, inspectedHost(folder))
}

/** Figures of a quiet host. */
export const visibleFigures: ReadonlyArray<FigureSpec> = [
  { name: "an event in the log of its process, p50", unit: "ms", value: reading("logP50Ms") },
  {
    name: "an event in the log of its process, p95",
    unit: "ms",
    value: reading("logP95Ms"),
    target: { of: "figure", max: 200 }
  },
  { name: "a new process in the list, p50", unit: "ms", value: reading("listP50Ms") },
  {
    name: "a new process in the list, p95",
    unit: "ms",
    value: reading("listP95Ms"),
    target: { of: "figure", max: 200 }
  }
]

/** Measures `list…Ms` beside 1,000 events a second, a tenth of them of the process that is shown, and the page's frames. */
export const measureBusyPage = (folder: string): Promise<Run> => {
  const program = Effect.gen(function* () {
    yield* populate
    const page = yield* showing(nameAt(0))
    let appended = 0
    const load = yield* Effect.fork(thousandASecond(() => appended++))
    yield* Effect.promise(() => page.evaluate(watchFrames))
    const startedAtMs = performance.now()
    const appendedBefore = appended
    const listMs: Array<number> = []
    for (let turn = 1; turn <= events; turn++) {
      yield* pause(turn)
      listMs.push(yield* timed(page, lineOf(newest(turn)), register(newest(turn))))
    }
    const perSecond = ((appended - appendedBefore) * 1_000) / (performance.now() - startedAtMs)
    const gapsMs = yield* Effect.promise(() => page.evaluate(() => globalThis.gapsMs))
    assert.equal(load.unsafePoll(), null, "the load has ended by itself")
    return {
      perSecond,
      listP50Ms: quantile(listMs, 0.5),
      listP95Ms: quantile(listMs, 0.95),
      frameP99Ms: quantile(gapsMs, 0.99),
      frameMaxMs: Math.max(...gapsMs)
    }
  })
  return run(program, inspectedHost(folder))
}

/** Figures of a busy host. */
export const busyPageFigures: ReadonlyArray<FigureSpec> = [
  { name: "events beside it", unit: "events/s", value: reading("perSecond") },
  { name: "a new process in the list, p50", unit: "ms", value: reading("listP50Ms") },
  {
    name: "a new process in the list, p95",
    unit: "ms",
    value: reading("listP95Ms"),
    target: { of: "figure", max: 200 }
  },
  { name: "between two frames, p99", unit: "ms", value: reading("frameP99Ms") },
  { name: "between two frames, max", unit: "ms", value: reading("frameMaxMs") }
]

/** Runs what is measured beside an inspector. */
export const run = <R, E>(
  program: Effect.Effect<Run, unknown, R | Scope.Scope>,
  layer: Layer.Layer<R, E>
): Promise<Run> => Effect.runPromise(Effect.provide(Effect.scoped(program), layer) as Effect.Effect<Run, unknown>) // the layer has R

/** A browser, which is closed at the end. */
export const chromium = Effect.acquireRelease(Effect.promise(launch), (browser) =>
  Effect.promise(() => browser.close())
)

/** A page that shows a process and follows the host. */
const showing = (id: string) =>
  Effect.gen(function* () {
    const { addressOf, clients } = yield* Inspector.Inspector
    const browser = yield* chromium
    // Sorted by id: in the order of changes a new line is out of view at once on a busy host.
    const address = addressOf("processes", id).replace("?", "?sort=id&order=asc&")
    const page = yield* Effect.promise(() => open(browser, address))
    yield* Effect.promise(() => page.locator(".facts .terms").first().waitFor())
    yield* Effect.promise(() => page.locator(".waterfall .lane").first().waitFor())
    assert.equal(clients(), 1)
    return page
  })

/** At no fixed distance: what page and server do at intervals is met at any place of them. Units: milliseconds. */
const pause = (turn: number) => Effect.sleep(10 + ((turn * 37) % 70))

/** An id that stands before all others, so that its line is in view. */
const newest = (turn: number): string => `a-${String(10_000 - turn).padStart(5, "0")}`

const lineOf = (id: string): string => `.line[data-process="${id}"]`

/** How long it takes from the beginning of a write until an element exists that was not there. Units: milliseconds. */
const timed = <R>(page: Page, selector: string, write: Effect.Effect<unknown, unknown, R>) =>
  Effect.gen(function* () {
    yield* Effect.promise(() => page.evaluate(lookFor, selector))
    const startedAtMs = Date.now()
    yield* write
    const seenAtMs = yield* Effect.promise(() => page.evaluate(() => globalThis.seenAtMs))
    return Math.max(0, seenAtMs - startedAtMs)
  })

interface Opened {
  readonly paintMs: number
  readonly filledMs: number
}

/** Opens the page in a context of its own: nothing is cached. */
const openOnce = async (browser: Browser, address: string): Promise<Opened> => {
  const page = await open(browser, "about:blank")
  try {
    await page.addInitScript(noteFilled)
    await page.goto(address)
    await page.waitForFunction(() => globalThis.filledMs !== undefined)
    return await page.evaluate(() => ({
      paintMs: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? Number.NaN,
      filledMs: globalThis.filledMs ?? Number.NaN
    }))
  } finally {
    await page.context().close()
  }
}

declare global {
  var seenAtMs: Promise<number>
  var gapsMs: Array<number>
  var filledMs: number | undefined
}

// What follows runs in the page.

const lookFor = (selector: string): void => {
  globalThis.seenAtMs = new Promise((resolve) => {
    const observer = new MutationObserver(() => {
      if (document.querySelector(selector) === null) return
      observer.disconnect()
      resolve(Date.now())
    })
    observer.observe(document.body, { childList: true, subtree: true })
  })
}

const watchFrames = (): void => {
  const gaps: Array<number> = []
  globalThis.gapsMs = gaps
  let beforeMs = performance.now()
  const frame = (nowMs: number): void => {
    gaps.push(nowMs - beforeMs)
    beforeMs = nowMs
    requestAnimationFrame(frame)
  }
  requestAnimationFrame(frame)
}

const noteFilled = (): void => {
  new MutationObserver((_changes, observer) => {
    if (document.querySelector(".line") === null || document.querySelector(".chip b") === null) return
    observer.disconnect()
    // What is in the document now is seen with the next frame.
    requestAnimationFrame(() =>
      requestAnimationFrame((nowMs) => {
        globalThis.filledMs = nowMs
      })
    )
  }).observe(document, { childList: true, subtree: true })
}
