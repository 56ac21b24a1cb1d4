/**
 * The token that every request of the page carries.
 *
 * It arrives in the fragment of the address, which a browser sends to no server, and is kept in the storage of this tab for
 * this origin: unlike a cookie, it reaches no other server of this machine. A tab that was opened from another one has a
 * storage of its own and asks the open tabs of the same origin for the token.
 */

const key = "holdfast-token"
const others = new BroadcastChannel(key)
let token = sessionStorage.getItem(key) ?? undefined

/** Keeps a token, and gives it to every tab that asks. */
const keep = (found: string): void => {
  token = found
  sessionStorage.setItem(key, found)
}

/** Takes the token out of the address, or out of what another tab says, and leaves an address that can be shown to others. */
export const admit = async (): Promise<void> => {
  const [place = "", query] = location.hash.split("?")
  const given = new URLSearchParams(query).get("token")
  if (given !== null) {
    keep(given)
    history.replaceState(null, "", `${location.pathname}${place}`)
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

/** What a request of this page says of itself. */
export const authorization = (): Readonly<Record<string, string>> =>
  token === undefined ? {} : { authorization: `Bearer ${token}` }
