/**
 * Durable promises: one caller awaits what another resolves, perhaps in another program, perhaps earlier.
 *
 * Invariant: a promise ends once. A second resolution answers how it ended, and an early one is kept.
 */
import { randomUUID } from "node:crypto"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { InputInvalid, StoreError } from "../../model/errors.ts"
import { PromiseUnknown } from "../../model/errors.ts"
import { processId } from "../../model/ids.ts"
import { whenAsked } from "../../model/json.ts"
import * as PromiseKey from "../../model/PromiseKey.ts"
import * as Inputs from "../../operations/checks.ts"
import { acceptWith } from "../../store/Decision.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import { backOffMs } from "./Awaiter.ts"
import { ChangeHub } from "./ChangeHub.ts"

/** What ties keys to this host and its store. Give it a value that only your hosts know, if keys reach strangers. */
export class PromiseSecret extends Context.Reference<PromiseSecret>()("holdfast/runtime/PromiseSecret", {
  defaultValue: (): { readonly secret: string | undefined } => ({ secret: undefined })
}) {}

/** What became of an attempt to resolve. `UnknownOrRevoked`: the key was not made here, or was changed since. */
export type ResolveOutcome =
  | { readonly _tag: "Accepted" }
  | { readonly _tag: "AlreadyResolved"; readonly terminal: PromiseKey.Resolution }
  | { readonly _tag: "UnknownOrRevoked" }

/** Durable promises. */
export class Promises extends Context.Tag("holdfast/runtime/Promises")<
  Promises,
  {
    /** The key of a promise; the same scope and wait have the same one. */
    readonly keyFor: (
      scope: PromiseKey.PromiseScope,
      wait: PromiseKey.PromiseWait
    ) => Effect.Effect<PromiseKey.PromiseKey, InputInvalid>

    /** Ends a promise, also before a caller awaits it. */
    readonly resolve: (
      key: PromiseKey.PromiseKey,
      resolution: PromiseKey.Resolution
    ) => Effect.Effect<ResolveOutcome, InputInvalid | StoreError>

    /**
     * Waits for the end. A deadline that passes ends the promise itself, as `Timeout`; an interruption ends it as `Cancelled`.
     *
     * Units: epoch milliseconds, UTC. Fails with `PromiseUnknown` for a key that was not made here or was changed.
     */
    readonly await: (
      key: PromiseKey.PromiseKey,
      options?: { readonly deadlineMs?: number }
    ) => Effect.Effect<PromiseKey.Resolution, PromiseUnknown | InputInvalid | StoreError>
  }
>() {}

/** Durable promises on the store in context. */
export const layer: Layer.Layer<Promises, never, ProcessStore | ChangeHub> = Layer.effect(
  Promises,
  Effect.gen(function* () {
    const store = yield* ProcessStore
    const hub = yield* ChangeHub
    const inputs = yield* Inputs.make
    const { secret = store.storeId } = yield* PromiseSecret

    const read = (keyId: string) => store.promises.get(keyId)

    const end = (key: PromiseKey.PromiseKey, resolution: PromiseKey.Resolution) =>
      Effect.gen(function* () {
        const checked = yield* inputs.shape("resolution", PromiseKey.Resolution, resolution)
        const { keyId } = key
        const write = { _tag: "EndPromise", keyId, body: encode(checked), token: randomUUID() } as const
        yield* store.transact({ lock: [] }, () => acceptWith(undefined, [write]))
        hub.notify(nameOf(key))
        const stored = yield* read(keyId)
        return stored === undefined || stored.token === write.token ? undefined : decode(stored.body)
      })

    const wait = (key: PromiseKey.PromiseKey, deadlineMs: number) =>
      Effect.acquireUseRelease(
        Effect.sync(() => hub.subscribe(nameOf(key), { isUnseen: true })),
        (subscription) => {
          const attempt = (reads: number): Effect.Effect<PromiseKey.Resolution, InputInvalid | StoreError> =>
            Effect.gen(function* () {
              const stored = yield* read(key.keyId)
              if (stored !== undefined) return decode(stored.body)
              const leftMs = deadlineMs - (yield* Clock.currentTimeMillis)
              if (leftMs <= 0) return (yield* end(key, { _tag: "Timeout" })) ?? ({ _tag: "Timeout" } as const)
              const why = yield* subscription.next(Math.min(backOffMs(reads), leftMs))
              return yield* attempt(why === "changed" ? 0 : reads + 1)
            })
          return attempt(0)
        },
        (subscription) => Effect.sync(subscription.close)
      )

    return Promises.of({
      keyFor: (scope, awaited) => Effect.suspend(() => PromiseKey.make(scope, awaited, secret)),
      resolve: (key, resolution) =>
        PromiseKey.isGenuine(key, secret)
          ? Effect.map(
              end(key, resolution),
              (terminal): ResolveOutcome =>
                terminal === undefined ? { _tag: "Accepted" } : { _tag: "AlreadyResolved", terminal }
            )
          : Effect.succeed({ _tag: "UnknownOrRevoked" }),
      await: (key, { deadlineMs = Number.POSITIVE_INFINITY } = {}) =>
        PromiseKey.isGenuine(key, secret)
          ? Effect.onInterrupt(wait(key, deadlineMs), () =>
              Effect.catchAll(end(key, { _tag: "Cancelled" }), (error) =>
                Effect.logWarning(`${PromiseKey.promiseName(key)} not cancelled: ${error.message}`)
              )
            )
          : Effect.fail(new PromiseUnknown({ keyId: key.keyId }))
    })
  })
)

/** The hub knows waiters by text: a promise's name is no process's. */
const nameOf = (key: PromiseKey.PromiseKey) => processId(PromiseKey.promiseName(key))

const Text = Schema.parseJson(PromiseKey.Resolution)
const encode = whenAsked(() => Schema.encodeSync(Text))
const decode = whenAsked(() => Schema.decodeSync(Text))
