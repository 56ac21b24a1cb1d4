/**
 * Charts for tests: an approval that waits, charges a child and reports, and what a test asks of a store and host around it.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { assign, setup } from "xstate"
import type { ChartState, ChartTransition } from "../../machines/chart/state.ts"
import type { ProcessId } from "../../src/model/ids.ts"
import { fromDurable } from "../../src/runtime/engine/durable.ts"
import { fromMachine } from "../../src/runtime/engine/fromMachine.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"

const Context = Schema.Struct({
  n: Schema.Int,
  by: Schema.optional(Schema.String),
  receipt: Schema.optional(Schema.String)
})

const approval = setup({
  types: {
    context: {} as typeof Context.Type,
    events: {} as { readonly type: "approve"; readonly by: string } | { readonly type: "remind" },
    input: {} as { readonly n: number },
    output: {} as { readonly state: string; readonly receipt?: string | undefined }
  },
  actors: { charge: fromDurable<{ readonly n: number }, { readonly receipt: string }>() },
  actions: { notify: (_, _params: { readonly to: string }) => {} }
}).createMachine({
  id: "approval",
  context: ({ input }) => ({ n: input.n }),
  initial: "waiting",
  states: {
    waiting: {
      entry: { type: "notify", params: { to: "ana" } },
      after: { "3 days": "expired" },
      on: {
        approve: { target: "paying", actions: assign({ by: ({ event }) => event.by }) },
        remind: { actions: { type: "notify", params: ({ context }) => ({ to: `ana again for ${context.n}` }) } }
      }
    },
    paying: {
      invoke: {
        src: "charge",
        id: "charge",
        input: ({ context }) => ({ n: context.n }),
        onDone: { target: "paid", actions: assign({ receipt: ({ event }) => event.output.receipt }) },
        onError: "refused"
      }
    },
    paid: { type: "final" },
    refused: { type: "final" },
    expired: { type: "final" }
  },
  output: ({ context, event }) => ({ state: event.type, receipt: context.receipt })
})

/** An approval whose actions and charges are noted in `done`, once each may go on. */
export const approvalNoting = (
  done: Array<string>,
  charge: Effect.Effect<void, Error> = Effect.void,
  notify: Effect.Effect<void> = Effect.void
) =>
  fromMachine(approval, {
    version: "1",
    input: Schema.Struct({ n: Schema.Int }),
    context: Context,
    events: { approve: Schema.Struct({ by: Schema.String }), remind: Schema.Struct({}) },
    actions: {
      notify: ({ event }, { to }, { idempotencyKey }) =>
        Effect.andThen(notify, () => void done.push(`notify ${to} because of ${event.type} (${idempotencyKey})`))
    },
    actors: {
      charge: ({ n }, ctx) =>
        Effect.as(
          ctx.step(
            "charge",
            Effect.tap(charge, () => Effect.sync(() => void done.push(`charge ${n}`))),
            { record: "success" }
          ),
          { receipt: `r-${n}` }
        )
    }
  })

/** The transitions in the log of a process. */
export const transitionsOf = (id: string): Effect.Effect<ReadonlyArray<ChartTransition>, unknown, ProcessStore> =>
  Effect.flatMap(ProcessStore, (store) =>
    Effect.map(store.eventsAfter(id as ProcessId, 0), (events) =>
      events.flatMap(({ eventType, payload }) =>
        eventType === "machine.transitioned" ? [payload as ChartTransition] : []
      )
    )
  )

/** The path of a process, as text: `event: from -> to`. */
export const pathOf = (id: string): Effect.Effect<ReadonlyArray<string>, unknown, ProcessStore> =>
  Effect.map(transitionsOf(id), (all) =>
    all.map(({ event, from = "", to }) => `${event.type}: ${JSON.stringify(from)} -> ${JSON.stringify(to)}`)
  )

/** The stored state of a chart. */
export const stateOf = (id: string): Effect.Effect<ChartState | undefined, unknown, ProcessStore> =>
  Effect.flatMap(ProcessStore, (store) =>
    Effect.map(store.find(id as ProcessId), (found) =>
      found._tag === "Present" ? found.row.snapshot.context.chart : undefined
    )
  )
