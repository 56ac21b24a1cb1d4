/**
 * A program that follows the changes of an inspector, or does not, as its parent says: a page without the page.
 *
 * messages in: `{ follow: { address, token } }`, `{ follow: null }`; out: `{ messages }` of the time it followed.
 */

/** What the parent says: follow the stream at an address, or stop. */
export interface Order {
  readonly follow: { readonly address: string; readonly token: string } | null
}

let abort: AbortController | undefined
let messages = 0

const follow = async ({ address, token }: NonNullable<Order["follow"]>): Promise<void> => {
  messages = 0
  const mine = new AbortController()
  abort = mine
  try {
    const response = await fetch(address, { headers: { authorization: `Bearer ${token}` }, signal: mine.signal })
    const reader = response.body?.getReader()
    const decoder = new TextDecoder()
    for (let part = await reader?.read(); part?.value !== undefined; part = await reader?.read()) {
      messages += decoder.decode(part.value).split("data: ").length - 1
    }
  } catch (error) {
    if (!mine.signal.aborted) throw error
  }
}

process.on("message", ({ follow: stream }: Order) => {
  if (stream !== null) {
    void follow(stream)
    return
  }
  abort?.abort()
  process.send?.({ messages })
})
process.on("disconnect", () => process.exit(0))
