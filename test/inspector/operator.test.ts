/**
 * What an operator does on the page: finds what failed, sees what hangs, and answers for a host that has stopped.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type { Page } from "playwright-core"
import { Processes } from "../../src/host/Processes.ts"
import * as Inspector from "../../src/inspector/Inspector.ts"
import { processId } from "../../src/model/ids.ts"
import { keptOf, underWayKey } from "../../src/model/JournalEntry.ts"
import * as BodyWrites from "../../src/operations/BodyWrites.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import * as Signal from "../../src/runtime/engine/Signal.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import { holdfast } from "../cli/running.ts"
import { begin, dead, layerOn, register } from "../explain/cases.ts"
import { bounded, quiet, sqlite, temporaryFolder, until } from "../support/hosts.ts"
import { open, picture } from "./browser.ts"
import { fileStore } from "./fixtures.ts"
import { inBrowser } from "./inBrowser.ts"

const Approve = Signal.make("approve", { payload: Schema.Struct({ by: Schema.NonEmptyString }) })

const declared = { version: "1", payload: Schema.Null, success: Schema.Unknown, disposition: "rerunnable" } as const

const Import = Engine.make("import", {
  ...declared,
  run: (_, ctx) =>
    ctx.step(
      "parse",
      Effect.sync(() => {
        throw new RangeError("row 17 has 4 columns")
      })
    )
})

const Charge = Engine.make("charge", {
  ...declared,
  run: (_, ctx) =>
    Effect.zipRight(
      ctx.step("reserve", Effect.void),
      ctx.step("pay", Effect.fail("HTTP 503"), { error: Schema.String, retry: Schedule.spaced("50 millis") })
    )
})

const Release = Engine.make("release", {
  ...declared,
  signals: [Approve],
  run: (_, ctx) => Effect.zipRight(ctx.step("build", Effect.void), ctx.awaitSignal(Approve))
})

inBrowser("an operator on the page", (browser) => {
  const pageAt = (view: "overview" | "processes", id?: string) =>
    Effect.flatMap(Inspector.Inspector, ({ addressOf }) =>
      Effect.acquireRelease(
        Effect.promise(() => open(browser(), addressOf(view, id))),
        (page) => Effect.promise(() => page.context().close())
      )
    )

  /** The texts of what is there once the first of it is. */
  const text = async (page: Page, selector: string) => {
    const found = page.locator(selector)
    await found.first().waitFor({ state: "attached" })
    return found.evaluateAll((each) => each.map((one) => one.textContent?.replace(/\s+/g, " ").trim()))
  }

  it.scopedLive("finds a failed run and the line that threw, sees which step hangs and why, and goes back", () =>
    bounded(
      Effect.gen(function* () {
        const filename = `${yield* temporaryFolder}/a.db`
        yield* Effect.gen(function* () {
          const processes = yield* Processes
          for (const id of ["import-1", "import-2"]) yield* processes.start(Import, { id, payload: null })
          yield* processes.start(Charge, { id: "charge-1", payload: null })
          const page = yield* pageAt("overview")
          yield* Effect.promise(async () => {
            await page.getByRole("link", { name: "2 × import" }).click()
            await page.locator('.line[data-process="import-2"]').waitFor()
            assert.sameMembers(await text(page, ".line-kind"), ["import", "import"])
            assert.include(page.url(), "kind=import")
            await page.locator('.line[data-process="import-2"]').click()
            await page.locator("[aria-label=Failure] .threw", { hasText: "operator.test.ts" }).waitFor()
            assert.deepStrictEqual(await text(page, "[aria-label=Failure] .failure > .problem"), [
              "RangeError: row 17 has 4 columns"
            ])
            assert.deepStrictEqual(await text(page, ".span-name"), ["parse#1"])
            await page.goBack()
            await page.locator('.line[data-process="import-1"]').waitFor()
            await page.goBack()
            await page.locator(".figures").first().waitFor()

            await page.goto(page.url().replace(/#.*/, "#/processes/charge-1"))
            const lane = page.locator(".lane", { hasText: "HTTP 503" })
            await lane.filter({ hasText: "so far" }).filter({ hasText: /pay/ }).waitFor()
            await page.locator(".why-sentence", { hasText: "pay" }).waitFor()
            await picture(page, "hanging-step")
            await page.goto(page.url().replace(/#.*/, "#/processes?state=running"))
            await page.locator('.line[data-process="charge-1"]', { hasText: /step pay.*HTTP 503/ }).waitFor()
            await picture(page, "hanging-step-in-list")
          })
        }).pipe(
          Effect.provide(
            Layer.provideMerge(
              Layer.provide(Inspector.layerHost({ token: "secret" }), quiet),
              sqlite(filename, [Import, Charge])
            )
          )
        )
      })
    )
  )

  it.scopedLive("reads what the process of a stopped host waits for, answers it, and the next host completes it", () =>
    bounded(
      Effect.gen(function* () {
        const filename = `${yield* temporaryFolder}/b.db`
        yield* Effect.gen(function* () {
          yield* (yield* Processes).start(Release, { id: "release-7", payload: null, label: "Release 7" })
          const store = yield* ProcessStore
          yield* until(
            Effect.map(
              store.find(processId("release-7")),
              (found) => found._tag === "Present" && found.row.snapshot.context.waits.length > 0
            )
          )
        }).pipe(Effect.provide(sqlite(filename, [Release])))
        const explained = yield* Effect.promise(() => holdfast(["explain", "release-7", "--db", filename]))
        assert.match(explained.out, /^release-7: It has waited for the signal .?approve/)
        assert.match(explained.out, /holdfast signal release-7 approve/)
        yield* Effect.gen(function* () {
          const page = yield* pageAt("overview")
          yield* Effect.promise(async () => {
            const asked = page.getByRole("region", { name: "release waits for approve" })
            await asked.getByText("Release 7").waitFor()
            await asked.getByRole("button", { name: "Answer approve of release-7" }).click()
            const dialog = page.getByRole("dialog")
            await dialog.getByLabel("by").fill("ana")
            await dialog.getByRole("button", { name: "Send signal" }).click()
            await dialog.waitFor({ state: "detached" })
            await asked.waitFor({ state: "detached" })
          })
          const events = yield* (yield* ProcessRegistry).recentEvents(processId("release-7"), 2)
          assert.deepStrictEqual(
            events.map(({ eventType }) => eventType),
            ["signal.approve", "process.resumed"]
          )
          assert.deepStrictEqual(events[0]?.payload, { by: "ana" })
        }).pipe(
          Effect.provide(
            Layer.provide(Layer.provideMerge(Inspector.layer({ token: "secret" }), fileStore(filename)), quiet)
          )
        )
        yield* Effect.gen(function* () {
          const ended = yield* (yield* Processes).handle(Release, "release-7").await
          assert.deepStrictEqual(ended, { by: "ana" })
        }).pipe(Effect.provide(sqlite(filename, [Release])))
      })
    )
  )

  it.scopedLive(
    "reads of a dead host's file that the host is gone, in which step it was, and nowhere that it works",
    () =>
      bounded(
        Effect.gen(function* () {
          const filename = `${yield* temporaryFolder}/c.db`
          const sinceMs = Date.now() - 60_000
          const step = { key: "pay#1", name: "pay", operation: "step", sinceMs, tries: 7, error: "HTTP 503" } as const
          yield* Effect.gen(function* () {
            yield* register("rerunnable")
            const lease = yield* begin(dead, 600_000)
            const writes = yield* BodyWrites.BodyWrites
            yield* writes.keepProgress(lease, underWayKey, keptOf(lease.fencingToken, [step]))
          }).pipe(Effect.provide(Layer.provideMerge(BodyWrites.layer, layerOn(SqliteStore.layer({ filename })))))
          yield* Effect.gen(function* () {
            const page = yield* pageAt("processes")
            yield* Effect.promise(async () => {
              await page.locator(".mark", { hasText: "its host is gone, was in step pay, try 7: HTTP 503" }).waitFor()
              assert.strictEqual(await page.locator(".dot.active").count(), 0)
              await picture(page, "dead-host-in-list")
              await page.locator('.line[data-process="p"]').click()
              await page.locator(".lane", { hasText: "try 7 · HTTP 503 · its host is gone" }).waitFor()
              assert.strictEqual(await page.locator(".span.step.lasting").count(), 0)
              // By the clock of that host the step began before its process.
              const isOnAxis = await page.locator(".lane .bar.step").evaluate((bar) => {
                const track = bar.parentElement?.getBoundingClientRect()
                return track !== undefined && bar.getBoundingClientRect().left >= track.left - 1
              })
              assert.isTrue(isOnAxis)
              await page.locator(".why-sentence", { hasText: "is proven dead; the body is not running" }).waitFor()
              await page.locator(".facts", { hasText: "its host is gone" }).waitFor()
              await picture(page, "dead-host")
              await page.goto(page.url().replace(/#.*/, "#/overview"))
              await page.locator(".holders", { hasText: "gone" }).waitFor()
              await page.locator(".figure", { hasText: /^0 at work$/ }).waitFor()
              await page.locator(".figure", { hasText: /^1 backlog of 1 kind$/ }).waitFor()
              // A number opens what it counts.
              await page.getByRole("link", { name: "at work" }).click()
              await page.locator(".foot", { hasText: /^0 processes/ }).waitFor()
              await page.goBack()
              await page.getByRole("link", { name: "backlog of 1 kind" }).click()
              await page.locator('.line[data-process="p"]').waitFor()
            })
          }).pipe(Effect.provide(Layer.provide(Inspector.layerFile({ filename, token: "secret" }), quiet)))
        })
      )
  )
})
