/**
 * The files of the page: style sheet and document as they are written, scripts as the compiler built them.
 *
 * Everything is read from the package itself, so that the page needs no network. A checkout that was not built has no scripts.
 */
import { readFile } from "node:fs/promises"
import * as Effect from "effect/Effect"

/** A file of the page. */
export interface Asset {
  readonly body: Uint8Array
  readonly contentType: string
}

/** Reads a file of the page by its name; `undefined` for a name that is none of them. */
export const assetOf = (name: string): Effect.Effect<Asset | undefined> => {
  const contentType = contentTypes[name.slice(name.lastIndexOf(".") + 1)]
  if (contentType === undefined || !/^[A-Za-z]+\.[a-z]+$/.test(name)) return Effect.succeed(undefined)
  const folder = name.endsWith(".js") ? "dist/src/inspector/page/" : "src/inspector/page/"
  return Effect.promise(() =>
    readFile(new URL(folder + name, root)).then(
      (body) => ({ body, contentType }),
      () => undefined
    )
  )
}

const contentTypes: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml"
}

/** The package: this file lies two folders below it as written, three as built. */
export const root: URL = new URL(
  /\/dist\/src\/inspector\/[^/]*$/.test(import.meta.url) ? "../../../" : "../../",
  import.meta.url
)
