/**
 * The connection to the host: requests, the token that every request carries, and the stream of changes.
 */
import type { ChangeMessage, ErrorView } from "../View.ts"

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
  return ask<A>(search.size === 0 ? path : `${path}?${search}`)
}

/** Posts JSON. Fails with {@link Refused}. */
export const post = <A>(path: string, body: unknown): Promise<A> =>
  ask<A>(path, { method: "POST", body: JSON.stringify(body) }, { "content-type": "application/json" })

/** What went wrong, as a sentence. */
export const sentenceOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** How long an answer may take: a host that was suspended never gives one, and holds no reader up. Units: milliseconds. */
const answerMs = 60_000

const ask = async <A>(path: string, init: RequestInit = {}, headers: Readonly<Record<string, string>> = {}) => {
  const unreachable = (): never => {
    const mayBeDone = init.method === undefined ? "" : "; what was asked for may have been done"
    throw new Refused("Unreachable", `the host does not answer${mayBeDone}`)
  }
  const signal = AbortSignal.timeout(answerMs)
  const request = { ...init, signal, headers: { ...headers, ...authorization() } }
  const response = await fetch(`api/${path}`, request).catch(unreachable)
  if (response.ok) return (await response.json().catch(unreachable)) as A // server and page share one file of types
  const body: unknown = await response.json().catch(() => undefined)
  const { error } = (body ?? {}) as Partial<ErrorView> // as above
  throw new Refused(error?.tag ?? "Failed", error?.message ?? `the host answered ${response.status}`)
}

const key = "holdfast-token"
const others = new BroadcastChannel(key)
let token = sessionStorage.getItem(key) ?? undefined

/** Keeps a token for this tab, and for every tab that asks. */
const keep = (found: string): void => {
  token = found
  sessionStorage.setItem(key, found)
}

/** Takes the token out of the address, which can then be shared, or else gets it from another tab. */
export const admit = async (): Promise<void> => {
  const [place = "", search] = location.hash.split("?")
  const query = new URLSearchParams(search)
  const given = query.get("token")
  if (given !== null) {
    keep(given)
    query.delete("token")
    history.replaceState(null, "", `${location.pathname}${place}${query.size === 0 ? "" : `?${query}`}`)
  }
  others.addEventListener("message", ({ data }) => {
    if (data === "ask" && token !== undefined) others.postMessage({ token })
  })
  if (token === undefined) await askOthers()
}

/** How long the other tabs have to answer. Units: milliseconds. */
const patienceMs = 300

const askOthers = (): Promise<void> =>
  new Promise((resolve) => {
    const hear = ({ data }: MessageEvent): void => {
      const answer = (data as { readonly token?: unknown } | null)?.token // only tabs of this origin post here
      if (typeof answer !== "string") return
      keep(answer)
      done()
    }
    const done = (): void => {
      others.removeEventListener("message", hear)
      resolve()
    }
    others.addEventListener("message", hear)
    others.postMessage("ask")
    setTimeout(done, patienceMs)
  })

const authorization = (): Readonly<Record<string, string>> =>
  token === undefined ? {} : { authorization: `Bearer ${token}` }

/** How the page is connected to the host. `refused`: the host answers, but rejects the token of this page. */
export type Connection = "connecting" | "live" | "lost" | "refused"

const firstDelayMs = 250
const longestDelayMs = 5_000

/** Listens until the page is closed. `onMessage` gets `hello` after every reconnection: the page must then read everything again. */
export const listen = async (
  onMessage: (message: ChangeMessage) => void,
  onConnection: (connection: Connection) => void
): Promise<never> => {
  let delayMs = firstDelayMs
  onConnection("connecting")
  while (true) {
    const answer = await fetch("api/changes", { headers: authorization() }).catch(() => undefined)
    if (answer?.ok === true && answer.body !== null) {
      await messagesOf(answer.body, (data) => {
        delayMs = firstDelayMs
        onConnection("live")
        onMessage(JSON.parse(data) as ChangeMessage) // server and page share one file of types
      })
    }
    onConnection(answer?.status === 401 ? "refused" : "lost")
    await new Promise((resolve) => setTimeout(resolve, delayMs))
    delayMs = Math.min(delayMs * 2, longestDelayMs)
  }
}

/** Reads server-sent events until the stream breaks: an empty line ends each event, and its `data` lines belong together. */
const messagesOf = async (body: ReadableStream<Uint8Array>, onData: (data: string) => void): Promise<void> => {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let buffered = ""
  while (true) {
    const { done, value } = await reader.read().catch(() => ({ done: true as const, value: undefined }))
    if (done) return
    const events = (buffered + decoder.decode(value, { stream: true })).split("\n\n")
    buffered = events.pop() ?? ""
    for (const event of events) {
      const data = event.split("\n").flatMap((line) => (line.startsWith("data:") ? [line.slice(5).trimStart()] : []))
      if (data.length > 0) onData(data.join("\n"))
    }
  }
}
