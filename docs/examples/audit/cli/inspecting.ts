/**
 * The inspector of this program's own host: a page that opens at the audit, for as long as the program runs.
 *
 * Invariant: the audit neither fails nor waits for it. What cannot be served is said in one line; what cannot be opened is left,
 * since the address is there to read.
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

/** What the command line says about the inspector. */
export interface Inspecting {
  readonly serve: boolean
  /** Whether a browser may be opened where a person sits before one. */
  readonly open: boolean
  /** The port. @default any that is free */
  readonly port?: number
}

/** Serves the inspector of the host in context until the scope ends, and says where it shows the audit. */
export const inspect = (auditId: string, screen: Screen, { serve, open, port = 0 }: Inspecting) =>
  Effect.gen(function* () {
    if (!serve) return
    // Loading it takes a moment that the start of the audit need not have.
    const Inspector = yield* Effect.promise(() => import("../../../../src/inspector/Inspector.ts"))
    const announce = () => Effect.void // the line below says it
    const served = yield* Layer.build(Inspector.layerHost({ name: "audit", port, announce }))
    const at = Context.get(served, Inspector.Inspector).addressOf("processes", auditId)
    screen.print(`to watch it: ${at}`)
    const opener = openerOf({ platform: process.platform, env: process.env, isTerminal: screen.live })
    if (open && opener !== undefined) yield* opened(opener, at)
  }).pipe(Effect.catchAll((error) => Effect.logWarning(`the inspector is not served: ${error.message}`)))

/** A program that opens addresses, with what stands before the address. */
export type Opener = readonly [command: string, ...args: ReadonlyArray<string>]

/** What opens an address on this machine; `undefined` where nobody sits at a terminal of its desktop. */
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
 * Opens a browser, which goes on by itself when the audit ends.
 *
 * Every user of the machine sees the arguments of a program, and the address has the token: the browser is given a page of
 * the person's own instead, which leads there. It is removed with the scope.
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
