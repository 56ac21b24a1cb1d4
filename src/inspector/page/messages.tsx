/**
 * What the processes of one tree said to each other and to others, as a sequence diagram.
 */
import type { VNode } from "preact"
import type { MessagesView, MessageView } from "../View.ts"
import { useRead } from "./live.ts"
import { Copy, Notice } from "./parts.tsx"
import { timeOf } from "./text.ts"

/** Distances of the diagram. Units: pixels. */
const size = { column: 190, row: 30, top: 46, character: 6.3 }

/** The messages of the tree that a process belongs to. */
export const Messages = ({ id }: { readonly id: string }): VNode => {
  const { value, problem } = useRead<MessagesView>(`messages?id=${encodeURIComponent(id)}`, { about: () => true })
  if (problem !== undefined) return <Notice kind="error" title="The messages cannot be shown" text={problem} />
  if (value === undefined) return <Notice kind="loading" title="Reading the tree…" />
  const { mermaid } = value
  return (
    <section class="panel messages" aria-label="Messages">
      {value.complete ? null : <p class="muted">The tree is larger: its first processes and events are shown.</p>}
      <div class="messages-picture" tabIndex={0} role="group" aria-label="Diagram">
        <Diagram view={value} />
      </div>
      <details>
        <summary>As Mermaid</summary>
        <pre tabIndex={0}>{mermaid}</pre>
        <Copy what="the diagram" text={() => mermaid} />
      </details>
    </section>
  )
}

const Diagram = ({ view: { participants, messages } }: { readonly view: MessagesView }): VNode => {
  const isAsked = messages.some(({ from, to }) => from === null || to === null)
  const ids = [...(isAsked ? [null] : []), ...participants.map(({ process_id: id }) => id)]
  const xOf = (id: string | null): number => (ids.indexOf(id) + 0.5) * size.column
  const width = ids.length * size.column
  const height = size.top + (messages.length + 1) * size.row
  return (
    <svg
      class="sequence"
      viewBox={`0 0 ${width} ${height}`}
      width={width}
      height={height}
      role="img"
      aria-label={`Messages between ${participants.length} processes`}
    >
      <defs>
        <marker id="said" viewBox="0 0 8 8" refX={7} refY={4} markerWidth={7} markerHeight={7} orient="auto">
          <path d="M0,0.8L7.4,4L0,7.2z" />
        </marker>
      </defs>
      {ids.map((id) => (
        <Lifeline key={id ?? ""} id={id} x={xOf(id)} height={height} top={participants[0]?.process_id ?? ""} />
      ))}
      {messages.map((message, index) => (
        <Arrow key={index} message={message} xOf={xOf} y={size.top + (index + 1) * size.row} />
      ))}
    </svg>
  )
}

const Lifeline = ({
  id,
  x,
  height,
  top
}: {
  readonly id: string | null
  readonly x: number
  readonly height: number
  readonly top: string
}): VNode => {
  // A child's id begins with its parent's.
  const name = id === null ? "outside" : id !== top && id.startsWith(`${top}/`) ? id.slice(top.length) : id
  const most = Math.floor((size.column - 26) / size.character)
  const shown = name.length > most ? `…${name.slice(1 - most)}` : name
  return (
    <g>
      <line class="lifeline" x1={x} x2={x} y1={32} y2={height} />
      <g class={id === null ? "participant outside" : "participant"}>
        <title>{id ?? "What no process of this tree sent"}</title>
        <rect x={x - size.column / 2 + 6} y={6} width={size.column - 12} height={26} rx={7} />
        <text x={x} y={23} text-anchor="middle">
          {shown}
        </text>
      </g>
    </g>
  )
}

const Arrow = ({
  message: { kind, from, to, text, at_ms: at, problem, sequence },
  xOf,
  y
}: {
  readonly message: MessageView
  readonly xOf: (id: string | null) => number
  readonly y: number
}): VNode => {
  const [start, end] = [xOf(from), xOf(to)]
  const isOwn = start === end
  const line = isOwn ? `M${start},${y - 6}h24v8h-21` : `M${start},${y}H${end > start ? end - 3 : end + 3}`
  const title = [`${timeOf(at)}${sequence === undefined ? "" : `, event #${sequence}`}`, problem ?? ""]
  return (
    <g class={`said said-${problem === undefined ? kind : "refused"}`}>
      <title>{title.join("\n").trim()}</title>
      <path d={line} />
      <text
        x={isOwn ? start + 34 : (start + end) / 2}
        y={isOwn ? y + 2 : y - 5}
        text-anchor={isOwn ? "start" : "middle"}
      >
        {text}
      </text>
    </g>
  )
}
