/**
 * How a person picks processes of the list, finds anything by the palette, and keeps the filters that are needed again.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FC from "effect/FastCheck"
import type { Page } from "playwright-core"
import * as Inspector from "../../src/inspector/Inspector.ts"
import { allOf, nothing, toggled, upTo } from "../../src/inspector/page/finding/picked.ts"
import { processId } from "../../src/model/ids.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import { bounded } from "../support/hosts.ts"
import { faults, open, picture } from "./browser.ts"
import { inspected, note, register } from "./fixtures.ts"
import { inBrowser } from "./inBrowser.ts"

describe("what is picked", () => {
  const list = FC.uniqueArray(FC.string({ minLength: 1 }), { minLength: 2, maxLength: 12 })

  it.prop(
    "a range has both its ends and all between, whichever comes first",
    [list, FC.nat(), FC.nat()],
    ([ids, a, b]) => {
      const [from, to] = [ids[a % ids.length] as string, ids[b % ids.length] as string]
      const expected = ids.slice(
        Math.min(ids.indexOf(from), ids.indexOf(to)),
        Math.max(ids.indexOf(from), ids.indexOf(to)) + 1
      )
      assert.sameMembers([...upTo(toggled(nothing, from), ids, to).ids], expected)
      // The process from which a range went is no longer in the list.
      assert.sameMembers([...upTo({ ids: new Set(), from: "" }, ids, to).ids], [to])
    }
  )

  it("all of a list are picked, or none of it, and what is not in it stays", () => {
    const other = toggled(nothing, "other")
    const all = allOf(other, ["a", "b"])
    assert.sameMembers([...all.ids], ["other", "a", "b"])
    assert.sameMembers([...allOf(toggled(all, "a"), ["a", "b"]).ids], ["other", "a", "b"])
    assert.sameMembers([...allOf(all, ["a", "b"]).ids], ["other"])
  })
})

inBrowser("a person on the page", (browser) => {
  const pageAt = (view: "processes" | "overview", id?: string) =>
    Effect.flatMap(Inspector.Inspector, ({ addressOf }) =>
      Effect.acquireRelease(
        Effect.promise(() => open(browser(), addressOf(view, id))),
        (page) => Effect.promise(() => page.context().close())
      )
    )

  const picked = (page: Page) =>
    page
      .locator('.line[aria-checked="true"]')
      .evaluateAll((lines) => lines.map((line) => line.getAttribute("data-process")).toSorted())

  it.scopedLive("reads where the process is that a link names, beyond the lines that are loaded, and goes there", () =>
    bounded(
      Effect.gen(function* () {
        for (let index = 0; index < 450; index++) yield* register(`job-${index}`)
        const page = yield* pageAt("processes", "job-20")
        yield* Effect.promise(async () => {
          const pinned = page.locator(".pinned")
          await pinned.filter({ hasText: "is line 430 of 450." }).waitFor()
          assert.deepStrictEqual(await faults(page), [])
          await picture(page, "beyond-the-lines")
          await pinned.getByRole("button", { name: "Go there" }).click()
          await pinned.waitFor({ state: "detached" })
          const line = page.locator('.line[data-process="job-20"][aria-selected="true"]')
          await line.waitFor()
          const isInView = await line.evaluate((element) => {
            const list = element.closest(".list")?.getBoundingClientRect()
            const { top, bottom } = element.getBoundingClientRect()
            return list !== undefined && top >= list.top && bottom <= list.bottom + 1
          })
          assert.isTrue(isInView)
        })
      }).pipe(Effect.provide(inspected()))
    )
  )

  it.scopedLive(
    "picks lines by keys and pointer, keeps them over updates, and acts on those alone after a dry run",
    () =>
      bounded(
        Effect.gen(function* () {
          for (let index = 0; index < 9; index++) yield* register(`job-${index}`)
          const registry = yield* ProcessRegistry
          yield* registry.completeProcess(processId("job-2"), { _tag: "Success", value: 1 }, { _tag: "ExternalOwner" })
          const page = yield* pageAt("processes")
          yield* Effect.promise(async () => {
            await page.getByRole("button", { name: "process", exact: true }).click()
            await page.getByRole("button", { name: "process ↓" }).click()
            await page.waitForFunction(() => document.querySelector(".line")?.getAttribute("data-process") === "job-0")
            await page.locator(".list").focus()
            await page.keyboard.press("ArrowDown")
            await page.keyboard.press("Space")
            await page.keyboard.press("Shift+ArrowDown")
            await page.keyboard.press("Shift+ArrowDown")
            assert.deepStrictEqual(await picked(page), ["job-0", "job-1", "job-2"])
            await page.keyboard.press("ArrowDown")
            await page.keyboard.press("ArrowDown")
            assert.strictEqual(
              await page.evaluate(() =>
                document
                  .getElementById(document.querySelector(".list")?.getAttribute("aria-activedescendant") ?? "")
                  ?.getAttribute("data-process")
              ),
              "job-4"
            )
            await page.keyboard.press("Shift+Space")
            assert.deepStrictEqual(await picked(page), ["job-0", "job-1", "job-2", "job-3", "job-4"])
            await page.locator('.line[data-process="job-3"] .pick').click()
            await page.locator('.line[data-process="job-8"]').click({ modifiers: ["Shift"] })
            assert.include(await picked(page), "job-7")
            for (const id of [3, 5, 6, 7]) await page.locator(`.line[data-process="job-${id}"] .pick`).click()
            assert.deepStrictEqual(await picked(page), ["job-0", "job-1", "job-2", "job-4", "job-8"])
            assert.isFalse(await page.evaluate(() => location.hash.includes("/job-")), "picking shows no process")
            assert.deepStrictEqual(await faults(page), [])
            // Lines do not move under a pointer.
            await page.mouse.move(700, 20)
          })
          yield* register(`a-new-one-${"long-".repeat(40)}`)
          yield* note("job-4", "moved")
          yield* Effect.promise(async () => {
            const long = page.locator('.line[data-process^="a-new-one"]')
            await long.waitFor()
            const kindAt = (await long.locator(".line-kind").boundingBox())?.x ?? 0
            const id = await long.locator(".line-id bdi").boundingBox()
            assert.isAtMost((id?.x ?? 0) + (id?.width ?? 0), kindAt, "a long id is cut before the next column")
            assert.deepStrictEqual(await picked(page), ["job-0", "job-1", "job-2", "job-4", "job-8"])
            assert.isTrue(
              await page
                .getByLabel("Pick the 10 that are loaded")
                .evaluate((box: HTMLInputElement) => box.indeterminate)
            )
            await page.getByRole("button", { name: "Act on 5 picked…" }).click()
            const dialog = page.getByRole("dialog", { name: "Act on 5 picked" })
            await dialog.getByRole("button", { name: "Dry run" }).click()
            await dialog.getByText("It would be done to 4 of 5; 1 refuses it.").waitFor()
            await dialog.getByRole("button", { name: "Do it to 4" }).click()
            await dialog.getByText("Done to 4 of 4.").waitFor()
            await dialog.getByRole("button", { name: "Close" }).click()
            await page.getByLabel("Pick the 10 that are loaded").check()
            await page.getByText("10 picked", { exact: true }).waitFor()
            await page.getByRole("button", { name: "Clear" }).click()
            assert.deepStrictEqual(await picked(page), [])
          })
          const asked = yield* Effect.forEach([0, 1, 2, 3, 4, 5, 6, 7, 8], (index) =>
            Effect.map(registry.getProcess(processId(`job-${index}`)), (record) => record?.cancelRequest !== undefined)
          )
          assert.deepStrictEqual(asked, [true, true, false, false, true, false, false, false, true])
        }).pipe(Effect.provide(inspected()))
      )
  )

  it.scopedLive(
    "goes by the palette to views, queries that were saved and processes, and acts on the one that is shown",
    () =>
      bounded(
        Effect.gen(function* () {
          for (let index = 0; index < 12; index++) yield* register(`later-deploy-${index}`)
          yield* register("deploy-1")
          for (let index = 20; index < 30; index++) yield* register(`later-deploy-${index}`)
          const page = yield* pageAt("processes")
          const field = page.getByRole("combobox", { name: "Go to a process, a view or a query, or act" })
          const active = () =>
            field.evaluate(
              (input) => document.getElementById(input.getAttribute("aria-activedescendant") ?? "")?.textContent
            )
          yield* Effect.promise(async () => {
            await page.locator('.chip[data-state="running"]').click()
            await page.getByRole("button", { name: "Save these filters…" }).click()
            await page.getByRole("dialog").getByRole("button", { name: "Save" }).click()
            await page.getByRole("alert").filter({ hasText: "The query needs a name." }).waitFor()
            await page.getByLabel("name").fill("what runs")
            await page.keyboard.press("Enter")
            await page.getByRole("link", { name: "what runs" }).waitFor()
            await page.locator('.chip[data-state=""]').click()
            assert.deepStrictEqual(await faults(page), [])

            await page.locator("#search").focus()
            await page.keyboard.press("Control+k")
            await field.waitFor()
            assert.deepStrictEqual(await faults(page), [])
            await page.keyboard.type("what r")
            await page.waitForFunction(() => document.querySelectorAll(".choice").length === 1)
            await page.keyboard.press("Enter")
            await page.waitForFunction(() => location.hash === "#/processes?state=running")
            assert.strictEqual(await page.locator("dialog").count(), 0)

            await page.keyboard.press("Meta+k")
            await field.waitFor()
            await page.keyboard.type("deploy")
            await page.locator(".choice", { hasText: "all 23 that have “deploy”" }).waitFor()
            assert.strictEqual(await active(), "process deploy-1")
            await page.keyboard.press("ArrowUp")
            assert.strictEqual(await active(), "list all 23 that have “deploy”")
            await page.keyboard.press("ArrowDown")
            await page.keyboard.press("Enter")
            await page.locator('.title:has-text("deploy-1")').waitFor()

            await page.keyboard.press("Control+k")
            await page.keyboard.type("cancel")
            await page.locator(".choice", { hasText: "request cancel of deploy-1" }).click()
            await page.getByRole("dialog", { name: "Request cancellation" }).waitFor()
            await page.keyboard.press("Escape")

            await page.keyboard.press("Control+k")
            await page.keyboard.type("wakes")
            await page.keyboard.press("Enter")
            await page.waitForFunction(() => location.hash === "#/wakes")
            await page.goto(page.url().replace("#/wakes", "#/processes"))
            await page.reload()
            await page.getByRole("button", { name: "Forget the query what runs" }).click()
            await page.getByRole("link", { name: "what runs" }).waitFor({ state: "detached" })
          })
        }).pipe(Effect.provide(inspected()))
      )
  )
})
