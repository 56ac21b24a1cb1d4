/**
 * A process whose body is a machine, on the page: of a live host, and of a file whose host was killed.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Page } from "playwright-core"
import { Processes } from "../../src/host/Processes.ts"
import * as Inspector from "../../src/inspector/Inspector.ts"
import { approvalNoting } from "../chart/charts.ts"
import { start } from "../support/children.ts"
import { bounded, memory, quiet, temporaryFolder } from "../support/hosts.ts"
import { isWhole } from "../support/samples.ts"
import { faults, open, picture } from "./browser.ts"
import { inBrowser } from "./inBrowser.ts"

const Approval = approvalNoting([])

const texts = async (page: Page, selector: string): Promise<ReadonlyArray<string>> =>
  (await page.locator(selector).allTextContents()).map((text) => text.replace(/\s+/g, " ").trim())

const activeIn = (page: Page) =>
  page.locator(".chart .node.active").evaluateAll((nodes) => nodes.map((node) => node.getAttribute("data-id")))

inBrowser("the machine of a process on the page", (browser) => {
  const pageOf = (id: string) =>
    Effect.flatMap(Inspector.Inspector, ({ addressOf }) =>
      Effect.acquireRelease(
        Effect.promise(() => open(browser(), addressOf("processes", id))),
        (page) => Effect.promise(() => page.context().close())
      )
    )

  it.scopedLive(
    "takes an event from a form, goes back by revision, and shows path, context, children and messages",
    () =>
      bounded(
        Effect.gen(function* () {
          const processes = yield* Processes
          yield* (yield* processes.start(Approval, { id: "a", payload: { n: 3 } })).snapshot
          const page = yield* pageOf("a")
          yield* Effect.promise(async () => {
            await page.locator(".chart .node.active.atomic").waitFor()
            assert.deepStrictEqual(await activeIn(page), ["approval", "approval.waiting"])
            await page
              .locator('.chart [data-timer^="xstate.after.3 days"]', { hasText: /^due in (2 d|71 h)$/ })
              .waitFor()
            await page.getByRole("button", { name: "approve…" }).click()
            const dialog = page.getByRole("dialog")
            await dialog.getByLabel("by").fill("ana")
            await picture(page, "machine-event")
            await dialog.getByRole("button", { name: "Send event" }).click()
            await page.locator(".pill.completed").first().waitFor()
            await page.locator('.chart .active[data-id="approval.paid"]').waitFor()
            await page.locator(".transition", { hasText: "charge done" }).waitFor()
            assert.deepStrictEqual(await texts(page, ".transition .trace li"), [
              "leaves paying",
              "takes charge done",
              "enters paid"
            ])
            assert.deepStrictEqual(await texts(page, ".transition .change"), ['receipt"r-3"'])

            await page.getByRole("button", { name: "Previous revision" }).click()
            await page.locator(".transition", { hasText: "approve" }).waitFor()
            assert.deepStrictEqual(await activeIn(page), ["approval", "approval.paying"])
            assert.deepStrictEqual(await texts(page, ".transition .trace li"), [
              "leaves waiting",
              "ends the timer after 3 days",
              "takes approve",
              "enters paying",
              "starts charge"
            ])
            assert.deepStrictEqual(await texts(page, ".transition .effects li"), [
              "ended timer after 3 days",
              "child charge a/charge:1 completed"
            ])
            assert.strictEqual(
              await page.getByLabel("Revision of the machine").getAttribute("aria-valuetext"),
              "1: approve"
            )
            await page.locator(".event", { hasText: "charge done: paying → paid" }).waitFor()

            await page.getByRole("link", { name: "Messages" }).click()
            await page.locator("svg.sequence").waitFor()
            assert.deepStrictEqual(await texts(page, ".sequence .said text"), [
              "start",
              "approve",
              "start",
              "completed"
            ])
            await page.getByText("As Mermaid").click()
            const mermaid = (await page.locator(".messages pre").textContent()) ?? ""
            for (const line of ["  outside->>p0: approve", "  p0->>p1: start", "  p1-->>p0: completed"]) {
              assert.include(mermaid.split("\n"), line)
            }
            await picture(page, "machine-messages")
            assert.deepStrictEqual(await faults(page), [])
          })
        }).pipe(
          Effect.provide(
            Layer.provideMerge(Layer.provide(Inspector.layerHost({ token: "secret" }), quiet), memory([Approval]))
          )
        )
      )
  )

  it.scopedLive.skipIf(!isWhole)("steps a copy, of a file whose host was killed, and sends nothing", () =>
    bounded(
      Effect.gen(function* () {
        const filename = `${yield* temporaryFolder}/expense.db`
        yield* Effect.promise(async () => {
          const host = start("docs/examples/10-statechart.js", [filename])
          await host.saw(/^it waits in/)
          host.process.kill("SIGKILL")
          await host.ended()
        })
        yield* Effect.gen(function* () {
          const page = yield* pageOf("expense-7")
          yield* Effect.promise(async () => {
            await page.locator(".chart .node.active.atomic").waitFor()
            assert.deepStrictEqual(await activeIn(page), ["expense", "expense.waiting", "expense.waiting.lead"])
            assert.isTrue(await page.getByRole("button", { name: "approve…" }).isDisabled())
            const copy = page.locator(".copy")
            await copy.getByRole("button", { name: "approve", exact: true }).click()
            await page.locator('.chart .active[data-id="expense.paying"]').waitFor()
            await page.getByText("A copy, stepped by hand: no process is there.").waitFor()
            await copy.getByRole("button", { name: "pay failed" }).click()
            await page.locator('.chart .active[data-id="expense.rejected"]').waitFor()
            assert.deepStrictEqual(await texts(page, ".copy .steps li"), ["approve → paying", "pay failed → rejected"])
            assert.deepStrictEqual(await faults(page), [])
            await picture(page, "machine-copy")
            await copy.getByRole("button", { name: "Leave the copy" }).click()
            await page.locator('.chart .active[data-id="expense.waiting.lead"]').waitFor()
            assert.deepStrictEqual(await texts(page, ".copy .steps li"), [])
          })
        }).pipe(Effect.provide(Layer.provide(Inspector.layerFile({ filename, token: "secret" }), quiet)))
      })
    )
  )
})
