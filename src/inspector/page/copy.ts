/**
 * A copy of a process's own machine, stepped by hand from where it rests. No process knows of it.
 */
import type { NamedEvent, RestView, TriedView } from "../View.ts"
import { post, sentenceOf } from "./connection.ts"
import { button, fill, h, say } from "./dom.ts"
import { traceList } from "./rest.ts"

type Stepped = Extract<TriedView, { readonly possible: true }>

/** A copy on the page. */
export interface Copy {
  readonly element: HTMLElement
  /** What the chart shows of the copy, once it has been stepped. */
  readonly shown: () => Pick<Stepped, "active" | "taken"> | undefined
  /** Shows from where a copy may be stepped; a copy that has been stepped stays, until the place is another one. */
  readonly update: (machine: string, place: string, rest: RestView | undefined) => void
}

/** Makes a copy; `changed` is called when the chart must be lit anew. */
export const makeCopy = (changed: () => void): Copy => {
  let machine = ""
  let place = ""
  let from: RestView | undefined
  let stepped: ReadonlyArray<{ readonly text: string; readonly to: Stepped }> = []
  const choices = h("div", "takes")
  const done = h("ol", "steps")
  const last = h("div", {})
  const problem = h("p", { class: "problem", role: "alert" })
  const back = button("small", "Leave the copy", () => {
    stepped = []
    say(problem, "")
    paint()
    changed()
  })
  const element = h(
    "section",
    { class: "panel copy", "aria-label": "Step a copy" },
    h("h2", {}, "Step a copy"),
    h(
      "p",
      "muted",
      "By the stored definition, which has no functions: what a guard decides is refused, and the context stays."
    ),
    done,
    last,
    choices,
    problem,
    back
  )

  const step = ({ type, text }: NamedEvent): void => {
    const at = stepped.at(-1)?.to ?? from
    if (at === undefined) return
    const started = place
    post<TriedView>("try", { machine, value: at.value, history: at.history, event: type }).then(
      (tried) => {
        if (started !== place) return
        if (tried.possible) stepped = [...stepped, { text, to: tried }]
        say(problem, tried.possible ? "" : `${text}: ${tried.why}`)
        paint()
        changed()
      },
      (error: unknown) => say(problem, sentenceOf(error))
    )
  }

  const paint = (): void => {
    const now = stepped.at(-1)?.to
    const steps = (now ?? from)?.steps ?? []
    fill(done, ...stepped.map(({ text, to }) => h("li", {}, h("b", {}, text), " ", h("span", "mono", `→ ${to.to}`))))
    fill(last, now !== undefined && traceList(now.trace))
    fill(choices, ...steps.map((event) => button("small", event.text, () => step(event), { title: event.type })))
    if (steps.length === 0) fill(choices, h("p", "muted", "Nothing leads on from here."))
    back.hidden = stepped.length === 0
  }

  return {
    element,
    shown: () => stepped.at(-1)?.to,
    update: (shown, at, rest) => {
      if (shown === machine && at === place && (from === undefined) === (rest === undefined)) return
      machine = shown
      place = at
      from = rest
      stepped = []
      say(problem, "")
      paint()
    }
  }
}
