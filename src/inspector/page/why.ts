/**
 * Why a process does not move: one sentence in sight, and folded behind it what would move it and what that rests on.
 */
import type { PartView } from "../View.ts"
import { h, say } from "./dom.ts"

/** The explanation of one process. */
export interface WhyPanel {
  readonly element: HTMLElement
  readonly show: (explained: PartView) => void
}

/** Makes a place for explanations of a process. It stays open for whoever reads, whatever comes next. */
export const makeWhy = (id: string): WhyPanel => {
  const sentence = h("span", { class: "why-sentence" })
  const more = h("span", { class: "why-more" }, "all of it")
  const rest = h("pre", { tabindex: 0, "aria-label": "The whole explanation" })
  const element = h("details", { class: "why" }, h("summary", {}, sentence, " ", more), rest)
  element.hidden = true
  return {
    element,
    show: (explained) => {
      const [first = "", ...others] = explained.available ? textOf(explained.value).split("\n") : []
      // The heading above it has the id.
      say(sentence, first.startsWith(`${id}: `) ? first.slice(id.length + 2) : first)
      say(rest, others.join("\n"))
      more.hidden = others.length === 0
      element.hidden = first === ""
      element.classList.toggle("is-all", others.length === 0)
    }
  }
}

const textOf = (value: unknown): string => {
  const text = (value as { readonly text?: unknown } | null)?.text // an explanation has a text, or is shown as JSON
  return typeof text === "string" ? text : JSON.stringify(value)
}
