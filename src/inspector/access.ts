/**
 * Decides which requests the inspector answers: those that carry its token, from a page that this server itself has served.
 *
 * Invariant: a request without the token gets the files of the page, which every installed package has, and nothing else.
 * The names in `Host` and `Origin` are checked as well, so that no page on the internet gets in by letting its own name
 * point at this machine (DNS rebinding).
 *
 * The token travels in the `Authorization` header only. A cookie would reach every other server of this machine, since
 * cookies know no ports; a query would end up in histories and logs. The page takes it from the fragment of its address,
 * which a browser sends to no server, and keeps it in the storage of its own origin.
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto"
import type { Request } from "./http.ts"

/** What a request must show, and where it must come from. */
export interface Access {
  readonly token: string
  /** Names and ports under which this server is known, as `Host` has them. */
  readonly hosts: ReadonlyArray<string>
}

/** Access to a server at a loopback address. */
export const make = (token: string, host: string, port: number): Access => ({
  token,
  hosts: [...new Set([bracketed(host), "127.0.0.1", "localhost", "[::1]"])].map((name) => `${name}:${port}`)
})

/** A token: 192 random bits. */
export const randomToken = (): string => randomBytes(24).toString("base64url")

/** Names that never leave this machine. */
export const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host)

/** A host as a URL writes it. */
export const bracketed = (host: string): string => (host.includes(":") ? `[${host}]` : host)

/** Why a request is refused, as one clause; `undefined` when it may pass. */
export const refusalOf = (
  access: Access,
  request: Pick<Request, "method" | "headers">,
  path: string
): { readonly status: 401 | 403; readonly problem: string } | undefined => {
  const { host, origin, authorization } = request.headers
  if (host === undefined || !access.hosts.includes(host.toLowerCase())) {
    return { status: 403, problem: "this server answers to loopback names only" }
  }
  if (origin !== undefined && !access.hosts.some((name) => origin.toLowerCase() === `http://${name}`)) {
    return { status: 403, problem: "requests from other origins are refused" }
  }
  if (request.method === "GET" && !path.startsWith("/api/")) return undefined
  const presented = bearerOf(authorization)
  return presented !== undefined && sameText(presented, access.token)
    ? undefined
    : { status: 401, problem: "the token is missing or wrong: open the address that the inspector printed" }
}

/** What every answer says to a browser: load nothing from elsewhere, keep nothing, pass nothing on. */
export const headers: Readonly<Record<string, string>> = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "cache-control": "no-store"
}

const bearerOf = (authorization: string | undefined): string | undefined =>
  authorization?.startsWith("Bearer ") === true ? authorization.slice("Bearer ".length) : undefined

/** Compares in a time that does not depend on where two texts differ. */
const sameText = (a: string, b: string): boolean => timingSafeEqual(digest(a), digest(b))

const digest = (text: string): Buffer => createHash("sha256").update(text).digest()
