/**
 * The stream of changes, kept open: after a break it is tried again, less and less often, until the host is back.
 *
 * It is read by `fetch`, since an `EventSource` cannot carry the token in a header.
 */
import type { ChangeMessage } from "../View.ts"
import { authorization } from "./access.ts"

/** How the page is connected to the host. `refused`: it answers, and takes no request of this page. */
export type Connection = "connecting" | "live" | "lost" | "refused"

const firstDelayMs = 250
const longestDelayMs = 5_000

/** Listens until the page is closed. `onMessage` gets `hello` after every reconnection: what was missed must then be read again. */
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
        onMessage(JSON.parse(data) as ChangeMessage) // the types of both sides are the same file's
      })
    }
    onConnection(answer?.status === 401 ? "refused" : "lost")
    await new Promise((resolve) => setTimeout(resolve, delayMs))
    delayMs = Math.min(delayMs * 2, longestDelayMs)
  }
}

/** Reads server-sent events until the stream breaks: each ends with an empty line, and its `data` lines belong together. */
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
