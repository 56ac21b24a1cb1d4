/**
 * The JSON between the inspector's server and its page: snake_case, the wire forms of `src/model` inside.
 *
 * Only types, so that the page, which runs in a browser, shares them without importing anything that runs here.
 */

/** The state of a process. */
export type StateLabel = "running" | "completed" | "failed" | "cancelled" | "abandoned"

/** A step that a body has begun and not ended. Units: epoch milliseconds, UTC. */
export interface DoingView {
  readonly name: string
  readonly since_ms: number
  readonly tries: number
  readonly error?: string
}

/** Of the host that holds a process: it may live, its lease is over, or it is proven dead. */
export type HolderState = "alive" | "lapsed" | "dead"

/** One line of the list. Units: epoch milliseconds, UTC. */
export interface RowView {
  readonly process_id: string
  readonly kind: string
  readonly label?: string
  readonly state: StateLabel
  readonly sequence: number
  readonly disposition: string
  readonly attempts: number
  readonly created_at_ms: number
  readonly updated_at_ms: number
  /** When a sweep should next look at it; `null` when only an event can move it. */
  readonly due_at_ms: number | null
  /** Whether an activation began and has left no fact of its end. */
  readonly active: boolean
  /** The names of what it waits for. */
  readonly waits: ReadonlyArray<string>
  /** Since when it waits, and until when at most. */
  readonly waiting_since_ms?: number
  readonly deadline_ms?: number
  /** The state in which its own machine rests, and its first child that runs, or the last of the chain below it; only in lists. */
  readonly rests?: string
  readonly invoked?: RowView
  /** The step that its body has under way, where the host that was asked runs it; only in lists. */
  readonly doing?: DoingView
  /** The step that its body had under way when the host that had it was last heard of; only in lists. */
  readonly left?: DoingView
  /** The child that it waits for; only in lists. */
  readonly awaits?: string
  readonly cancel_requested: boolean
  readonly abandon_requested: boolean
  readonly originator: string
  readonly parent_id?: string
  readonly owner_id?: string
  readonly lease_expires_at_ms?: number
  /** What was known of the host that holds it when this was read. */
  readonly holder?: HolderState
  /** What a failure or a cancellation said. */
  readonly problem?: string
}

/** How far a list has been read. */
export interface ReadingView {
  readonly read: number
  readonly of: number
}

/** A page of the list: `total` rows match. While `reading` is there, more may. */
export interface ListView {
  readonly rows: ReadonlyArray<RowView>
  readonly total: number
  /** Where the process is that was looked for with `find`, counted from 0; absent where it is not among these. */
  readonly at?: number
  readonly reading?: ReadingView
  readonly now_ms: number
}

/** One look at a process. `process` is absent where the page already has what `mark` is of. */
export interface LookView {
  readonly mark: string
  readonly now_ms: number
  readonly process?: Omit<ProcessView, "now_ms">
  readonly log: EventsView
  readonly moment?: MomentView
  readonly explained: PartView
}

/** What a bulk action would do, or has done: to how many, to which of them, and why not to others. */
export interface BulkView {
  readonly matched: number
  readonly done: number
  readonly process_ids: ReadonlyArray<string>
  readonly refused: ReadonlyArray<{ readonly process_id: string; readonly problem: string }>
}

/** A value that was too large to be sent: its size in characters, where it is read, and how it begins. */
export interface CutView {
  readonly $cut: number
  readonly $from: string
  readonly $begins: string
}

/** How many processes are in each state, and altogether. */
export interface CountsView {
  readonly counts: Readonly<Record<StateLabel, number>>
  readonly total: number
}

/** What the page shows of its server. */
export interface HostView {
  readonly mode: "live" | "file"
  readonly actions: boolean
  readonly redrive: boolean
  readonly name: string
  readonly store_id: string
  readonly now_ms: number
}

/** A signal that may be sent, with the JSON Schema of its payload. */
export interface SignalView {
  readonly name: string
  readonly event_type: string
  readonly schema: unknown
  /** Whether the process waits for it. */
  readonly expected: boolean
}

/** What one operation of a body came to. Units: `at_ms` is epoch milliseconds, UTC. */
export interface JournalView {
  readonly position: number
  readonly operation: string
  readonly key: string
  /** The last event of the log when it was written. */
  readonly sequence: number
  readonly at_ms: number
  readonly outcome: unknown
}

/** One process. `record` and `lease` are wire JSON. */
export interface ProcessView {
  readonly row: RowView
  readonly record: Readonly<Record<string, unknown>>
  readonly lease: Readonly<Record<string, unknown>> | null
  readonly fencing_token: number
  readonly machine: string
  readonly active: ReadonlyArray<string>
  /** The active states of the lifecycle, which every process has beside a machine of its own. */
  readonly lifecycle: ReadonlyArray<string>
  /** The events its states handle, innermost first. */
  readonly accepts: ReadonlyArray<string>
  readonly signals: ReadonlyArray<SignalView>
  /** Where its own machine rests, without the macrostep that led there; absent where its body is none. */
  readonly rest?: RestView
  readonly children: ReadonlyArray<RowView>
  readonly children_complete: boolean
  /** The last entries of its journal, in order of position. */
  readonly journal: ReadonlyArray<JournalView>
  readonly journal_length: number
  /** How far steps are that are under way, by their own last word. */
  readonly progress: ReadonlyArray<{ readonly key: string; readonly at_ms: number; readonly detail: unknown }>
  readonly now_ms: number
}

/** One event of a log, as `encodeEvent` writes it. */
export interface EventView {
  readonly sequence: number
  readonly event_type: string
  readonly payload: unknown
  readonly occurred_at_ms: number
  readonly [key: string]: unknown
}

/** A page of a log, ascending. */
export interface EventsView {
  readonly events: ReadonlyArray<EventView>
  readonly last_sequence: number
}

/** A command, as a machine asks for it. */
export interface CommandView {
  readonly type: string
  readonly params: unknown
}

/** A process as it was right after one of its events. */
export interface MomentView {
  readonly sequence: number
  readonly event: EventView | null
  readonly record: Readonly<Record<string, unknown>>
  readonly machine: string
  readonly active: ReadonlyArray<string>
  readonly lifecycle: ReadonlyArray<string>
  /** The transitions of the chart that its event took. */
  readonly taken: ReadonlyArray<string>
  readonly commands: ReadonlyArray<CommandView>
  /** Where its own machine rests; absent where its body is none. */
  readonly rest?: RestView
  readonly snapshot: { readonly value: unknown; readonly context: unknown }
}

/** One thing that a macrostep did, in the order in which it did it; `text` says it in words. */
export interface TraceView {
  readonly did: "leave" | "take" | "enter" | "act" | "arm" | "disarm" | "start" | "stop" | "send"
  readonly text: string
}

/** What a macrostep asked for, and what became of it. Units: epoch milliseconds, UTC. */
export interface EffectView {
  readonly did: "act" | "arm" | "disarm" | "start" | "stop" | "send" | "emit" | "log"
  readonly text: string
  /** What it carries. */
  readonly detail?: unknown
  /** The process that it is about, and its state. */
  readonly process_id?: string
  readonly state?: StateLabel
  /** Of a timer: its deadline. */
  readonly at_ms?: number
  /** Of an action: whether it has been performed. */
  readonly performed?: boolean
  /** Why a message was not taken. */
  readonly problem?: string
}

/** A field of a context that a macrostep changed; absent is undefined. */
export interface ContextChange {
  readonly field: string
  readonly before?: unknown
  readonly after?: unknown
}

/** The macrostep that led to where a process's own machine rests. */
export interface TransitionView {
  readonly sequence: number
  readonly revision: number
  readonly version: string
  readonly event: string
  readonly from: string
  readonly to: string
  /** Whether some state took the event. */
  readonly handled: boolean
  /** The path, found again from the definition; `null` where the definition does not lead there. */
  readonly trace: ReadonlyArray<TraceView> | null
  readonly changes: ReadonlyArray<ContextChange>
  readonly effects: ReadonlyArray<EffectView>
}

/** An event by its type, and in words. */
export interface NamedEvent {
  readonly type: string
  readonly text: string
}

/** Where a process's own machine rests. Units: epoch milliseconds, UTC. */
export interface RestView {
  readonly value: unknown
  readonly history: Readonly<Record<string, ReadonlyArray<string>>>
  readonly context: unknown
  /** The timers that run, each with the state that armed it. */
  readonly timers: ReadonlyArray<{
    readonly event: string
    readonly state?: string
    readonly text: string
    readonly at_ms: number
  }>
  readonly children: ReadonlyArray<{ readonly id: string; readonly process_id: string; readonly state?: StateLabel }>
  /** The declared events that it takes, with the JSON Schema of what each carries. */
  readonly takes: ReadonlyArray<{ readonly type: string; readonly schema: unknown }>
  /** All events that its states have a transition for: what a copy may be stepped by. */
  readonly steps: ReadonlyArray<NamedEvent>
  /** The macrostep that led here; absent before the first one. */
  readonly transition?: TransitionView
}

/** Where a step of a copy leads, or why the definition alone does not say. */
export type TriedView =
  | { readonly possible: false; readonly why: string }
  | {
      readonly possible: true
      readonly value: unknown
      readonly history: Readonly<Record<string, ReadonlyArray<string>>>
      readonly to: string
      readonly active: ReadonlyArray<string>
      readonly taken: ReadonlyArray<string>
      readonly trace: ReadonlyArray<TraceView>
      readonly steps: ReadonlyArray<NamedEvent>
    }

/** What one process of a tree had of another, or of outside (`null`). Units: epoch milliseconds, UTC. */
export interface MessageView {
  readonly kind: "start" | "message" | "timer" | "end"
  readonly from: string | null
  readonly to: string | null
  readonly text: string
  readonly at_ms: number
  /** The event of the log that has it: the receiver's, but for what it refused. */
  readonly sequence?: number
  /** Why it was not taken. */
  readonly problem?: string
}

/** The messages of a tree of processes, in their order. */
export interface MessagesView {
  readonly participants: ReadonlyArray<{
    readonly process_id: string
    readonly kind: string
    readonly state: StateLabel
  }>
  readonly messages: ReadonlyArray<MessageView>
  /** Whether all processes and events of the tree are here. */
  readonly complete: boolean
  /** The same as a Mermaid diagram. */
  readonly mermaid: string
}

/** A state of a chart. Units: pixels, from the chart's corner. */
export interface ChartNode {
  readonly id: string
  readonly label: string
  readonly kind: "atomic" | "compound" | "parallel" | "final" | "history" | "initial"
  readonly description?: string
  /** What events do in this state without leaving it. */
  readonly notes: ReadonlyArray<ChartNote>
  readonly depth: number
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

/** What one event does in a state without leaving it. */
export interface ChartNote {
  readonly id: string
  readonly lines: ReadonlyArray<string>
  /** The event of a delay: the line has room for when its timer is due. */
  readonly timer?: string
}

/** A transition of a chart, as a polyline. Units: pixels. */
export interface ChartEdge {
  readonly id: string
  readonly source: string
  readonly target: string
  readonly event: string
  readonly lines: ReadonlyArray<string>
  readonly points: ReadonlyArray<readonly [number, number]>
  readonly label?: { readonly x: number; readonly y: number; readonly width: number; readonly height: number }
}

/** A statechart, laid out. */
export interface ChartView {
  readonly width: number
  readonly height: number
  readonly nodes: ReadonlyArray<ChartNode>
  readonly edges: ReadonlyArray<ChartEdge>
}

/** A machine in the list of them. */
export interface MachineLine {
  readonly id: string
  readonly version?: string
  readonly description?: string
}

/** A machine with its picture. */
export interface MachineView extends MachineLine {
  readonly events: ReadonlyArray<string>
  /** The events that XState makes, in words. */
  readonly words: Readonly<Record<string, string>>
  /** For each event an example to start from. */
  readonly samples: Readonly<Record<string, unknown>>
  readonly sample_input: unknown
  /** The machine's definition, as a visual editor reads it. */
  readonly definition: unknown
  readonly chart: ChartView
}

/** One step of a machine by hand. */
export interface StepView {
  readonly snapshot: { readonly value: unknown; readonly context: unknown }
  readonly active: ReadonlyArray<string>
  readonly accepts: ReadonlyArray<string>
  readonly taken: ReadonlyArray<string>
  readonly commands: ReadonlyArray<CommandView>
  /** False when no state handled the event. */
  readonly changed: boolean
}

/** A part that a host may lack. */
export type PartView = { readonly available: false } | { readonly available: true; readonly value: unknown }

/** One message of the stream of changes. After `resync` everything must be read again. */
export type ChangeMessage =
  | { readonly type: "hello"; readonly store_id: string }
  | { readonly type: "changes"; readonly rows: ReadonlyArray<RowView>; readonly gone: ReadonlyArray<string> }
  | { readonly type: "resync" }

/** Why a request was refused. */
export interface ErrorView {
  readonly error: { readonly tag: string; readonly message: string }
}
