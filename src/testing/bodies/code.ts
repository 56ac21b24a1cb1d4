/**
 * Random bodies as code that a person can paste into a test.
 */
import type { ChildKind, Going, Program } from "./Program.ts"

/** How a body is written. */
export type Form = "effects" | "promises"

/** The engine of a program as TypeScript. */
export const codeOf = (program: Program, form: Form): string => {
  const promises = form === "promises"
  const write = promises ? promised : effectful
  const body = `run: ${promises ? "async (_, ctx) =>" : "(_, ctx) =>"}`
  return [
    `const body = ${promises ? "engine" : "Engine.make"}("body", {`,
    '  version: "1", payload: Schema.Null, success: Schema.Unknown, signals: [zero, one], events: [Noted],',
    '  disposition: "rerunnable",',
    `  ${body} ${promises ? "{\n" : ""}${indent(write(program, "ctx"), 4)}${promises ? "\n  }" : ""}`,
    "})"
  ].join("\n")
}

const indent = (text: string, by: number): string =>
  text
    .split("\n")
    .map((line) => `${" ".repeat(by)}${line}`)
    .join("\n")

const effectful = (node: Program, ctx: string): string => {
  const name = `"n${node.at}"`
  const of = (part: Program): string => effectful(part, ctx)
  const list = (parts: ReadonlyArray<string>): string => `[\n${parts.map((part) => indent(part, 2)).join(",\n")}\n]`
  const scoped = (part: Program): string => `${ctx}.scope("b${part.at}",\n${indent(of(part), 2)})`
  switch (node.is) {
    case "step":
      return `${ctx}.step(${name}, ${effectOf(node.going)}, { error: Refused }).pipe(Effect.catchAllDefect(Effect.fail))`
    case "sleep":
      return `${ctx}.sleep(${node.ms}, { name: ${name} })`
    case "pause":
      return `Effect.sleep(${node.ms})`
    case "wait":
      return `${ctx}.awaitSignal(${waitOf(node)})`
    case "given up":
      return `Effect.race(${ctx}.awaitSignal(${node.signal === 0 ? "zero" : "one"}, { name: ${name} }), ${ctx}.sleep(${node.ms}, { name: "n${node.at} limit" }))`
    case "chance":
      return `Effect.flatMap(Effect.all([${ctx}.now, ${ctx}.random, ${ctx}.patched("n${node.at} new")]), (all) => ${ctx}.step(${name}, Effect.succeed(all)))`
    case "event":
      return `${ctx}.appendEvent(Noted, ${node.at}, { name: ${name} })`
    case "inside":
      return `${ctx}.step(${name}, Effect.asVoid(${ctx}.${inner(node.asks, "Effect.void")}))`
    case "refused":
      return `${ctx}.${noneOf(node)}${node.asks === "end" ? ".await" : ""}`
    case "plain":
      return "Effect.promise(() => new Promise((done) => setImmediate(done)))"
    case "child": {
      const by = (asked: string): string =>
        `Effect.zipRight(Effect.flatMap(${asked}, ({ status }) => ${ctx}.step(\`n${node.at} \${status._tag}\`, Effect.void))`
      const endings = {
        await: "child.await",
        cancel: `${by("child.cancel()")}, child.await)`,
        ask: `${by("child.status")}, child.await)`,
        leave: "Effect.void"
      }
      return `Effect.flatMap(${ctx}.start(${childOf(node.kind, name)}), (child) => ${endings[node.ending]})${grow(node)}`
    }
    case "seq":
      return `Effect.all(${list(node.parts.map(of))})`
    case "all":
      return `Effect.all(${list(node.parts.map(scoped))}, { concurrency: "unbounded" })`
    case "race":
      return `Effect.raceAll(${list(node.parts.map(scoped))})`
    case "limit":
      return `Effect.timeout(\n${indent(of(node.part), 2)},\n  ${node.ms})`
    case "caught":
      return `Effect.catchAll(\n${indent(of(node.part), 2)},\n  () =>\n${indent(of(node.otherwise), 4)})`
    case "loop":
      return `Effect.repeatN(\n${indent(of(node.part), 2)},\n  ${node.times - 1})`
    case "finally":
      return `Effect.onExit(\n${indent(of(node.part), 2)},\n  () => Effect.ignore(\n${indent(of(node.after), 4)}))`
    case "insist":
      return `Effect.uninterruptible(\n${indent(of(node.part), 2)})`
  }
}

const promised = (node: Program, ctx: string): string => {
  const name = `"n${node.at}"`
  const of = (part: Program): string => promised(part, ctx)
  const branches = (parts: ReadonlyArray<Program>): string =>
    parts.map((part) => `  b${part.at}: async (ctx) => {\n${indent(promised(part, "ctx"), 4)}\n  }`).join(",\n")
  switch (node.is) {
    case "step":
      return `await ${ctx}.step(${name}, async () => ${functionOf(node.going)})`
    case "sleep":
    case "pause":
      return `await ${ctx}.sleep(${node.ms}, { name: ${name} })`
    case "wait":
      return `await ${ctx}.awaitSignal(${waitOf(node)})`
    case "given up":
      return `const lost${node.at} = new AbortController()
const wait${node.at} = ${ctx}.awaitSignal(${node.signal === 0 ? "zero" : "one"}, { name: ${name}, signal: lost${node.at}.signal })
await Promise.race([wait${node.at}, ${ctx}.sleep(${node.ms}, { name: "n${node.at} limit" })])
lost${node.at}.abort()
await wait${node.at}.catch(() => undefined)`
    case "chance":
      return `const chance${node.at} = await Promise.all([${ctx}.now(), ${ctx}.random(), ${ctx}.patched("n${node.at} new")])\nawait ${ctx}.step(${name}, () => chance${node.at})`
    case "event":
      return `await ${ctx}.appendEvent(Noted, ${node.at}, { name: ${name} })`
    case "inside":
      return `await ${ctx}.step(${name}, async () => void (await ${ctx}.${inner(node.asks, "() => null")}))`
    case "refused":
      return `await ${ctx}.${noneOf(node)}${node.asks === "end" ? ".result()" : ""}`
    case "plain":
      return "await new Promise((done) => setImmediate(done))"
    case "child": {
      const start = `const child${node.at} = await ${ctx}.start(${childOf(node.kind, name)})`
      const asked = node.ending === "cancel" ? "cancel" : node.ending === "ask" ? "status" : undefined
      const way = `\${(await child${node.at}.${asked}()).status._tag}`
      const step = asked === undefined ? "" : `\nawait ${ctx}.step(\`n${node.at} ${way}\`, () => null)`
      const result = node.ending === "leave" ? "" : `\nawait child${node.at}.result()`
      return `${start}${step}${result}${grow(node)}`
    }
    case "seq":
      return node.parts.map(of).join("\n")
    case "all":
    case "race":
      return `await ${ctx}.${node.is}({\n${branches(node.parts)}\n})`
    case "limit":
      return `await ${ctx}.race({\n  limit: (ctx) => ctx.sleep(${node.ms}, { name: ${name} }),\n${branches([node.part])}\n})`
    case "caught":
      return `try {\n${indent(of(node.part), 2)}\n} catch (error) {\n${indent(of(node.otherwise), 2)}\n}`
    case "loop":
      return `for (let time = 0; time < ${node.times}; time++) {\n${indent(of(node.part), 2)}\n}`
    case "finally":
      return `try {\n${indent(of(node.part), 2)}\n} finally {\n${indent(of(node.after), 2)}\n}`
    case "insist":
      return of(node.part)
  }
}

const effectOf = (going: Going): string =>
  ({
    ok: 'Effect.succeed("value")',
    slow: 'Effect.delay(Effect.succeed("value"), 8)',
    fail: "Effect.fail(new Refused({ by: 0 }))",
    flaky: 'Effect.suspend(() => (tries++ === 0 ? Effect.fail(new Refused({ by: 0 })) : Effect.succeed("value")))',
    die: 'Effect.die(new Error("gone"))',
    odd: "Effect.die(Object.create(null)) /* or another oddity */",
    unrecordable: "Effect.succeed(cyclic)"
  })[going]

const functionOf = (going: Going): string =>
  ({
    ok: '"value"',
    slow: 'new Promise((done) => setImmediate(() => done("value")))',
    fail: "Promise.reject(new Refused({ by: 0 }))",
    flaky: 'tries++ === 0 ? Promise.reject(new Refused({ by: 0 })) : "value"',
    die: 'Promise.reject(new Error("gone"))',
    odd: "Promise.reject(Object.create(null)) /* or another oddity */",
    unrecordable: "cyclic"
  })[going]

const waitOf = ({ at, signal, timeout }: Extract<Program, { readonly is: "wait" }>): string =>
  `${signal === 0 ? "zero" : "one"}, { name: "n${at}"${timeout === undefined ? "" : `, timeout: ${timeout}`} }`

const inner = (asks: "sleep" | "wait" | "step", nothing: string): string =>
  ({ sleep: "sleep(5)", wait: "awaitSignal(zero)", step: `step("inner", ${nothing})` })[asks]

const noneOf = ({ at, asks }: Extract<Program, { readonly is: "refused" }>): string =>
  ({
    sleep: `sleep(NaN, { name: "n${at}" })`,
    event: `appendEvent(Noted, "n${at}", { name: "n${at}" })`,
    end: 'attach(Child, "absent")'
  })[asks]

const childOf = (kind: ChildKind, name: string): string => {
  if (kind === "tool") return `Shout, { name: ${name}, payload: { text: ${name} } }`
  if (kind === "turn") return `Turn, { name: ${name}, payload: turnOf(${name}) }`
  if (kind === "outside") return `external, { name: ${name}, payload: {} }`
  return `Child, { name: ${name}, payload: "${kind}" }`
}

const grow = ({ kind, ending }: Extract<Program, { readonly is: "child" }>): string =>
  kind === "waiter" && ending !== "cancel" ? " // signalled with Grow before it is awaited" : ""
