/**
 * The code in a document: expressions and scripts over its variables, which are the context of the machine.
 *
 * Invariant: code never changes the context that it is given; what it assigns is in its answer.
 */

/** The values of a document's variables. */
export type Variables = Readonly<Record<string, unknown>>

/** An event as XState has it; the suite's events carry `data`, and those of XState their output or error. */
export interface SentEvent {
  readonly type: string
  readonly data?: unknown
  readonly output?: unknown
  readonly error?: unknown
  /** The invocation that it comes from; XState has it of the end of one. */
  readonly invokeid?: string
  readonly actorId?: string
  readonly origintype?: string
  /** What comes by a document's door: see `Converted`. */
  readonly event?: SentEvent
}

/** What carries the events between documents. */
export const processor = "http://www.w3.org/TR/scxml/#SCXMLEventProcessor"

/** Code over a fixed list of variables. */
export interface Code {
  /** Evaluates an expression. Throws what it throws. */
  readonly value: (expression: string) => (context: Variables, event?: SentEvent) => unknown
  /** Runs statements; answers the variables afterwards. Throws what they throw. */
  readonly run: (statements: string) => (context: Variables, event?: SentEvent) => Variables
}

/** Makes the code of a document with these variables. */
export const codeOf = (names: ReadonlyArray<string>): Code => {
  const declared = names.map((name) => `var ${name} = $.${name};`).join("")
  const answer = `return { ${names.join(", ")} }`
  const compiled = (body: string) => {
    const run = new Function("$", "_event", body)
    return (context: Variables, event?: SentEvent): unknown => run(structuredClone(context), seen(event))
  }
  return {
    value: (expression) => compiled(`${declared} return (${expression}\n)`),
    run: (statements) => {
      const run = compiled(`${declared} ${statements}\n; ${answer}`)
      return (context, event) => run(context, event) as Variables // the answer, above
    }
  }
}

/** An event as a document sees it. */
const seen = (given: SentEvent | undefined) => {
  if (given === undefined || given.type === "xstate.init") return undefined
  const { type, data, output, error, invokeid, actorId, origintype } = given.event ?? given
  return {
    name: type.replace(/^xstate\./, "").replace(/^done\.actor/, "done.invoke"),
    data: data ?? output ?? error,
    invokeid: invokeid ?? actorId,
    origintype
  }
}
