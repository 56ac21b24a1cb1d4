/**
 * The stream of changes, kept open: after a break it is tried again, less and less often, until the host is back.
 */
import type { ChangeMessage } from "../View.ts"

/** How the page stands with the host. */
export type Connection = "connecting" | "live" | "lost"

const firstDelayMs = 250
const longestDelayMs = 5_000

/** Listens for ever. `onMessage` hears `hello` after every reconnection: what was missed must then be read again. */
export const listen = (
  onMessage: (message: ChangeMessage) => void,
  onConnection: (connection: Connection) => void
): void => {
  let delayMs = firstDelayMs
  const open = (): void => {
    const source = new EventSource("api/changes")
    source.onmessage = ({ data }) => {
      delayMs = firstDelayMs
      onConnection("live")
      onMessage(JSON.parse(data) as ChangeMessage) // the types of both sides are the same file's
    }
    source.onerror = () => {
      // The browser's own retries give up on some errors, so that this page does them itself.
      source.close()
      onConnection("lost")
      setTimeout(open, delayMs)
      delayMs = Math.min(delayMs * 2, longestDelayMs)
    }
  }
  onConnection("connecting")
  open()
}
