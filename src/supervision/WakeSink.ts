/**
 * The wake sink: the host's own way to deliver a message to a session.
 *
 * The driver delivers every wake at least once, those of one process for one target in the order of their events. A repeated
 * delivery has the same id and the same source key. A wake that was discarded and redriven comes out of that order, marked
 * `late`, when a later one was delivered meanwhile.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { WakeDelivery } from "../model/WakeDelivery.ts"

/**
 * What a sink answers. `Delivered`: the message is durable at its target. `RetryLater`: it was not delivered; try again.
 * `TargetGone`: it never can be; the driver discards the wake, and an operator may redrive it.
 */
export type SinkAnswer = { readonly _tag: "Delivered" | "RetryLater" | "TargetGone" }

/**
 * Delivers a message to its session.
 *
 * It must be idempotent: the same `wakeId` and source key (`Wakes.sourceKey`) may come again after a crash and must not become
 * a second message. The same id with another source key is a later event whose message the earlier one no longer covers.
 * After a failure, a defect, or silence for two thirds of a claim the driver delivers the message again.
 */
export type Deliver = (wake: WakeDelivery) => Effect.Effect<SinkAnswer, unknown>

/** The sink of a host. Without `deliver` the driver claims no wakes: they stay in the outbox. */
export class WakeSink extends Context.Tag("holdfast/supervision/WakeSink")<
  WakeSink,
  { readonly deliver?: Deliver }
>() {}

/** A sink that is one function. */
export const layer = (deliver: Deliver): Layer.Layer<WakeSink> => Layer.succeed(WakeSink, { deliver })

/** The sink of a host that has none: wakes stay in the outbox for a host that has one. */
export const layerNoop: Layer.Layer<WakeSink> = Layer.succeed(WakeSink, {})
