/**
 * Two hosts on one PostgreSQL server share a load. Kill one in the middle: the other takes its orders over, and no step that was
 * recorded is done again.
 *
 * usage: node dist/docs/examples/many-hosts/main.js [--orders N] [--kill] [--url postgres://…] [--help]
 */
import type { ChildProcess } from "node:child_process"
import { fork } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Said } from "./orders.ts"
import { steps } from "./orders.ts"
import { server } from "./server.ts"

const help = `node dist/docs/examples/many-hosts/main.js [options]

Two hosts share orders through a PostgreSQL server. On a terminal, Enter kills the first one.

  --orders N    how many orders (40)
  --kill        kills the first host when a third of the steps is done
  --url URL     a server of yours, postgres://user:password@host/database; else one is started, and ended;
                yours keeps the schema many_hosts: DROP SCHEMA many_hosts CASCADE
  --help        this text`

const { values } = parseArgs({
  options: {
    orders: { type: "string", default: "40" },
    kill: { type: "boolean", default: false },
    url: { type: "string" },
    help: { type: "boolean", default: false }
  }
})

const names = ["host-1", "host-2"] as const
type Name = (typeof names)[number]

/** What the hosts have said. */
const seen = {
  did: new Map<string, Array<Name>>(),
  outputs: new Map<string, ReadonlyArray<string>>(),
  killed: undefined as Name | undefined
}

const host = (name: Name, url: string, schema: string, ids: ReadonlyArray<string>, onSaid: () => void) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const program = fileURLToPath(new URL("host.js", import.meta.url))
      const child = fork(program, [url, schema, JSON.stringify(ids)])
      child.on("message", (said: Said) => {
        if (said.type === "ended") seen.outputs.set(said.id, said.steps)
        else {
          const key = `${said.id} ${said.step}`
          seen.did.set(key, [...(seen.did.get(key) ?? []), name])
        }
        onSaid()
      })
      return child
    }),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )

const ended = (child: ChildProcess) =>
  Effect.async<number | null>((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.succeed(child.exitCode))
    child.once("exit", (code) => resume(Effect.succeed(code)))
  })

const stepsOf = (name: Name): number => [...seen.did.values()].flat().filter((by) => by === name).length

const progress = (orders: number): string =>
  `${names.map((name) => `${name}: ${stepsOf(name)} steps${seen.killed === name ? ", killed" : ""}`).join(" · ")} · ${seen.outputs.size} of ${orders} orders ended`

const program = Effect.gen(function* () {
  const orders = Number(values.orders)
  if (!Number.isInteger(orders) || orders < 1) return yield* Effect.fail("--orders takes a whole number of at least 1")
  if (values.url === undefined) yield* Console.log("starting a PostgreSQL server")
  const url = values.url ?? (yield* server)
  const run = crypto.randomUUID().slice(0, 8)
  const ids = Array.from({ length: orders }, (_, index) => `order-${run}-${index + 1}`)
  const hosts: Array<ChildProcess> = []
  const killOne = (): void => {
    if (seen.killed !== undefined) return
    seen.killed = names[0]
    console.log(`killing ${names[0]}`)
    hosts[0]?.kill("SIGKILL")
  }
  const onSaid = (): void => {
    if (values.kill && seen.did.size >= ids.length) killOne()
  }
  for (const name of names) hosts.push(yield* host(name, url, "many_hosts", ids, onSaid))
  if (process.stdin.isTTY) {
    const keys = createInterface({ input: process.stdin })
    keys.on("line", killOne)
    yield* Effect.addFinalizer(() => Effect.sync(() => keys.close()))
  }

  const shown = yield* Effect.fork(
    Effect.forever(
      Effect.delay(
        Effect.suspend(() => Console.log(progress(orders))),
        "1 second"
      )
    )
  )
  const codes = yield* Effect.forEach(hosts, ended, { concurrency: "unbounded" })
  yield* Fiber.interrupt(shown)

  const isWhole = (id: string): boolean => seen.outputs.get(id)?.join() === steps.join()
  const lost = ids.filter((id) => !isWhole(id))
  const repeated = [...seen.did.values()].filter((by) => by.length > 1)
  yield* Console.log(progress(orders))
  yield* Console.log(`${orders - lost.length} of ${orders} orders ended with all their steps, ${lost.length} lost`)
  yield* Console.log(
    `${repeated.length} steps done again${repeated.length === 0 ? "" : ": their host was killed before they were recorded"}`
  )
  const failed = codes.some((code, index) => code !== 0 && names[index] !== seen.killed)
  if (lost.length > 0 || failed || (repeated.length > 0 && seen.killed === undefined)) {
    return yield* Effect.fail("something was lost, or done twice")
  }
}).pipe(
  Effect.scoped,
  Effect.timeoutFail({ duration: "2 minutes", onTimeout: () => "the orders have not ended within two minutes" })
)

if (values.help) console.log(help)
else {
  const running = Effect.runFork(program)
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => Effect.runFork(Fiber.interrupt(running)))
  }
  const exit = await Effect.runPromise(Fiber.await(running))
  if (exit._tag === "Failure") {
    console.error(`many-hosts: ${Cause.squash(exit.cause)}`)
    process.exit(1)
  }
}
