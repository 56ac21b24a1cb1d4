/**
 * Two machines that talk: a buyer and a seller, each a durable process. What one says is in the log of the other with the commit
 * that says it, and is taken once, whatever becomes of their hosts.
 *
 * The seller has the last word, so the two never end with different prices.
 */
import * as Schema from "effect/Schema"
import { assign, sendTo, setup } from "xstate"
import { Engine } from "../../../src/index.ts"

const Price = Schema.Int.pipe(Schema.between(0, 1_000_000))
const Priced = Schema.Struct({ price: Price })
const Said = Schema.Struct({ price: Price, by: Schema.NonEmptyString })
type Priced = typeof Priced.Type
type Said = typeof Said.Type

/** A price that both agreed on, or none. */
export const Deal = Schema.Struct({ price: Schema.NullOr(Price) })
type Deal = typeof Deal.Type

/** What a seller asks for at first, and the least that it takes. */
const Offered = Schema.Struct({ asking: Price, least: Price })

/** The seller: it lowers its price half the way to each offer, and sells when an offer reaches the least that it takes. */
export const seller = setup({
  types: {
    context: {} as typeof Offered.Type & { readonly buyer: string; readonly sold: number | null },
    events: {} as
      | ({ readonly type: "offer" } & Said)
      | ({ readonly type: "accept" } & Said)
      | { readonly type: "leave" },
    input: {} as typeof Offered.Type,
    output: {} as Deal
  },
  actions: {
    counter: sendTo(
      ({ system, context }) => system.get(context.buyer),
      ({ context }) => ({ type: "counter", price: context.asking })
    ),
    sell: sendTo(
      ({ system, context }) => system.get(context.buyer),
      ({ context }) => ({ type: "sold", price: context.sold ?? 0 })
    )
  },
  guards: {
    isEnough: ({ context }, { price }: Priced) => price >= context.least,
    isAsked: ({ context }, { price }: Priced) => price === context.asking
  }
}).createMachine({
  id: "seller",
  context: ({ input }) => ({ ...input, buyer: "", sold: null }),
  initial: "open",
  states: {
    open: {
      on: {
        offer: [
          {
            guard: { type: "isEnough", params: ({ event }) => event },
            target: "sold",
            actions: [assign({ buyer: ({ event }) => event.by, sold: ({ event }) => event.price }), "sell"]
          },
          {
            actions: [
              assign({
                buyer: ({ event }) => event.by,
                asking: ({ context, event }) => Math.max(context.least, Math.floor((context.asking + event.price) / 2))
              }),
              "counter"
            ]
          }
        ],
        accept: {
          guard: { type: "isAsked", params: ({ event }) => event },
          target: "sold",
          actions: [assign({ buyer: ({ event }) => event.by, sold: ({ event }) => event.price }), "sell"]
        },
        leave: "unsold"
      },
      after: { "30 days": "unsold" }
    },
    sold: { type: "final" },
    unsold: { type: "final" }
  },
  output: ({ context }) => ({ price: context.sold })
})

/** Whom a buyer talks to, what it offers at first, and the most that it pays. */
const Wanted = Schema.Struct({ seller: Schema.NonEmptyString, offer: Price, most: Price })

/** The buyer: it raises its offer half the way to each price, and leaves when neither moves any more. */
export const buyer = setup({
  types: {
    context: {} as typeof Wanted.Type & { readonly heard: number | null; readonly paid: number | null },
    events: {} as ({ readonly type: "counter" } & Priced) | ({ readonly type: "sold" } & Priced),
    input: {} as typeof Wanted.Type,
    output: {} as Deal
  },
  actions: {
    offer: sendTo(
      ({ system, context }) => system.get(context.seller),
      ({ context, self }) => ({ type: "offer", price: context.offer, by: self.id })
    ),
    accept: sendTo(
      ({ system, context }) => system.get(context.seller),
      ({ context, self }) => ({ type: "accept", price: context.heard ?? 0, by: self.id })
    ),
    leave: sendTo(({ system, context }) => system.get(context.seller), { type: "leave" })
  },
  guards: {
    isCheap: ({ context }, { price }: Priced) => price <= context.most,
    isHopeless: ({ context }, { price }: Priced) => price === context.heard && context.offer >= context.most
  }
}).createMachine({
  id: "buyer",
  context: ({ input }) => ({ ...input, offer: Math.min(input.offer, input.most), heard: null, paid: null }),
  entry: "offer",
  initial: "haggling",
  on: { sold: { target: ".bought", actions: assign({ paid: ({ event }) => event.price }) } },
  states: {
    haggling: {
      on: {
        counter: [
          {
            guard: { type: "isCheap", params: ({ event }) => event },
            target: "agreeing",
            actions: [assign({ heard: ({ event }) => event.price }), "accept"]
          },
          { guard: { type: "isHopeless", params: ({ event }) => event }, target: "left", actions: "leave" },
          {
            actions: [
              assign({
                heard: ({ event }) => event.price,
                offer: ({ context, event }) => Math.min(context.most, Math.ceil((context.offer + event.price) / 2))
              }),
              "offer"
            ]
          }
        ]
      }
    },
    agreeing: { description: "The seller has the last word." },
    bought: { type: "final" },
    left: { type: "final" }
  },
  output: ({ context }) => ({ price: context.paid })
})

/** The seller as a durable process. */
export const Seller = Engine.fromMachine(seller, {
  version: "1",
  input: Offered,
  output: Deal,
  events: { offer: Said, accept: Said, leave: Schema.Struct({}) }
})

/** The buyer as a durable process. */
export const Buyer = Engine.fromMachine(buyer, {
  version: "1",
  input: Wanted,
  output: Deal,
  events: { counter: Priced, sold: Priced }
})
