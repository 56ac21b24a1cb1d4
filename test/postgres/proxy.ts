/**
 * A proxy before a server: it ends connections at the moment that a test chooses, or passes nothing on.
 */
import type { Socket } from "node:net"
import { connect, createServer } from "node:net"

/** When a connection is ended: the commit was not sent on, or its answer is not passed back. */
export type Cut = "before the commit" | "after the commit"

/** A running proxy. */
export interface Proxy {
  readonly url: string
  /** Ends the next connections that commit, one for each of these. */
  readonly cut: (...moments: ReadonlyArray<Cut>) => void
  /** How many connections were ended so. */
  readonly cuts: () => number
  /** Passes nothing on in either direction, and ends no connection. What was sent meanwhile arrives once it is healed, as in TCP. */
  readonly part: () => void
  readonly heal: () => void
  /** Passes no notification on any more: what a host has of a pool that changes connections between transactions. */
  readonly deafen: () => void
  readonly close: () => void
}

/** Starts a proxy before the server of a URL. */
export const start = async (url: string): Promise<Proxy> => {
  const target = new URL(url)
  const open = new Set<Socket>()
  let due: Array<Cut> = []
  let cuts = 0
  let isParted = false
  let isPool = false
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname)
    let isDeaf = false
    const answers = withoutNotifications()
    const end = () => {
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) {
      open.add(socket)
      if (isParted) socket.pause()
      socket.on("error", end)
      socket.on("close", () => {
        open.delete(socket)
        end()
      })
    }
    client.on("data", (data) => {
      const moment = data.includes("commit\0") ? due.shift() : undefined
      if (moment !== undefined) cuts += 1
      if (moment === "before the commit") return end()
      isDeaf = moment === "after the commit"
      upstream.write(data)
    })
    upstream.on("data", (data) => {
      if (isDeaf) end()
      else client.write(isPool ? answers(data) : data)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const own = new URL(url)
  own.port = String((server.address() as { readonly port: number }).port) // it listens on a port
  return {
    url: own.href,
    cut: (...moments) => {
      due = [...moments]
    },
    cuts: () => cuts,
    part: () => {
      isParted = true
      for (const socket of open) socket.pause()
    },
    heal: () => {
      isParted = false
      for (const socket of open) socket.resume()
    },
    deafen: () => {
      isPool = true
    },
    close: () => {
      server.close()
      for (const socket of open) socket.destroy()
    }
  }
}

/** What a server says, in whole messages: a type, the length of the rest, the rest. Those of the type A are left out. */
const withoutNotifications = () => {
  let rest = Buffer.alloc(0)
  return (data: Buffer): Buffer => {
    rest = Buffer.concat([rest, data])
    const kept: Array<Buffer> = []
    while (rest.length >= 5 && rest.length > rest.readInt32BE(1)) {
      const message = rest.subarray(0, 1 + rest.readInt32BE(1))
      rest = rest.subarray(message.length)
      if (message.toString("latin1", 0, 1) !== "A") kept.push(message)
    }
    return Buffer.concat(kept)
  }
}
