/**
 * This library, as the program of the peers measures it; its two stores are modules of their own.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Schema from "effect/Schema"
import { Processes } from "../../../src/host/Processes.ts"
import type { HostServices } from "../../../src/host/SingleHost.ts"
import * as Engine from "../../../src/runtime/engine/Engine.ts"
import { Go, Waiter } from "../execution.ts"
import { quiet, Trivial } from "../host.ts"
import type { Peer } from "./Peer.ts"

const Family = Engine.make("bench.family", {
  version: "1",
  payload: Schema.Struct({ children: Schema.Int }),
  success: Schema.Int,
  disposition: "rerunnable",
  run: ({ children }, ctx) =>
    Effect.map(
      Effect.forEach(
        Array.from({ length: children }, (_, item) => item),
        (item) =>
          Effect.flatMap(ctx.start(Trivial, { name: `child-${item}`, payload: { item } }), (child) => child.await),
        { concurrency: "unbounded" }
      ),
      (all) => all.length
    )
})

/** The engines of every contest. */
export const engines = [Trivial, Waiter, Family] as const

/** Runs a host, with its defaults, as long as the peer is open. */
export const openOn = async <E>(host: Layer.Layer<HostServices, E>): Promise<Peer> => {
  const runtime = ManagedRuntime.make(Layer.provideMerge(host, quiet))
  const processes = await runtime.runPromise(Processes)
  const run = runtime.runPromise
  return {
    complete: (id, item) =>
      run(Effect.flatMap(processes.start(Trivial, { id, payload: { item } }), (handle) => handle.await)),
    wait: (id) => run(Effect.asVoid(processes.start(Waiter, { id, payload: null }))),
    signal: (id, value) => run(Effect.asVoid(processes.handle(Waiter, id).signal(Go, value))),
    ended: (id) => run(processes.handle(Waiter, id).await),
    family: (id, children) =>
      run(Effect.flatMap(processes.start(Family, { id, payload: { children } }), (handle) => handle.await)),
    close: () => runtime.dispose()
  }
}
