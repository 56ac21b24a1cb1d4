/**
 * Asks the server. Every request carries the token of the page.
 */
import type { ErrorView } from "../View.ts"
import { authorization } from "./access.ts"

/** A refusal of the server, or its absence (`tag` is then "Unreachable"). */
export class Refused extends Error {
  readonly tag: string
  constructor(tag: string, message: string) {
    super(message)
    this.tag = tag
  }
}

/** Reads. Fails with {@link Refused}. */
export const get = <A>(path: string, query: Readonly<Record<string, string | number | undefined>> = {}): Promise<A> => {
  const search = new URLSearchParams()
  for (const [key, value] of Object.entries(query))
    if (value !== undefined && value !== "") search.set(key, String(value))
  const text = search.toString()
  return ask<A>(text === "" ? path : `${path}?${text}`, {})
}

/** Posts JSON. Fails with {@link Refused}. */
export const post = <A>(path: string, body: unknown): Promise<A> =>
  ask<A>(path, { method: "POST", body: JSON.stringify(body) }, { "content-type": "application/json" })

/** What went wrong, as a sentence. */
export const sentenceOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const ask = async <A>(path: string, init: RequestInit, headers: Readonly<Record<string, string>> = {}): Promise<A> => {
  const response = await fetch(`api/${path}`, { ...init, headers: { ...headers, ...authorization() } }).catch(() => {
    throw new Refused("Unreachable", "the host does not answer")
  })
  const body: unknown = await response.json().catch(() => undefined)
  if (response.ok) return body as A // the types of both sides are the same file's
  const { error } = (body ?? {}) as Partial<ErrorView> // as above
  throw new Refused(error?.tag ?? "Failed", error?.message ?? `the host answered ${response.status}`)
}
