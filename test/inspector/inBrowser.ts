/**
 * Suites that need a browser: they share one, and are left out, with the reason in their title, where there is none. CI always has
 * one.
 */
import { afterAll, beforeAll, describe } from "@effect/vitest"
import type { Browser } from "playwright-core"
import { leftOut } from "../support/gate.ts"
import { launch, withoutBrowser } from "./browser.ts"

const reason = leftOut(withoutBrowser)

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
