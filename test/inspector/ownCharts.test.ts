/**
 * A process's own chart as the inspector has it: made again of its stored definition, and without what a redaction hides.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "effect/FastCheck"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { AnyStateMachine } from "xstate"
import { assign, createMachine, raise, setup } from "xstate"
import type { StateDefinition } from "../../machines/chart/definition.ts"
import { structureOf } from "../../machines/chart/definition.ts"
import { machineFrom } from "../../machines/chart/rebuilt.ts"
import { Processes } from "../../src/host/Processes.ts"
import { statesOf } from "../../src/inspector/charts/definition.ts"
import { diagram } from "../../src/inspector/charts/mermaid.ts"
import * as Inspector from "../../src/inspector/Inspector.ts"
import { fromMachine } from "../../src/runtime/engine/fromMachine.ts"
import { stateOf } from "../chart/charts.ts"
import { bounded, sqlite, temporaryFolder, until } from "../support/hosts.ts"

/** A structure without what XState performs, which has no name for a reader. */
const drawn = ({ entry = [], exit = [], transitions = [], states, ...rest }: StateDefinition): object => ({
  ...rest,
  entry: entry.filter((name) => !name.startsWith("xstate.")),
  exit: exit.filter((name) => !name.startsWith("xstate.")),
  transitions: transitions.map(({ actions = [], ...transition }) => ({
    ...transition,
    actions: actions.filter((name) => !name.startsWith("xstate."))
  })),
  states: Object.fromEntries(Object.entries(states ?? {}).map(([key, state]) => [key, drawn(state)]))
})

const again = (machine: AnyStateMachine) =>
  drawn(structureOf(machineFrom({ version: "1", structure: structureOf(machine) })))

interface Config {
  readonly id: string
  readonly keys: ReadonlyArray<string>
  readonly hasIds: boolean
  readonly isParallel: boolean
}

/** Keys with points, backslashes and spaces, and ids of their own. */
const config = fc.record({
  id: fc.constantFrom("m", "orders.approval", "one two"),
  keys: fc.uniqueArray(fc.constantFrom("a", "b.c", "v1.2", "x y", "back\\slash"), { minLength: 1, maxLength: 4 }),
  hasIds: fc.boolean(),
  isParallel: fc.boolean()
})
const machineOf = ({ id, keys, hasIds, isParallel }: Config): AnyStateMachine => {
  const [first = "a"] = keys
  const state = (name: string) => ({
    ...(hasIds ? { id: `own.${name}` } : {}),
    tags: ["t"],
    on: {
      GO: { ...(hasIds ? { target: `#own\\.${first.replace(/[\\.]/g, "\\$&")}` } : {}), actions: "note" },
      STAY: {}
    },
    after: { 10: { actions: "note" } },
    initial: { target: "inner", actions: "note" },
    states: {
      inner: { id: `deep ${name}`, on: { BACK: { target: "past", actions: raise({ type: "GO" }) } } },
      past: { type: "history", history: "deep" },
      before: { type: "history", target: "past" }
    }
  })
  return createMachine({
    id,
    ...(isParallel ? { type: "parallel" } : { initial: first }),
    states: Object.fromEntries(keys.map((name) => [name, state(name)]))
  } as never) // the keys are of any kind
}

describe("a machine that is made again of its definition", () => {
  it("has the same states, transitions and names, whatever is in its keys and ids", () => {
    fc.assert(
      fc.property(config, (given) => {
        const machine = machineOf(given)
        assert.deepStrictEqual(again(machine), drawn(structureOf(machine)))
      }),
      { numRuns: 200 }
    )
  })
})

const secretive = setup({
  types: { context: {} as { readonly word: string }, events: {} as { readonly type: "say"; readonly word: string } },
  actions: { tell: (_, _params: { readonly word: string }) => {} }
}).createMachine({
  id: "orders.secretive",
  context: { word: "context-word" },
  initial: "on",
  states: {
    on: {
      entry: { type: "tell", params: { word: "param-word" } },
      after: { 100000: "over" },
      on: { say: { actions: assign({ word: ({ event }) => event.word }) } }
    },
    over: { type: "final" }
  }
})

/** A machine whose action never ends, so that it stays in the record. */
const Secretive = fromMachine(secretive, {
  version: "1",
  input: Schema.Undefined as Schema.Schema<undefined, unknown>,
  events: { say: Schema.Struct({ word: Schema.String }) },
  actions: { tell: () => Effect.never }
})

describe("a machine drawn as a Mermaid diagram", () => {
  it("names every state by a word of its own, and lights the innermost active ones, whatever is in keys and ids", () => {
    fc.assert(
      fc.property(config, (given) => {
        const machine = machineOf(given)
        const active = statesOf(machine.root).map(({ id }) => id)
        const lines = diagram(machine, active).map((line) => line.trim().replace(/#\d+;/g, ""))
        const names = lines.slice(1).flatMap((line) => {
          if (/^(\}|--|class.*)$/.test(line)) return []
          const [, from, to] = /^(.*) --> (\S+)(?: : [^:;#"]*)?$/.exec(line) ?? []
          const [, declared] = /^(?:state (?:"[^"]*" as )?)?(\S+)/.exec(line) ?? []
          return from === undefined ? [declared ?? ""] : [from, to ?? ""]
        })
        for (const name of names) assert.match(name, /^([A-Za-z]\w*|\[\*\])$/)
        const inner = statesOf(machine.root).filter(({ states }) => Object.keys(states).length === 0)
        const lit = lines.filter((line) => line.startsWith("class ")).map((line) => line.split(" ")[1])
        assert.strictEqual(new Set(lit).size, inner.length)
        for (const name of lit) assert.include(names, name)
      })
    )
  })
})

describe("the inspector of a process whose body is a machine", () => {
  it.live("draws it whatever its id is, hides what it carries, and refuses what names no definition", () =>
    bounded(
      Effect.scoped(
        Effect.gen(function* () {
          const filename = `${yield* temporaryFolder}/a.db`
          yield* Effect.gen(function* () {
            const processes = yield* Processes
            const handle = yield* processes.start(Secretive, { id: "p", payload: undefined })
            yield* handle.send({ type: "say", word: "event-word" })
            yield* until(Effect.map(stateOf("p"), (chart) => chart?.inputs === 1))
          }).pipe(Effect.provide(sqlite(filename, [Secretive])))
          const redact = () => "[hidden]"
          const inspected = Inspector.layerFile({ filename, token: "secret", redact })
          yield* Effect.gen(function* () {
            const { port } = yield* Inspector.Inspector
            const ask = (path: string) =>
              Effect.promise(async () => {
                const answer = await fetch(`http://127.0.0.1:${port}/api/${path}`, {
                  headers: { authorization: "Bearer secret" }
                })
                return { status: answer.status, text: await answer.text() }
              })
            for (const path of [
              "process?id=p",
              "events?id=p",
              "state?id=p&sequence=2",
              "state?id=p&sequence=1",
              "explain?id=p",
              "messages?id=p"
            ]) {
              const { status, text } = yield* ask(path)
              assert.strictEqual(status, 200, path)
              for (const word of ["context-word", "param-word", "event-word"]) assert.notInclude(text, word, path)
            }
            const { machine, active } = JSON.parse((yield* ask("process?id=p")).text)
            assert.deepStrictEqual(active, ["orders.secretive", "orders.secretive.on"])
            assert.strictEqual((yield* ask(`machine?id=${encodeURIComponent(machine)}`)).status, 200)
            const attempt = (body: object) =>
              Effect.promise(async () => {
                const answer = await fetch(`http://127.0.0.1:${port}/api/try`, {
                  method: "POST",
                  headers: { authorization: "Bearer secret", "content-type": "application/json" },
                  body: JSON.stringify({ machine, value: "on", history: {}, event: "say", ...body })
                })
                return { status: answer.status, tried: (await answer.json()) as Readonly<Record<string, unknown>> }
              })
            assert.deepInclude((yield* attempt({})).tried, { possible: true, value: "on" })
            for (const value of ["off", { on: "x" }]) {
              assert.deepInclude((yield* attempt({ value })).tried, { possible: false }, JSON.stringify(value))
            }
            for (const body of [
              { machine: "process" },
              { machine: "chart {" },
              { event: 7 },
              { history: [] },
              { value: 7 }
            ]) {
              assert.strictEqual((yield* attempt(body)).status, 400, JSON.stringify(body))
            }
            for (const id of ["chart null", "chart []", "chart [1,2,3]", 'chart ["a","1","h"]', "chart {", "chart "]) {
              assert.strictEqual((yield* ask(`machine?id=${encodeURIComponent(id)}`)).status, 400, id)
            }
          }).pipe(Effect.provide(inspected as Layer.Layer<Inspector.Inspector>))
        })
      )
    )
  )
})
