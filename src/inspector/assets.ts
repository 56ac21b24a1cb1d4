/**
 * The files of the page, which the build packs into one module: the page needs no network, and a bundle of a host has it.
 */
import * as Effect from "effect/Effect"

/** A file of the page. */
export interface Asset {
  readonly body: string
  readonly contentType: string
}

/** Reads a file of the page by its name; `undefined` for a name that is none of them. */
export const assetOf = (name: string): Effect.Effect<Asset | undefined> =>
  Effect.map(page, ({ files }) => {
    const body = Object.hasOwn(files, name) ? files[name] : undefined
    const contentType = contentTypes[name.slice(name.lastIndexOf(".") + 1)]
    return body === undefined || contentType === undefined ? undefined : { body, contentType }
  })

/** Loaded when the page is first asked for: most hosts never show it. */
const page = Effect.promise(() => import("./packed/page.js"))

const contentTypes: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml"
}
