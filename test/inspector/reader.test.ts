/**
 * What a reader of the page keeps while processes move: selection, focus, scroll, what is open, and the address.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Inspector from "../../src/inspector/Inspector.ts"
import { InspectorSource } from "../../src/inspector/InspectorSource.ts"
import { processId } from "../../src/model/ids.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import { bounded } from "../support/hosts.ts"
import { open } from "./browser.ts"
import { inspected, note, register, waitForApproval } from "./fixtures.ts"
import { inBrowser } from "./inBrowser.ts"

inBrowser("a reader of the page", (browser) => {
  const pageAt = (view: "processes", id?: string, query = "") =>
    Effect.flatMap(Inspector.Inspector, ({ addressOf }) =>
      Effect.acquireRelease(
        Effect.promise(() => open(browser(), addressOf(view, id).replace("?", `?${query}`))),
        (page) => Effect.promise(() => page.context().close())
      )
    )

  it.scopedLive("keeps selection, focus, scroll and what is open, whatever the process does", () =>
    bounded(
      Effect.gen(function* () {
        yield* register("p")
        yield* Effect.forEach(Array.from({ length: 60 }), (_, index) => note("p", `old ${index}`), { discard: true })
        const page = yield* pageAt("processes", "p")
        const kept = () =>
          page.evaluate(() => ({
            selected: getSelection()?.toString(),
            focused: document.activeElement?.textContent,
            top: document.querySelector(".events")?.scrollTop,
            scrolled: document.querySelector(".detail")?.scrollTop
          }))
        yield* Effect.promise(async () => {
          await page.locator('.event[data-sequence="60"]').waitFor()
          await page.evaluate(() => {
            const owner = document.querySelector(".facts .terms dd")
            if (owner !== null) getSelection()?.selectAllChildren(owner)
            document.querySelector<HTMLElement>('.event[data-sequence="3"]')?.focus()
            document.querySelector(".events")?.scrollTo(0, 40)
            document.querySelector(".detail")?.scrollTo(0, 30)
          })
        })
        const before = yield* Effect.promise(kept)
        assert.notStrictEqual(before.selected, "")
        assert.include(before.focused ?? "", "#3")
        for (const text of ["one", "two"]) {
          yield* note("p", text)
          yield* Effect.promise(() => page.locator(".event-payload", { hasText: text }).first().waitFor())
        }
        assert.deepStrictEqual(yield* Effect.promise(kept), before)
      }).pipe(Effect.provide(inspected()))
    )
  )

  it.scopedLive("finds filters and choices in the address, goes back over them, and sees what is new counted", () =>
    bounded(
      Effect.gen(function* () {
        for (let index = 0; index < 40; index++) yield* register(`job-${String(index).padStart(2, "0")}`)
        const registry = yield* ProcessRegistry
        const failed = { _tag: "Failure", class: "execution", code: "Broken", message: "no such host" } as const
        for (const id of ["job-03", "job-04"]) {
          yield* registry.completeProcess(processId(id), failed, { _tag: "ExternalOwner" })
        }
        const page = yield* pageAt("processes")
        const ids = () =>
          page.locator(".line").evaluateAll((lines) => lines.map((line) => line.getAttribute("data-process")))
        yield* Effect.promise(async () => {
          await page.locator('.line[data-process="job-04"]').waitFor()
          await page.locator('.chip[data-state="failed"]').click()
          await page.waitForFunction(() => document.querySelectorAll(".line").length === 2)
          await page.reload()
          await page.locator('.chip[data-state="failed"][aria-pressed="true"]').waitFor()
          await page.locator('.line[data-process="job-04"]').waitFor()
          assert.deepStrictEqual(await ids(), ["job-04", "job-03"])
          await page.locator('.line[data-process="job-03"]').click()
          await page.locator("[aria-label=Failure]").waitFor()
          await page.locator(".list").focus()
          await page.keyboard.press("ArrowUp")
          await page.locator('.title:has-text("job-04")').waitFor()
          await page.goBack()
          await page.locator('.list.is-wide .line[data-process="job-04"]').waitFor()
          await page.goBack()
          await page.locator('.chip[data-state=""][aria-pressed="true"]').waitFor()

          await page.getByRole("button", { name: "process", exact: true }).click()
          await page.waitForFunction(() => location.hash.includes("sort=id"))
          await page.getByRole("button", { name: "process ↓" }).click()
          await page.waitForFunction(() => document.querySelector(".line")?.getAttribute("data-process") === "job-00")
          await page.locator(".list").hover()
        })
        yield* register("a-new-one")
        yield* Effect.promise(async () => {
          await page.getByRole("button", { name: "1 new above" }).click()
          await page.locator('.line[data-process="a-new-one"]').waitFor()

          await page.getByRole("button", { name: "Act on all 41…" }).click()
          const dialog = page.getByRole("dialog")
          assert.isTrue(await dialog.getByRole("button", { name: "Do it" }).isDisabled())
          await dialog.getByRole("button", { name: "Dry run" }).click()
          await dialog.getByText("It would be done to 39 of 41; 2 refuse it.").waitFor()
          await dialog.getByRole("button", { name: "Do nothing" }).click()
          await dialog.waitFor({ state: "detached" })
        })
        const record = yield* registry.getProcess(processId("job-01"))
        assert.isUndefined(record?.cancelRequest)
      }).pipe(Effect.provide(inspected()))
    )
  )

  it.scopedLive("reads one clock, that of the reader, also where an explanation names a time", () =>
    bounded(
      Effect.gen(function* () {
        yield* register("p")
        yield* waitForApproval("p")
        const { addressOf } = yield* Inspector.Inspector
        const page = yield* Effect.acquireRelease(
          Effect.promise(() => open(browser(), addressOf("processes", "p"), { timezoneId: "America/New_York" })),
          (opened) => Effect.promise(() => opened.context().close())
        )
        yield* Effect.promise(async () => {
          await page.locator(".why-sentence", { hasText: "since 1969-12-31 19:00:01.000 (" }).waitFor()
          await page.locator(".facts", { hasText: "1969-12-31 19:00:01.000" }).waitFor()
        })
      }).pipe(
        Effect.provide(
          Layer.provide(
            inspected(),
            Layer.succeed(InspectorSource, {
              explain: () => Effect.succeed({ text: "It has waited since 1970-01-01 00:00:01.000Z (long ago)." })
            })
          )
        )
      )
    )
  )

  it.scopedLive("is not held up by a value of 4 MB, neither before nor after it is loaded", () =>
    bounded(
      Effect.gen(function* () {
        yield* register("p")
        const value = { text: "x".repeat(4_000_000) }
        yield* (yield* ProcessRegistry).completeProcess(
          processId("p"),
          { _tag: "Success", value },
          { _tag: "ExternalOwner" }
        )
        const page = yield* pageAt("processes", "p")
        yield* Effect.promise(async () => {
          await page.getByRole("button", { name: "load 4.0 MB" }).first().waitFor()
          assert.isBelow(await page.evaluate(() => document.querySelectorAll("*").length), 600)
          await page.getByRole("button", { name: "load 4.0 MB" }).first().click()
          await page.getByText("4,000,000 characters").first().waitFor()
          assert.isBelow(await page.evaluate(() => document.body.textContent?.length ?? 0), 20_000)
        })
      }).pipe(Effect.provide(inspected()))
    )
  )
})
