/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * Elements and texts of the page. Whatever comes from a store becomes text, never markup.
 */
import { harmless, harmlessBlock } from "./harmless.ts"

/** What an element may hold; nothing is left out. */
export type Child = Node | string | number | false | null | undefined

/** Attributes of an element; a function is a listener for the event its name says after `on`. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined | ((event: Event) => void)>>

/** Makes an element. */
export const h = <K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: ReadonlyArray<Child>
): HTMLElementTagNameMap[K] => {
  const element = document.createElement(tag)
  apply(element, attributes)
  append(element, children)
  return element
}

/** Makes an element of a drawing. */
export const svg = <K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: ReadonlyArray<Child>
): SVGElementTagNameMap[K] => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag)
  apply(element, attributes)
  append(element, children)
  return element
}

/** Replaces what an element holds. */
export const fill = (element: Element, ...children: ReadonlyArray<Child>): void => {
  element.replaceChildren()
  append(element, children)
}

/** An element of the document that is always there. */
export const byId = (id: string): HTMLElement => {
  const element = document.getElementById(id)
  if (element === null) throw new Error(`the page has no #${id}`)
  return element
}

/** A section with a heading. */
export const panel = (title: string, ...children: ReadonlyArray<Child>): HTMLElement =>
  h("section", { class: "panel" }, h("h2", {}, title), ...children)

/** A sentence in place of content: nothing there, still loading, or what went wrong. */
export const notice = (kind: "empty" | "loading" | "error", title: string, text = ""): HTMLElement =>
  h(
    "div",
    { class: `state ${kind}`, ...(kind === "error" ? { role: "alert" } : {}) },
    h("p", { class: "state-title" }, title),
    text !== "" && h("p", {}, text)
  )

/** A state as a coloured word. */
export const pill = (state: string): HTMLElement => h("span", { class: `pill ${state}` }, state)

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

const apply = (element: Element, attributes: Attributes): void => {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value)
    else if (value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : isRead(name) ? harmless(String(value)) : String(value))
    }
  }
}

/** Attributes that a person reads; the others are looked up by scripts, or followed. */
const isRead = (name: string): boolean => name === "title" || name === "aria-label" || name === "placeholder"

/** Replaces what an element says. */
export const say = (element: Element, text: string): void => {
  element.textContent = harmlessBlock(text)
}

const append = (element: Element, children: ReadonlyArray<Child>): void => {
  for (const child of children) {
    if (child !== false && child !== null && child !== undefined) {
      element.append(typeof child === "object" ? child : harmlessBlock(String(child)))
    }
  }
}
