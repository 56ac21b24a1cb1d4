/**
 * Suites that need a browser: they share one, and are left out, with the reason in their title, where there is none.
 */
import { afterAll, beforeAll, describe } from "@effect/vitest"
import type { Browser } from "playwright-core"
import { launch, withoutBrowser } from "./browser.ts"

/** CI always has one: it would rather fail than leave them out. */
const reason = (process.env["CI"] ?? "") === "" ? withoutBrowser() : undefined

/** A suite whose tests may call `browser()`. */
export const inBrowser = (title: string, tests: (browser: () => Browser) => void): void => {
  if (reason !== undefined) {
    describe.skip(`${title} (left out: ${reason})`, () => tests(() => undefined as never)) // none of them runs
    return
  }
  describe(title, () => {
    let shared: Browser | undefined
    beforeAll(async () => {
      shared = await launch()
    })
    afterAll(() => shared?.close())
    tests(() => shared as Browser) // started before any of them
  })
}
