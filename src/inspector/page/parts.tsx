/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * The small parts of the page. Values from a store become text, never markup, and every text is made harmless in one place.
 */
import type { ComponentChildren, VNode } from "preact"
import { options } from "preact"
import { useState } from "preact/hooks"
import { harmless, harmlessBlock } from "../text.ts"
import { useTick } from "./live.ts"
import { hashOf, processPlace } from "./place.ts"
import { ageOf, timeOf } from "./text.ts"

/** Attributes that a person reads; scripts look the others up, or follow them. */
const readAttributes = ["title", "aria-label", "placeholder", "aria-valuetext"] as const

/** Shows control characters and bidirectional controls as escapes in every text that is drawn from now on. */
export const makeTextsHarmless = (): void => {
  const before = options.vnode
  options.vnode = (vnode) => {
    const drawn = vnode as { readonly type: unknown; props: unknown } // a text has no type, and the text as its props
    if (typeof drawn.props === "string") drawn.props = harmlessBlock(drawn.props)
    else if (typeof drawn.type === "string") {
      const attributes = drawn.props as Record<string, unknown> // an element has its attributes there
      for (const name of readAttributes) {
        const text = attributes[name]
        if (typeof text === "string") attributes[name] = harmless(text)
      }
    }
    before?.(vnode)
  }
}

/** A button. */
export const Button = ({
  class: classes = "",
  onClick,
  disabled = false,
  title,
  label,
  pressed,
  children
}: {
  readonly class?: string
  readonly onClick: () => void
  readonly disabled?: boolean
  readonly title?: string | undefined
  /** What it is called where its text does not say it. */
  readonly label?: string
  readonly pressed?: boolean
  readonly children: ComponentChildren
}): VNode => (
  <button
    type="button"
    class={classes}
    onClick={onClick}
    disabled={disabled}
    title={title}
    aria-label={label}
    aria-pressed={pressed}
  >
    {children}
  </button>
)

/** A section with a heading. */
export const Panel = ({
  title,
  class: classes = "",
  aside,
  children
}: {
  readonly title: string
  readonly class?: string
  readonly aside?: ComponentChildren
  readonly children: ComponentChildren
}): VNode => (
  <section class={`panel ${classes}`} aria-label={title}>
    <div class="panel-title">
      <h2>{title}</h2>
      {aside}
    </div>
    {children}
  </section>
)

/** A sentence in place of content: nothing there, still loading, or what went wrong. */
export const Notice = ({
  kind,
  title,
  text
}: {
  readonly kind: "empty" | "loading" | "error"
  readonly title: string
  readonly text?: string | undefined
}): VNode => (
  <div class={`state ${kind}`} role={kind === "error" ? "alert" : undefined}>
    <p class="state-title">{title}</p>
    {text === undefined ? null : <p>{text}</p>}
  </div>
)

/** A state as a coloured word. */
export const Pill = ({ state }: { readonly state: string }): VNode => <span class={`pill ${state}`}>{state}</span>

/** A link to a process, or to one of its events. */
export const ProcessLink = ({
  id,
  sequence,
  children
}: {
  readonly id: string
  readonly sequence?: number | undefined
  readonly children?: ComponentChildren
}): VNode => (
  <a class="mono process-link" href={hashOf(processPlace(id, sequence))} title={id}>
    {children ?? id}
  </a>
)

/** How long ago something was, kept up to date; its title has the time. */
export const Age = ({ ms }: { readonly ms: number }): VNode => {
  useTick(1_000)
  return <time title={timeOf(ms)}>{ageOf(ms)}</time>
}

/** A time, and how long ago it was. */
export const TimeAndAge = ({ ms }: { readonly ms: number }): VNode => (
  <span>
    {timeOf(ms)} (<Age ms={ms} />)
  </span>
)

/** Copies a text, and says so. */
export const Copy = ({ text, what }: { readonly text: () => string; readonly what: string }): VNode => {
  const [said, setSaid] = useState("copy")
  const copy = (): void => {
    const say = (word: string) => () => {
      setSaid(word)
      setTimeout(() => setSaid("copy"), 1_500)
    }
    navigator.clipboard.writeText(text()).then(say("copied"), say("refused"))
  }
  return (
    <Button class="quiet small copy-button" onClick={copy} label={`Copy ${what}`}>
      <span role="status">{said}</span>
    </Button>
  )
}
