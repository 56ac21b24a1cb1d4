/**
 * `holdfast open [ID]`: serves the inspector page and opens it in the browser, at a process.
 */
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { look, presentRow, sourceOf, unopened } from "../database.ts"
import * as Shared from "../options.ts"
import { interruptIsItsEnd, TheScreen } from "../Screen.ts"
import { serve } from "./inspect.ts"

/** The command. */
export const command = Command.make(
  "open",
  { id: Shared.id.pipe(Args.optional), db: Shared.db, port: Shared.port, actions: Shared.actions },
  ({ id, db, port, actions }) =>
    Effect.gen(function* () {
      const screen = yield* TheScreen
      const source = yield* sourceOf(db)
      // A mistyped id is refused here, where its reader is.
      if (Option.isSome(id)) yield* look(db, presentRow(id.value))
      const shown = Option.isSome(id) ? { at: id.value } : {}
      const onListening = (url: string) =>
        Effect.zipRight(
          screen.print(`the inspector of ${source.shown} is at ${url}; Ctrl-C ends it`),
          screen.isLive ? inBrowser(url) : Effect.void
        )
      yield* interruptIsItsEnd(
        Effect.scoped(
          Effect.mapError(serve(source, screen, { port, actions, onListening, ...shown }), unopened(source))
        )
      )
    })
).pipe(Command.withDescription("Open the inspector page in the browser, at a process."))

/**
 * Opens an address in the browser. The address lets in whichever program has it, and every user reads the arguments of every
 * program: so what is opened is a file that only this user can read, which leads there.
 */
const inBrowser = (url: string): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "holdfast-open-"))),
      (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true }))
    )
    const page = join(folder, "open.html")
    const script = JSON.stringify(url).replaceAll("<", "\\u003c")
    const opener = yield* Effect.orElseSucceed(Config.string("BROWSER"), () => openers[process.platform] ?? "xdg-open")
    yield* Effect.sync(() => {
      writeFileSync(page, `<!doctype html><script>location.replace(${script})</script>`, { mode: 0o600 })
      const child = spawn(opener, [page], { detached: true, stdio: "ignore" })
      // No browser here: the address was printed.
      child.on("error", () => undefined)
      child.unref()
    })
  })

const openers: Readonly<Record<string, string>> = { darwin: "open", win32: "explorer" }
