/** Restate: its server beside this program, on the same disk, and the services in it. */
import { spawn } from "node:child_process"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { createServer } from "node:net"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import * as restate from "@restatedev/restate-sdk"
import * as clients from "@restatedev/restate-sdk-clients"

// Its library wants a newer Node than this one; this is all that it misses.
Promise.withResolvers ??= () => {
  const made = {}
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }))
  return made
}

const trivial = restate.workflow({ name: "trivial", handlers: { run: async (_, value) => value } })
const waiter = restate.workflow({
  name: "waiter",
  handlers: {
    run: (ctx) => ctx.promise("go").get(),
    go: (ctx, value) => ctx.promise("go").resolve(value)
  }
})
const child = restate.service({ name: "child", handlers: { run: async (_, item) => item } })
const family = restate.workflow({
  name: "family",
  handlers: {
    run: async (ctx, children) => {
      const items = Array.from({ length: children }, (_, item) => item)
      return (await restate.RestatePromise.all(items.map((item) => ctx.serviceClient(child).run(item)))).length
    }
  }
})

const freePort = () =>
  new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once("error", reject)
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address()
      probe.close(() => resolve(port))
    })
  })

const until = async (what, ok) => {
  for (let tries = 0; tries < 600; tries++) {
    if (await ok().catch(() => false)) return
    await sleep(50)
  }
  throw new Error(`${what} did not answer within 30 s`)
}

const binary = () =>
  createRequire(import.meta.url).resolve(
    `@restatedev/restate-server-${process.platform}-${process.arch}/bin/restate-server`
  )

/** The ports of a folder, the same each time: what the server has stored names its own address, and that of the services. */
const portsOf = async (folder) => {
  const file = join(folder, "ports.json")
  if (existsSync(file)) return JSON.parse(readFileSync(file, "utf8"))
  const ports = await Promise.all([freePort(), freePort(), freePort(), freePort()])
  writeFileSync(file, JSON.stringify(ports))
  return ports
}

export const open = async ({ folder }) => {
  const [ingress, admin, node, endpoint] = await portsOf(folder)
  const server = spawn(binary(), ["--node-name", "bench", "--base-dir", join(folder, "restate")], {
    stdio: "ignore",
    env: {
      ...process.env,
      RESTATE_INGRESS__BIND_ADDRESS: `127.0.0.1:${ingress}`,
      RESTATE_ADMIN__BIND_ADDRESS: `127.0.0.1:${admin}`,
      RESTATE_BIND_ADDRESS: `127.0.0.1:${node}`,
      RESTATE_ADVERTISED_ADDRESS: `http://127.0.0.1:${node}`,
      RESTATE_LOG_FILTER: "error",
      DO_NOT_TRACK: "1"
    }
  })
  process.once("exit", () => server.kill("SIGKILL"))
  await restate.serve({ services: [trivial, waiter, child, family], port: endpoint })
  await until("the server's admin", async () => (await fetch(`http://127.0.0.1:${admin}/health`)).ok)
  const registered = await fetch(`http://127.0.0.1:${admin}/deployments`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ uri: `http://127.0.0.1:${endpoint}`, force: true })
  })
  if (!registered.ok) throw new Error(`the server refuses the services: ${await registered.text()}`)
  await until("the server's ingress", async () => (await fetch(`http://127.0.0.1:${ingress}/restate/health`)).ok)
  const client = clients.connect({ url: `http://127.0.0.1:${ingress}` })
  const run = async (workflow, id, input) => {
    const of = client.workflowClient(workflow, id)
    await of.workflowSubmit(input)
    return of.workflowAttach()
  }
  return {
    complete: (id, value) => run(trivial, id, value),
    wait: async (id) => void (await client.workflowClient(waiter, id).workflowSubmit()),
    signal: (id, value) => client.workflowClient(waiter, id).go(value),
    ended: (id) => client.workflowClient(waiter, id).workflowAttach(),
    family: (id, children) => run(family, id, children),
    close: async () => void server.kill("SIGTERM")
  }
}
