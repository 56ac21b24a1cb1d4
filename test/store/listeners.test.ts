import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Listeners from "../../src/store/listeners.ts"

it.scoped("a listener that throws is logged each time and stays, and keeps nothing from the others", () =>
  Effect.gen(function* () {
    const warnings: Array<Error> = []
    const hear = (warning: Error): void => void warnings.push(warning)
    yield* Effect.acquireRelease(
      Effect.sync(() => process.on("warning", hear)),
      () => Effect.sync(() => process.off("warning", hear))
    )
    const listeners = Listeners.make<number>()
    const heard: Array<string> = []
    yield* listeners.subscribe((message) => {
      heard.push(`throws ${message}`)
      throw new Error(`no ${message}`)
    })
    yield* listeners.subscribe((message) => void heard.push(`hears ${message}`))
    for (const message of [1, 2]) listeners.publish(message)
    assert.deepStrictEqual(heard, ["throws 1", "hears 1", "throws 2", "hears 2"])
    // A warning is heard at the next turn of the event loop.
    yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
    const own = warnings.filter(({ name }) => name === "HoldfastWarning")
    assert.deepStrictEqual(
      own.map(({ message }) => message),
      ["a listener threw: Error: no 1", "a listener threw: Error: no 2"]
    )
  })
)
