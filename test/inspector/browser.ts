/**
 * A real Chromium for tests of the page: an installed one, or else the one that a development dependency ships.
 */
import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { arch, platform } from "node:os"
import { dirname, join } from "node:path"
import type { Browser, BrowserContextOptions, Page } from "playwright-core"
import { chromium } from "playwright-core"
import { patienceMs } from "../support/patience.ts"
import { projectRoot } from "../support/projectRoot.ts"

/** A browser, and what it needs in its environment. */
interface Found {
  readonly executablePath: string
  readonly env?: Readonly<Record<string, string>>
}

/** What `CHROMIUM_PATH` names is the only one that is looked for. */
const installed = (): string | undefined => {
  const { CHROMIUM_PATH: named = "" } = process.env
  const usual = ["chromium", "chromium-browser", "google-chrome"].map((name) => join("/usr/bin", name))
  return (named === "" ? [...usual, chromium.executablePath()] : [named]).find(existsSync)
}

/** The package packs its browser, with the libraries that a bare Linux lacks; it is unpacked once, and kept. */
const shipped = (): Found | undefined => {
  const modules = join(projectRoot, "node_modules")
  const about = join(modules, "@sparticuz/chromium/package.json")
  if (platform() !== "linux" || arch() !== "x64" || !existsSync(about)) return undefined
  const { version } = JSON.parse(readFileSync(about, "utf8")) as { readonly version: string } // every package has one
  const folder = join(modules, ".cache", `chromium-${version}`)
  const found: Found = {
    executablePath: join(folder, "chromium"),
    env: { LD_LIBRARY_PATH: join(folder, "al2023/lib"), FONTCONFIG_PATH: join(folder, "fonts") }
  }
  try {
    if (!existsSync(folder)) unpack(folder)
    execFileSync(found.executablePath, ["--version"], { env: { ...process.env, ...found.env }, stdio: "ignore" })
    return found
  } catch {
    return undefined
  }
}

/** Unpacks beside the folder and renames: of two test files that do so at once, one is too late, and none sees a half. */
const unpack = (folder: string): void => {
  mkdirSync(dirname(folder), { recursive: true })
  const part = mkdtempSync(`${folder}-`)
  const program = 'import("@sparticuz/chromium").then(({ default: packed }) => packed.executablePath())'
  // The package unpacks into the temporary folder, and its libraries only on the service that it is made for.
  const env = { ...process.env, TMPDIR: part, AWS_LAMBDA_JS_RUNTIME: "nodejs20.x" }
  execFileSync(process.execPath, ["--eval", program], { env, cwd: projectRoot })
  const folders = [join(folder, "fonts"), "/usr/share/fonts"].map((path) => `<dir>${path}</dir>`)
  writeFileSync(join(part, "fonts/fonts.conf"), `<fontconfig>${folders.join("")}</fontconfig>`)
  try {
    renameSync(part, folder)
  } catch (error) {
    rmSync(part, { recursive: true, force: true })
    if (!existsSync(folder)) throw error
  }
}

const find = (): Found | undefined => {
  const executablePath = installed()
  if (executablePath !== undefined) return { executablePath }
  return (process.env.CHROMIUM_PATH ?? "") === "" ? shipped() : undefined
}

let known: { readonly found: Found | undefined } | undefined

const browserHere = (): Found | undefined => {
  known ??= { found: find() }
  return known.found
}

/** What to do where there is no browser. */
const advice = "no Chromium was found: install one, or name it in CHROMIUM_PATH"

/** Why nothing can be tested in a browser on this machine; `undefined` when it can. */
export const withoutBrowser = (): string | undefined => (browserHere() === undefined ? advice : undefined)

/** Starts the browser. Rejects with a sentence that says what to do when there is none. */
export const launch = (): Promise<Browser> => {
  const found = browserHere()
  if (found === undefined) return Promise.reject(new Error(advice))
  const { executablePath, env } = found
  return chromium.launch({
    executablePath,
    args: ["--no-sandbox"],
    timeout: patienceMs,
    ...(env && { env: { ...process.env, ...env } })
  })
}

/** Opens an address in a context of its own; nothing on the page waits without a bound. */
export const open = async (browser: Browser, address: string, options: BrowserContextOptions = {}): Promise<Page> => {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options })
  context.setDefaultTimeout(patienceMs)
  const page = await context.newPage()
  await page.goto(address)
  return page
}

const axeSource = readFileSync(join(projectRoot, "node_modules/axe-core/axe.min.js"), "utf8")

/** What axe finds on a page, as one line each. */
export const faults = async (page: Page): Promise<ReadonlyArray<string>> => {
  if (!(await page.evaluate(() => "axe" in globalThis))) await page.evaluate(axeSource)
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as { readonly axe: { readonly run: (options: object) => Promise<AxeReport> } } // it was put there
    const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    const { violations } = await axe.run({ runOnly: rules })
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 160)}`))
  })
}

interface AxeReport {
  readonly violations: ReadonlyArray<{
    readonly id: string
    readonly nodes: ReadonlyArray<{ readonly html: string }>
  }>
}

/** Keeps a picture of the page for whoever wants to look at it; the folder is not part of the project. */
export const picture = async (page: Page, name: string): Promise<void> => {
  const folder = join(projectRoot, ".screenshots")
  mkdirSync(folder, { recursive: true })
  await page.screenshot({ path: join(folder, `${name}.png`) })
}
