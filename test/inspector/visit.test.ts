/**
 * A visit to the page: how a person gets there from a terminal, what they take along, how they go back in time, and what they see
 * of a tree that is too large to be shown.
 */
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { pathToFileURL } from "node:url"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Page } from "playwright-core"
import * as Inspector from "../../src/inspector/Inspector.ts"
import { InspectorSource } from "../../src/inspector/InspectorSource.ts"
import { processId } from "../../src/model/ids.ts"
import * as Authority from "../../src/operations/decisions/authority.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import { holdfast } from "../cli/running.ts"
import { onTerminal, withoutTerminal } from "../support/children.ts"
import { leftOut } from "../support/gate.ts"
import { bounded, temporaryFolder, until } from "../support/hosts.ts"
import { programAt } from "../support/programs.ts"
import { isWhole } from "../support/samples.ts"
import { open } from "./browser.ts"
import { fileStore, inspected, note, register, tokenIn, waitForApproval } from "./fixtures.ts"
import { inBrowser } from "./inBrowser.ts"

/** What a shell is asked to run as one word. */
const word = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

inBrowser("a visit to the page", (browser) => {
  const pageAt = (id: string, options: Parameters<typeof open>[2] = {}) =>
    Effect.flatMap(Inspector.Inspector, ({ addressOf }) => visited(addressOf("processes", id), options))

  const visited = (address: string, options: Parameters<typeof open>[2] = {}) =>
    Effect.acquireRelease(
      Effect.promise(() => open(browser(), address, options)),
      (page) => Effect.promise(() => page.context().close())
    )

  const noTerminal = leftOut(withoutTerminal)

  it.scopedLive.skipIf(noTerminal !== undefined)(
    "begins where `holdfast open` leads, by a file that only its user reads, and the token is nowhere else; it ends with the command",
    () =>
      bounded(
        Effect.gen(function* () {
          const folder = yield* temporaryFolder
          const [filename, opener, told] = ["a.db", "opener", "told"].map((name) => join(folder, name)) as [
            string,
            string,
            string
          ] // three names
          yield* Effect.provide(register("deploy-42"), fileStore(filename))
          // What a desktop is asked to open is all that it is told.
          writeFileSync(
            opener,
            `#!/bin/sh\nprintf '%s' "$*" >${word(`${told}.part`)}\nmv ${word(`${told}.part`)} ${word(told)}\n`
          )
          chmodSync(opener, 0o755)
          const command = [process.execPath, programAt("src/cli/main.js"), "open", "deploy-42", "--db", filename]
          const terminal = yield* Effect.acquireRelease(
            Effect.sync(() => onTerminal(`export BROWSER=${word(opener)}; exec ${command.map(word).join(" ")}`)),
            ({ process: child }) => Effect.sync(() => child.kill("SIGKILL"))
          )
          const line = yield* Effect.promise(() => terminal.saw(/^the inspector of .* is at http/))
          const token = tokenIn(/http:\S+(?=;)/.exec(line)?.[0] ?? "")
          assert.match(token, /^\S{20,}$/)
          yield* until(Effect.sync(() => existsSync(told)))
          const handed = readFileSync(told, "utf8")
          assert.match(handed, /^\/[^\s?#]+\.html$/, "a file, and no address")
          assert.strictEqual(statSync(handed).mode & 0o777, 0o600)
          assert.strictEqual(statSync(dirname(handed)).mode & 0o777, 0o700)

          const page = yield* visited(pathToFileURL(handed).href)
          yield* Effect.promise(async () => {
            await page.locator('.title:has-text("deploy-42")').waitFor()
            await page.locator(".mode.file").waitFor()
            assert.match(page.url(), /^http:\/\/127\.0\.0\.1:\d+\/#\/processes\/deploy-42$/)
            assert.deepStrictEqual(await page.context().cookies(), [])
            assert.isTrue((await page.evaluate(() => Object.values(sessionStorage))).includes(token))
            await page.reload()
            await page.locator('.title:has-text("deploy-42")').waitFor()
          })
          const stranger = yield* visited(page.url())
          yield* Effect.promise(() => stranger.locator("[role=alert]").first().waitFor())
          assert.strictEqual(yield* Effect.promise(() => stranger.locator(".title").count()), 0)

          terminal.process.stdin?.write("\u0003")
          yield* Effect.promise(async () => {
            assert.strictEqual((await terminal.ended()).code, 0)
            await page.locator('#link[data-connection="lost"]').waitFor()
          })
          assert.isFalse(existsSync(dirname(handed)), "what led there is gone with it")
        })
      )
  )

  it.scopedLive(
    "takes along what is meant: ids, values, stacks and explanations as they are, not as they are shown",
    () =>
      bounded(
        Effect.gen(function* () {
          const id = "rtl-\u202egnp.exe\n<b>"
          yield* register(id)
          const thrown = { name: "RangeError", message: "out of range", stack: "    at build (build.ts:7:2)" }
          const end = { _tag: "Failure", class: "internal", code: "Broken", message: "out of range", thrown } as const
          yield* (yield* ProcessRegistry).completeProcess(processId(id), end, { _tag: "ExternalOwner" })
          const page = yield* pageAt(id, { permissions: ["clipboard-read", "clipboard-write"] })
          const copied = async (what: string) => {
            const button = page.getByRole("button", { name: `Copy ${what}`, exact: true })
            await button.click()
            await button.filter({ hasText: "copied" }).waitFor()
            return page.evaluate(() => navigator.clipboard.readText())
          }
          yield* Effect.promise(async () => {
            await page.locator(".title h2", { hasText: "rtl-\\u202egnp.exe" }).waitFor()
            assert.strictEqual(await copied("the id"), id)
            assert.deepStrictEqual(JSON.parse(await copied("the input")), { secret: "tea", label: id })
            await page.getByText("Stack", { exact: true }).click()
            assert.strictEqual(await copied("the stack"), "RangeError: out of range\n    at build (build.ts:7:2)")
            await page.locator(".why-sentence", { hasText: /^It has ended\.$/ }).waitFor()
            await page.locator(".why summary").click()
            assert.strictEqual(await copied("the explanation"), `${id}: It has ended.\n  $ holdfast show '\u202e'`)
            await page.getByRole("link", { name: "Record" }).click()
            assert.deepInclude(JSON.parse(await copied("the record")), { id })
          })
        }).pipe(
          Effect.provide(inspected()),
          Effect.provideService(InspectorSource, {
            explain: (id) => Effect.succeed({ text: `${id}: It has ended.\n  $ holdfast show '\u202e'` })
          })
        )
      )
  )

  it.scopedLive("goes back in time by the playhead: states, run and log follow, and return to the present", () =>
    bounded(
      Effect.gen(function* () {
        // At places of their own on the axis: of those that share a moment the slider chooses the last.
        yield* register("p")
        yield* Effect.sleep("5 millis")
        yield* note("p", "planned")
        yield* Effect.sleep("5 millis")
        yield* waitForApproval("p")
        const signal = { name: "approve", payload: { by: "ana", level: "once" }, signalId: "1" } as const
        yield* (yield* ProcessRegistry).signal(processId("p"), signal, Authority.external)
        const page = yield* pageAt("p")
        const slider = page.getByRole("slider", { name: "Event of the log" })
        const shown = async () => ({
          isWaiting: (await page.locator(".strip .lit", { hasText: "waiting" }).count()) > 0,
          chosen: await page.locator('.event[aria-current="true"]').getAttribute("data-sequence"),
          later: await page.locator(".event.future").count(),
          address: /@\d+/.exec(page.url())?.[0] ?? "",
          said: await slider.getAttribute("aria-valuetext")
        })
        const headAt = (one: Page) =>
          one
            .locator(".playhead")
            .first()
            .evaluate((head) => Number.parseFloat((head as HTMLElement).style.left))
        const present = { isWaiting: false, chosen: "4", later: 0, address: "", said: "present, event 4" }
        yield* Effect.promise(async () => {
          await page.locator('.event[data-sequence="4"][aria-current="true"]').waitFor()
          assert.deepStrictEqual(await shown(), present)
          assert.strictEqual(await headAt(page), 100)

          await slider.focus()
          await page.keyboard.press("ArrowLeft")
          await page.keyboard.press("ArrowLeft")
          await page.locator(".past", { hasText: "As it was after event 2 of 4." }).waitFor()
          await page.locator(".strip .lit", { hasText: "waiting" }).waitFor()
          await page.locator("section[aria-label='Status then']").waitFor()
          assert.deepStrictEqual(await shown(), {
            isWaiting: true,
            chosen: "2",
            later: 2,
            address: "@2",
            said: "event 2 of 4"
          })
          assert.isBelow(await headAt(page), 100)

          await slider.fill("0")
          await page.locator(".past", { hasText: "As it was after event 1 of 4." }).waitFor()
          await page.locator(".strip .lit", { hasText: "waiting" }).waitFor({ state: "detached" })
          await page.reload()
          await page.locator(".past", { hasText: "As it was after event 1 of 4." }).waitFor()

          await slider.fill("1000")
          await page.locator(".past").waitFor({ state: "hidden" })
          assert.deepStrictEqual(await shown(), present)
          await page.keyboard.press("[")
          await page.locator(".past", { hasText: "event 3 of 4" }).waitFor()
        })
        yield* note("p", "meanwhile")
        yield* Effect.promise(async () => {
          await page.locator(".past", { hasText: "event 3 of 5" }).waitFor()
          await page.getByRole("button", { name: "Present" }).click()
          await page.locator('.event[data-sequence="5"][aria-current="true"]').waitFor()
          assert.strictEqual(await headAt(page), 100)
        })
      }).pipe(Effect.provide(inspected()))
    )
  )

  it.scopedLive("is told that a past event is being read, and is shown nothing of the present as of then", () =>
    bounded(
      Effect.gen(function* () {
        yield* register("p")
        yield* note("p", "planned")
        yield* waitForApproval("p")
        yield* (yield* ProcessRegistry).requestProcessCancel(processId("p"), "enough", Authority.host)
        yield* register("p/child", { parent: { processId: processId("p"), closePolicy: "cancel" } })
        const page = yield* pageAt("p")
        yield* Effect.promise(async () => {
          await page.locator(".strip .lit", { hasText: "cancel asked" }).waitFor()
          let answer = (): void => {}
          const held = new Promise<void>((resolve) => {
            answer = resolve
          })
          await page.route(/[?&]at=1(&|$)/, async (route) => {
            await held
            await route.continue()
          })
          await page.locator('.event[data-sequence="1"]').click()
          await page.locator(".past", { hasText: "Reading event 1 of 3…" }).waitFor()
          await page.locator(".facts", { hasText: "Reading the event…" }).waitFor()
          assert.deepStrictEqual(await page.locator(".strip .lit, .facts section").allTextContents(), [])
          answer()
          await page.locator(".past", { hasText: "As it was after event 1 of 3." }).waitFor()
          await page.locator("section[aria-label='Status then']").waitFor()
          assert.deepStrictEqual(await page.locator(".strip .lit").allTextContents(), ["unstarted"])
          assert.strictEqual(await page.locator(".facts .children").count(), 0)
        })
      }).pipe(Effect.provide(inspected()))
    )
  )

  it.scopedLive.skipIf(!isWhole)(
    "sees of a tree that is too large its first processes, and that there are more; on a terminal too",
    () =>
      bounded(
        Effect.gen(function* () {
          const filename = `${yield* temporaryFolder}/tree.db`
          const parent = { processId: processId("root"), closePolicy: "cancel" } as const
          const names = Array.from({ length: 520 }, (_, index) => `root/${String(index).padStart(3, "0")}`)
          const grow = Effect.zipRight(
            register("root"),
            Effect.forEach(names, (name) => register(name, { parent }), { concurrency: 64, discard: true })
          )
          yield* Effect.provide(grow, fileStore(filename))
          const tree = (...args: ReadonlyArray<string>) =>
            Effect.promise(() => holdfast(["tree", ...args, "--db", filename]))
          const whole = yield* tree()
          const lines = whole.out.trimEnd().split("\n")
          assert.match(lines[1] ?? "", /^root /)
          assert.strictEqual(lines.length, 1 + 500)
          assert.strictEqual(whole.err, "there are 21 more: raise --limit, or name an id\n")
          assert.strictEqual((yield* tree("root", "--limit", "521")).err, "")
          const rows = yield* tree("--json", "--limit", "10")
          assert.strictEqual(rows.out.trimEnd().split("\n").length, 10)
          assert.strictEqual(rows.err, "there are 511 more: raise --limit, or name an id\n")

          yield* Effect.gen(function* () {
            const page = yield* pageAt("root")
            yield* Effect.promise(async () => {
              await page.locator(".lane[data-run]").nth(59).waitFor()
              assert.strictEqual(await page.locator(".lane[data-run]").count(), 60)
              await page.getByText("The tree is larger: its first processes are shown.").waitFor()
              await page.locator("section[aria-label='Children (500+)']").waitFor()
              await page.locator(".lane[data-run] a").first().click()
              await page.locator('.title:has-text("root/")').waitFor()
              await page.goBack()
              await page.getByRole("link", { name: "Messages" }).click()
              await page.getByText("The tree is larger: its first processes and events are shown.").waitFor()
            })
          }).pipe(Effect.provide(inspected({}, Layer.orDie(fileStore(filename)))))
        })
      )
  )
})
