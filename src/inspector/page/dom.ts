/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * Elements and texts of the page. Values from a store become text, never markup.
 */
import { harmless, harmlessBlock } from "../text.ts"

/** What an element may hold; nothing is left out. */
export type Child = Node | string | number | false | null | undefined

/** Attributes of an element; a function listens for the event that its name has after `on`. A text alone is the class. */
export type Attributes =
  | string
  | Readonly<Record<string, string | number | boolean | undefined | ((event: Event) => void)>>

/** Makes an element. */
export const h = <K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes,
  ...children: ReadonlyArray<Child>
): HTMLElementTagNameMap[K] => furnish(document.createElement(tag), attributes, children)

/** Makes an element of a drawing. */
export const svg = <K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes,
  ...children: ReadonlyArray<Child>
): SVGElementTagNameMap[K] => furnish(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children)

/** Makes a button of a class. */
export const button = (
  classes: string,
  label: string,
  onclick: () => void,
  more: Exclude<Attributes, string> = {}
): HTMLButtonElement => h("button", { type: "button", class: classes, onclick, ...more }, label)

/** Replaces what an element holds. */
export const fill = (element: Element, ...children: ReadonlyArray<Child>): void => {
  element.replaceChildren()
  append(element, children)
}

/** Replaces what an element says. */
export const say = (element: Element, text: string): void => {
  element.textContent = harmlessBlock(text)
}

/** An element of the document that is always there. */
export const byId = (id: string): HTMLElement => {
  const element = document.getElementById(id)
  if (element === null) throw new Error(`the page has no #${id}`)
  return element
}

/** A section with a heading. */
export const panel = (title: string, ...children: ReadonlyArray<Child>): HTMLElement =>
  h("section", "panel", h("h2", {}, title), ...children)

/** A sentence in place of content: nothing there, still loading, or what went wrong. */
export const notice = (kind: "empty" | "loading" | "error", title: string, text = ""): HTMLElement =>
  h(
    "div",
    { class: `state ${kind}`, role: kind === "error" ? "alert" : undefined },
    h("p", "state-title", title),
    text !== "" && h("p", {}, text)
  )

/** A state as a coloured word. */
export const pill = (state: string): HTMLElement => h("span", `pill ${state}`, state)

/** An input with its label, and a hint about it. */
export const labelled = (label: string, input: HTMLElement, hint?: string): HTMLElement => {
  const hintId = `${input.id}-hint`
  if (hint !== undefined) input.setAttribute("aria-describedby", hintId)
  return h(
    "div",
    "field",
    h("label", { for: input.id }, label),
    input,
    hint !== undefined && h("p", { class: "hint", id: hintId }, hint)
  )
}

/** Makes a painter that paints in the next frame, once, however often it is asked before that. */
export const oncePerFrame = (paint: () => void): (() => void) => {
  let isAsked = false
  return () => {
    if (isAsked) return
    isAsked = true
    requestAnimationFrame(() => {
      isAsked = false
      paint()
    })
  }
}

const furnish = <E extends Element>(element: E, attributes: Attributes, children: ReadonlyArray<Child>): E => {
  for (const [name, value] of Object.entries(typeof attributes === "string" ? { class: attributes } : attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value)
    else if (value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : isRead(name) ? harmless(String(value)) : String(value))
    }
  }
  append(element, children)
  return element
}

/** Whether a person reads the attribute; scripts look the others up, or follow them. */
const isRead = (name: string): boolean => name === "title" || name === "aria-label" || name === "placeholder"

const append = (element: Element, children: ReadonlyArray<Child>): void => {
  for (const child of children) {
    if (child !== false && child !== null && child !== undefined) {
      element.append(typeof child === "object" ? child : harmlessBlock(String(child)))
    }
  }
}
