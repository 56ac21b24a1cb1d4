import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { setup } from "xstate"
import type { EmbeddedHost } from "../../src/host/embed/createHost.ts"
import * as Embed from "../../src/host/embed/createHost.ts"
import type { Processes } from "../../src/host/Processes.ts"
import { fromDurable } from "../../src/runtime/engine/durable.ts"
import type { Runnable } from "../../src/runtime/engine/Engine.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import { fromMachine } from "../../src/runtime/engine/fromMachine.ts"
import type { EventFields } from "../../src/runtime/engine/MachineOptions.ts"
import * as Machines from "../../src/testing/Machines.ts"

const machine = setup({
  types: {
    context: {} as { readonly n: number },
    events: {} as { readonly type: "approve"; readonly by: string } | { readonly type: "reject" },
    input: {} as { readonly n: number },
    output: {} as { readonly by: string },
    tags: {} as "open",
    emitted: {} as { readonly type: "asked" }
  },
  actors: { charge: fromDurable<{ readonly n: number }, { readonly receipt: string }>() },
  actions: { notify: (_, _params: { readonly to: string }) => {} }
}).createMachine({
  id: "typed",
  context: ({ input }) => ({ n: input.n }),
  initial: "waiting",
  states: { waiting: { tags: "open", initial: "first", states: { first: {} } }, done: { type: "final" } },
  entry: { type: "notify", params: { to: "ana" } },
  output: { by: "ana" }
})

const base = { version: "1", input: Schema.Struct({ n: Schema.Int }) } as const
const actors = { charge: () => Effect.succeed({ receipt: "r" }) }
const actions = { notify: () => Effect.void }
const Typed = fromMachine(machine, { ...base, actors, actions })

const textual = (_: { readonly n: string }) => Effect.succeed({ receipt: "r" })

/** What is written in it is compiled, and never run. */
const compiled = (_program: unknown): void => assert.isFunction(_program)

describe("the types of an engine from a machine", () => {
  it("name its actors, and what goes in and comes out of each", () => {
    compiled(() => [
      // @ts-expect-error -- the actor is missing
      fromMachine(machine, { ...base, actions }),
      // @ts-expect-error -- the actor is missing among the actors
      fromMachine(machine, { ...base, actions, actors: {} }),
      // @ts-expect-error -- the actor comes to something else
      fromMachine(machine, { ...base, actions, actors: { charge: () => Effect.succeed({ receipt: 7 }) } }),
      // @ts-expect-error -- the actor is given something else
      fromMachine(machine, { ...base, actions, actors: { charge: textual } })
    ])
  })

  it("name its actions and their parameters", () => {
    compiled(() => [
      // @ts-expect-error -- there is no such action
      fromMachine(machine, { ...base, actors, actions: { ...actions, shout: () => Effect.void } }),
      fromMachine(machine, {
        ...base,
        actors,
        // @ts-expect-error -- the parameters are others
        actions: { notify: (_seen: unknown, _params: { readonly to: number }) => Effect.void }
      }),
      fromMachine(machine, {
        ...base,
        actors,
        // @ts-expect-error -- the context has no such field
        actions: { notify: ({ context }) => Effect.succeed(context.m) }
      })
    ])
  })

  it("name its events and their fields, its input and context", () => {
    compiled(() => [
      // @ts-expect-error -- there is no such event
      fromMachine(machine, { ...base, actors, actions, events: { burn: Schema.Struct({}) } }),
      // @ts-expect-error -- the event carries something else
      fromMachine(machine, { ...base, actors, actions, events: { approve: Schema.Struct({ by: Schema.Int }) } }),
      // @ts-expect-error -- the input is another
      fromMachine(machine, { version: "1", input: Schema.Struct({ n: Schema.String }), actors, actions }),
      // @ts-expect-error -- the context is another
      fromMachine(machine, { ...base, actors, actions, context: Schema.Struct({ n: Schema.String }) })
    ])
  })
})

/** Its events of one shape have two types, and those of one type have two shapes. */
const shared = setup({
  types: {
    events: {} as
      | { readonly type: "warmer" | "colder"; readonly by: number }
      | { readonly type: "note"; readonly text: string }
      | { readonly type: "note"; readonly image: string }
  }
}).createMachine({ id: "shared" })

describe("the types of events that share a shape or a type", () => {
  const By = Schema.Struct({ by: Schema.Number })
  const Note = Schema.Union(Schema.Struct({ text: Schema.String }), Schema.Struct({ image: Schema.String }))
  const options = { version: "1", input: Schema.Unknown } as const

  it("are what each type carries", () => {
    expectTypeOf<EventFields<typeof shared, "warmer">>().toEqualTypeOf<{ readonly by: number }>()
    compiled(() => {
      const Shared = fromMachine(shared, { ...options, events: { warmer: By, colder: By, note: Note } })
      // @ts-expect-error -- the event carries a number
      fromMachine(shared, { ...options, events: { colder: Schema.Struct({ by: Schema.String }) } })
      // @ts-expect-error -- it carries a text or an image
      fromMachine(shared, { ...options, events: { note: By } })
      return (processes: typeof Processes.Service) =>
        Effect.gen(function* () {
          const handle = yield* processes.start(Shared, { id: "s", payload: null })
          yield* handle.send({ type: "warmer", by: 1 })
          yield* handle.send({ type: "note", image: "a" })
          // @ts-expect-error -- the event lacks a field
          yield* handle.send({ type: "colder" })
          // @ts-expect-error -- the field is another
          yield* handle.ask({ type: "colder", by: "1" })
          // @ts-expect-error -- it has neither
          yield* handle.send({ type: "note" })
        })
    })
  })
})

const regions = setup({ types: { context: {} as object } }).createMachine({
  id: "regions",
  context: {},
  type: "parallel",
  states: { a: { initial: "x", states: { x: {}, y: {} } }, b: { initial: "x", states: { x: {}, y: {} } } }
})

describe("the types of a migration", () => {
  it("take a state as it is written, and none that the machine does not have", () => {
    const input = Schema.Unknown
    const context = {}
    compiled(() => [
      fromMachine(regions, { version: "2", input, migrate: { "1": () => ({ value: { a: "y", b: "x" }, context }) } }),
      // @ts-expect-error -- there is no such state in the region
      fromMachine(regions, { version: "2", input, migrate: { "1": () => ({ value: { a: "z", b: "x" }, context }) } }),
      fromMachine(machine, {
        ...base,
        actors,
        migrate: { "1": ({ timers }) => ({ value: "done", context: { n: timers.length } }) }
      }),
      fromMachine(machine, {
        ...base,
        actors,
        // @ts-expect-error -- there is no such state
        migrate: { "1": () => ({ value: "nowhere", context: { n: 1 } }) }
      })
    ])
  })
})

describe("the types of a check of a machine", () => {
  it("are those of its context, actors, actions and events", () => {
    compiled(() => [
      Machines.check(Typed, {
        invariants: { "n is a number": ({ context }) => context.n > 0 },
        actors: { charge: ({ n }) => ({ receipt: `r-${n}` }) },
        world: 0,
        actions: { notify: (calls, { params }) => calls + params.to.length }
      }),
      // @ts-expect-error -- the context has no such field
      Machines.check(Typed, { invariants: { m: ({ context }) => context.m > 0 } }),
      // @ts-expect-error -- the actor answers something else
      Machines.check(Typed, { actors: { charge: () => ({ receipt: 7 }) } }),
      // @ts-expect-error -- there is no such action
      Machines.check(Typed, { actions: { shout: (world: unknown) => world } })
    ])
  })
})

class Mail extends Effect.Tag("test/Mail")<Mail, { readonly send: Effect.Effect<void> }>() {}
class Bell extends Effect.Tag("test/Bell")<Bell, { readonly ring: Effect.Effect<void> }>() {}

describe("what an engine from a machine requires of its host", () => {
  it("is what its actions and actors require, engines among them", () => {
    compiled(() => {
      const byAction = fromMachine(machine, { ...base, actors, actions: { notify: { run: () => Mail.send } } })
      const asRunnable: Runnable<Mail> = byAction
      // @ts-expect-error -- it requires the mail
      const asFree: Runnable<never> = byAction
      const Charge = Engine.make("charge", {
        version: "1",
        payload: Schema.Struct({ n: Schema.Int }),
        success: Schema.Struct({ receipt: Schema.String }),
        disposition: "rerunnable",
        run: () => Effect.as(Bell.ring, { receipt: "r" })
      })
      const byBoth = fromMachine(machine, {
        ...base,
        actions: { notify: () => Mail.send },
        actors: { charge: Charge }
      })
      const both: Runnable<Mail | Bell> = byBoth
      // @ts-expect-error -- its actor requires the bell
      const mailOnly: Runnable<Mail> = byBoth
      const free: Runnable<never> = Typed
      return [asRunnable, asFree, both, mailOnly, free]
    })
  })
})

describe("the types of a handle on a machine", () => {
  it("are those of its events, states, tags and output", () => {
    compiled((processes: typeof Processes.Service) =>
      Effect.gen(function* () {
        const handle = yield* processes.start(Typed, { id: "a", payload: { n: 1 } })
        // @ts-expect-error -- the payload is another
        yield* processes.start(Typed, { id: "a", payload: { n: "1" } })
        // @ts-expect-error -- there is no such event
        yield* handle.send({ type: "burn" })
        // @ts-expect-error -- the event lacks a field
        yield* handle.send({ type: "approve" })
        // @ts-expect-error -- the field is another
        yield* handle.ask({ type: "approve", by: 7 })
        // @ts-expect-error -- there is nothing else to expect
        yield* handle.send({ type: "reject" }, { expect: "applause" })
        // @ts-expect-error -- there is no such event to judge
        yield* handle.can({ type: "burn" })
        // @ts-expect-error -- there is no such state
        yield* handle.waitFor({ state: "nowhere" })
        // @ts-expect-error -- there is no such tag
        yield* handle.waitFor({ tag: "shut" })
        const snapshot = yield* handle.waitFor((seen) => seen.matches({ waiting: "first" }) || seen.hasTag("open"))
        // @ts-expect-error -- there is no such state
        snapshot.matches("nowhere")
        // @ts-expect-error -- there is no such state within
        snapshot.matches({ waiting: "second" })
        // @ts-expect-error -- there is no such tag
        snapshot.hasTag("shut")
        expectTypeOf(snapshot.context).toEqualTypeOf<{ readonly n: number }>()
        expectTypeOf(snapshot.output).toEqualTypeOf<{ readonly by: string } | undefined>()
        expectTypeOf(snapshot.accepts[0]?.type).toEqualTypeOf<"approve" | "reject" | undefined>()
        expectTypeOf(yield* handle.await).toEqualTypeOf<{ readonly by: string }>()
      })
    )
  })

  it("are the same with Promises", () => {
    compiled(async (host: EmbeddedHost) => {
      const options = { ...base, actions: { notify: async () => {} } }
      // @ts-expect-error -- the actor is missing
      Embed.fromMachine(machine, options)
      const wrong = { charge: async () => ({ receipt: 7 }) }
      // @ts-expect-error -- the actor comes to something else
      Embed.fromMachine(machine, { ...options, actors: wrong })
      const Promised = Embed.fromMachine(machine, { ...options, actors: { charge: async () => ({ receipt: "r" }) } })
      const handle = await host.start(Promised, { id: "a", payload: { n: 1 } })
      // @ts-expect-error -- the event lacks a field
      await handle.send({ type: "approve" })
      // @ts-expect-error -- there is no such state
      await handle.waitFor({ state: "nowhere" })
      expectTypeOf(await handle.result()).toEqualTypeOf<{ readonly by: string }>()
      for await (const event of handle.emitted()) expectTypeOf(event.type).toEqualTypeOf<"asked">()
    })
  })
})
