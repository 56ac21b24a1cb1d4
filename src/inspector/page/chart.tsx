/**
 * A statechart as a drawing, with its active states, what was just taken, and when its timers are due.
 */
import type { ComponentChildren, VNode } from "preact"
import { createElement } from "preact"
import { useEffect, useMemo, useRef, useState } from "preact/hooks"
import type { Shape } from "../charts/picture.ts"
import { pictureOf } from "../charts/picture.ts"
import type { ChartView } from "../View.ts"
import { useTick } from "./live.ts"
import { Button } from "./parts.tsx"
import { ageOf } from "./text.ts"

/** What a chart highlights. */
export interface Lit {
  readonly active: ReadonlyArray<string>
  readonly taken: ReadonlyArray<string>
  readonly timers?: ReadonlyArray<{ readonly event: string; readonly at_ms: number }>
}

/** At this scale the texts of a chart are eleven pixels high: a chart that does not fit at it is scrolled. */
const readable = 1.05

/** How far a chart is enlarged or reduced. */
const scales = { least: 0.3, most: 3, step: 1.25 }

/** A chart. Wheel with Ctrl, the keys + − 0 f, and dragging move the view. */
export const Chart = ({
  name,
  chart,
  active,
  taken,
  timers = []
}: Lit & { readonly name: string; readonly chart: ChartView }): VNode => {
  useTick(1_000)
  const frame = useRef<HTMLDivElement>(null)
  const box = useRef<HTMLDivElement>(null)
  const [scale, setScale] = useState<number | "fit">(readable)
  const picture = useMemo(() => pictureOf(name, chart), [name, chart])
  const leaves = active.filter((id) => !active.some((other) => other.startsWith(`${id}.`)))
  const first = leaves[0]
  useEffect(() => {
    if (first !== undefined && frame.current !== null) centre(frame.current, first)
  }, [first, scale, chart])
  const zoom = (by: number): void =>
    setScale((old) => Math.min(Math.max((old === "fit" ? 1 : old) * by, scales.least), scales.most))
  const always = chart.nodes.find(({ depth }) => depth === 0)?.notes ?? []
  const size = scale === "fit" ? {} : { width: `${chart.width * scale}px`, height: `${chart.height * scale}px` }
  const onKey = (event: KeyboardEvent): void => {
    const by: Readonly<Record<string, () => void>> = {
      "+": () => zoom(scales.step),
      "-": () => zoom(1 / scales.step),
      "0": () => setScale("fit"),
      f: () => fill(box.current)
    }
    by[event.key]?.()
  }
  const onWheel = (event: WheelEvent): void => {
    if (!event.ctrlKey) return
    event.preventDefault()
    zoom(event.deltaY < 0 ? scales.step : 1 / scales.step)
  }
  return (
    <div class="chart-box" ref={box}>
      <div class="chart-tools">
        <Button class="quiet small" label="Zoom out" title="Zoom out  −" onClick={() => zoom(1 / scales.step)}>
          −
        </Button>
        <Button
          class="quiet small"
          pressed={scale === "fit"}
          title="All of it  0"
          onClick={() => setScale(scale === "fit" ? readable : "fit")}
        >
          Fit
        </Button>
        <Button class="quiet small" label="Zoom in" title="Zoom in  +" onClick={() => zoom(scales.step)}>
          +
        </Button>
        {document.fullscreenEnabled ? (
          <Button class="quiet small" title="Full screen, and back  f" onClick={() => fill(box.current)}>
            Full screen
          </Button>
        ) : null}
      </div>
      <div
        ref={frame}
        class={`chart-frame${scale === "fit" ? " fit" : ""}`}
        tabIndex={0}
        role="group"
        aria-label="Statechart"
        onKeyDown={onKey}
        onWheel={onWheel}
        onPointerDown={drag}
      >
        <Picture
          shape={picture}
          lit={{ active: new Set(active), taken: new Set(taken), timers }}
          root={{ style: size, "aria-label": `Statechart of ${name}, active: ${leaves.join(", ")}` }}
        />
      </div>
      {always.length === 0 ? null : (
        <p class="always">
          in every state:{" "}
          {always.map(({ id, lines }) => (
            <span key={id} data-transition={id} class={taken.includes(id) ? "taken" : ""}>
              {lines.join(" ")}
            </span>
          ))}
        </p>
      )}
    </div>
  )
}

interface LitSets {
  readonly active: ReadonlySet<string>
  readonly taken: ReadonlySet<string>
  readonly timers: NonNullable<Lit["timers"]>
}

const Picture = ({
  shape,
  lit,
  root = {}
}: {
  readonly shape: Shape
  readonly lit: LitSets
  readonly root?: Readonly<Record<string, unknown>>
}): VNode => {
  const { tag, attributes, children } = shape
  const { "data-id": id, "data-transition": transition, "data-timer": timer } = attributes
  const classes = [
    attributes["class"],
    id !== undefined && lit.active.has(String(id)) && "active",
    transition !== undefined && lit.taken.has(String(transition)) && "taken"
  ]
  const due = timer === undefined ? undefined : lit.timers.find(({ event }) => event === timer)
  const inner: ComponentChildren =
    timer === undefined
      ? children.map((child, index) =>
          typeof child === "string" ? child : <Picture key={index} shape={child} lit={lit} />
        )
      : due && `due ${ageOf(due.at_ms)}`
  const props: Readonly<Record<string, unknown>> = { ...attributes, class: classes.filter(Boolean).join(" "), ...root }
  return createElement(tag as string, props as object, inner) // a shape has the attributes of its tag
}

/** Lets an element fill the screen, or no more. */
const fill = (element: HTMLElement | null): void => {
  const done = document.fullscreenElement === null ? element?.requestFullscreen() : document.exitFullscreen()
  // A browser may refuse it; the chart is where it was.
  done?.catch(() => undefined)
}

/** Brings a state into the middle of a chart that does not fit. */
const centre = (frame: HTMLElement, id: string): void => {
  const state = [...frame.querySelectorAll("[data-id]")].find((node) => node.getAttribute("data-id") === id)
  if (state === undefined || (frame.scrollWidth <= frame.clientWidth && frame.scrollHeight <= frame.clientHeight))
    return
  const place = state.getBoundingClientRect()
  const view = frame.getBoundingClientRect()
  frame.scrollLeft += place.left + place.width / 2 - view.left - view.width / 2
  frame.scrollTop += place.top + place.height / 2 - view.top - view.height / 2
}

/** Moves what a frame shows as long as the pointer is down. */
const drag = (begin: PointerEvent & { readonly currentTarget: HTMLElement }): void => {
  if (begin.button !== 0 || begin.pointerType === "touch") return
  const frame = begin.currentTarget
  const { scrollLeft, scrollTop } = frame
  const move = (event: PointerEvent): void => {
    frame.scrollLeft = scrollLeft - (event.clientX - begin.clientX)
    frame.scrollTop = scrollTop - (event.clientY - begin.clientY)
  }
  const end = (): void => removeEventListener("pointermove", move)
  addEventListener("pointermove", move)
  addEventListener("pointerup", end, { once: true })
}
