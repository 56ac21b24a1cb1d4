/**
 * The inspector of this program's own host: a page that shows the audit while the program runs.
 *
 * Invariant: the audit neither fails because of it nor waits for it. If it cannot be served, one line says so; if no browser
 * opens, the printed address is enough.
 */
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Screen } from "./Screen.ts"

/** The options of the command line about the inspector. */
export interface Inspecting {
  readonly serve: boolean
  /** Whether a browser may be opened on a desktop. */
  readonly open: boolean
  /** The port. @default a free port */
  readonly port?: number
}

/** Serves the inspector of the host in context until the scope ends, and prints its address. */
export const inspect = (auditId: string, screen: Screen, { serve, open, port = 0 }: Inspecting) =>
  Effect.gen(function* () {
    if (!serve) return
    // Loaded here, so that the audit starts without waiting for it.
    const Inspector = yield* Effect.promise(() => import("../../../../src/inspector/Inspector.ts"))
    const announce = () => Effect.void // the line below has the address
    const served = yield* Layer.build(Inspector.layerHost({ name: "audit", port, announce }))
    const at = Context.get(served, Inspector.Inspector).addressOf("processes", auditId)
    screen.print(`to watch it: ${at}`)
    const opener = openerOf({ platform: process.platform, env: process.env, isTerminal: screen.live })
    if (open && opener !== undefined) yield* opened(opener, at)
  }).pipe(Effect.catchAll((error) => Effect.logWarning(`the inspector is not served: ${error.message}`)))

/** A program that opens addresses, with its arguments before the address. */
export type Opener = readonly [command: string, ...args: ReadonlyArray<string>]

/** The opener of this machine; `undefined` if the program does not run at a terminal of a desktop. */
export const openerOf = (where: {
  readonly platform: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly isTerminal: boolean
}): Opener | undefined => {
  const has = (name: string): boolean => (where.env[name] ?? "") !== ""
  if (!where.isTerminal || has("SSH_CONNECTION") || has("CI")) return undefined
  if (where.platform === "darwin") return ["open"]
  if (where.platform === "win32") return ["rundll32", "url.dll,FileProtocolHandler"]
  return has("DISPLAY") || has("WAYLAND_DISPLAY") ? ["xdg-open"] : undefined
}

/**
 * Opens a browser, which stays open when the audit ends.
 *
 * Every user of the machine can see the arguments of a program, and the address contains the token: the browser gets a private
 * file that redirects to the address. The file is removed with the scope.
 */
const opened = ([command, ...args]: Opener, address: string): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "audit-inspector-"))),
      (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true }))
    )
    const page = join(folder, "open.html")
    writeFileSync(page, `<!doctype html><title>audit</title><meta http-equiv="refresh" content="0;url=${address}">\n`, {
      mode: 0o600
    })
    const child = spawn(command, [...args, page], { stdio: "ignore", detached: true })
    child.on("error", () => {})
    child.unref()
  })
