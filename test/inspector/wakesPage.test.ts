import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Inspector from "../../src/inspector/Inspector.ts"
import { maxShown } from "../../src/inspector/views/wakes.ts"
import { WakeOutbox } from "../../src/operations/WakeOutbox.ts"
import { quiet, temporaryFolder, until } from "../support/hosts.ts"
import { furnish, usual, wake, wakeHost } from "../support/wakeHost.ts"
import { open, picture } from "./browser.ts"
import { inBrowser } from "./inBrowser.ts"

inBrowser("the outbox on the page", (browser) => {
  /** The page of whatever inspector is in context, at the outbox. */
  const outboxPage = Effect.flatMap(Inspector.Inspector, ({ addressOf }) =>
    Effect.acquireRelease(
      Effect.promise(() => open(browser(), addressOf("wakes"))),
      (page) => Effect.promise(() => page.context().close())
    )
  )

  const row = (process: string) => `[aria-label="Wakes"] tr:has(a:text-is("${process}"))`

  it.scopedLive(
    "shows why a wake was discarded and what unblocks a group; a redrive is confirmed, and then it is delivered",
    () => {
      const back = new Set<string>()
      return Effect.gen(function* () {
        const filename = `${yield* temporaryFolder}/wakes.db`
        const host = wakeHost(filename, (session) => (back.has(session) ? "Delivered" : usual(session)))
        yield* Effect.gen(function* () {
          yield* furnish
          const { report } = yield* WakeOutbox
          const page = yield* outboxPage
          yield* Effect.promise(async () => {
            await page.locator(row("gone"), { hasText: "discarded target_gone" }).waitFor()
            await page.locator(row("busy"), { hasText: "#3" }).getByText("behind wake:").waitFor()
            await page
              .locator('[aria-label="Blocked groups"] tr', { hasText: "session:busy" })
              .getByText("wake:")
              .waitFor()
            await page.locator(".chip", { hasText: "discarded (target_gone) 1" }).waitFor()
            assert.strictEqual(await page.locator(row("there")).count(), 0, "what was delivered is over")
            assert.strictEqual(await page.getByRole("button", { name: "Redrive…" }).count(), 1)
            await picture(page, "outbox")
            await page.getByRole("button", { name: "Redrive…" }).click()
            const dialog = page.getByRole("dialog")
            await dialog.getByText("the session may see it twice").waitFor()
            await picture(page, "outbox-redrive")
            await dialog.getByRole("button", { name: "Do nothing" }).click()
          })
          assert.strictEqual((yield* report).counts.discarded.target_gone, 1)
          back.add("gone")
          yield* Effect.promise(async () => {
            await page.getByRole("button", { name: "Redrive…" }).click()
            await page.getByRole("dialog").getByRole("button", { name: "Redrive wake" }).click()
            await page.getByRole("dialog").waitFor({ state: "detached" })
          })
          yield* until(Effect.map(report, ({ counts }) => counts.enqueued === 2))
          yield* Effect.promise(() => page.locator(row("gone")).waitFor({ state: "detached" }))
        }).pipe(
          Effect.provide(Layer.provide(Layer.provideMerge(Inspector.layerHost({ token: "secret" }), host), quiet))
        )
      })
    }
  )

  it.scopedLive("of a file cannot be redriven, and says how much of a large outbox is left off", () =>
    Effect.gen(function* () {
      const filename = `${yield* temporaryFolder}/wakes.db`
      yield* Effect.gen(function* () {
        yield* furnish
        yield* Effect.forEach(Array.from({ length: maxShown }), () => wake("busy"))
      }).pipe(Effect.provide(wakeHost(filename)))
      yield* Effect.gen(function* () {
        const page = yield* outboxPage
        yield* Effect.promise(async () => {
          await page.locator(row("gone"), { hasText: "discarded target_gone" }).waitFor()
          assert.isTrue(await page.getByRole("button", { name: "Redrive…" }).isDisabled())
          await page.getByText("3 more are not shown: holdfast wakes lists all of them.").waitFor()
          assert.strictEqual(await page.locator('[aria-label="Wakes"] tbody tr').count(), maxShown + 1)
        })
      }).pipe(Effect.provide(Layer.provide(Inspector.layerFile({ filename }), quiet)))
    })
  )
})
