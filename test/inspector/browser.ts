/**
 * A real Chromium for tests of the page: found, never downloaded.
 */
import { existsSync, mkdirSync } from "node:fs"
import { join } from "node:path"
import type { Browser, BrowserContextOptions, Page } from "playwright-core"
import { chromium } from "playwright-core"
import { projectRoot } from "../support/projectRoot.ts"

/** Whether this machine is said to have no browser: tests of the page are then left out. */
export const isWithoutBrowser: boolean = (process.env.HOLDFAST_NO_BROWSER ?? "") !== ""

/** Where a browser was found; `undefined` when there is none. */
export const browserPath = (): string | undefined =>
  [process.env.CHROMIUM_PATH ?? "", "/usr/bin/chromium", chromium.executablePath()].find(
    (path) => path !== "" && existsSync(path)
  )

/** Starts the browser. Rejects with a sentence that says what to do when there is none. */
export const launch = (): Promise<Browser> => {
  const executablePath = browserPath()
  if (executablePath === undefined) {
    return Promise.reject(
      new Error(
        "No Chromium was found. Install one, name it in CHROMIUM_PATH, or set HOLDFAST_NO_BROWSER=1 to leave out the tests of the page."
      )
    )
  }
  return chromium.launch({ executablePath, args: ["--no-sandbox"] })
}

/** Opens an address in a context of its own; nothing on the page waits longer than 45 seconds, also on a busy machine. */
export const open = async (browser: Browser, address: string, options: BrowserContextOptions = {}): Promise<Page> => {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options })
  context.setDefaultTimeout(45_000)
  const page = await context.newPage()
  await page.goto(address)
  return page
}

/** Keeps a picture of the page for whoever wants to look at it; the folder is not part of the project. */
export const picture = async (page: Page, name: string): Promise<void> => {
  const folder = join(projectRoot, ".screenshots")
  mkdirSync(folder, { recursive: true })
  await page.screenshot({ path: join(folder, `${name}.png`) })
}
