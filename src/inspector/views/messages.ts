/**
 * What the processes of one tree said to each other and to those of other trees, in the order of their logs: starts, messages,
 * timers and ends.
 *
 * Each message is where its receiver's log has it, so that the order is that of what happened. What comes from none of them came
 * from outside.
 */
import * as Effect from "effect/Effect"
import type { AnyStateMachine } from "xstate"
import type { ChartTransition } from "../../../machines/chart/state.ts"
import { lifecycleOf } from "../../../machines/process/lifecycle.ts"
import { lifecycleEventOf } from "../../model/facts.ts"
import type { ProcessId } from "../../model/ids.ts"
import { processId, signalNameOf, signalReplayKey } from "../../model/ids.ts"
import type { ProcessEvent } from "../../model/ProcessEvent.ts"
import type { Lookup } from "../../operations/existing.ts"
import { existingRow } from "../../operations/existing.ts"
import type { ProcessRow } from "../../store/Decision.ts"
import type { ProcessStore } from "../../store/ProcessStore.ts"
import { eventWords } from "../charts/definition.ts"
import { sequenceDiagram } from "../charts/mermaid.ts"
import { machineOf } from "../charts/stored.ts"
import type { MessagesView, MessageView } from "../View.ts"

type Store = typeof ProcessStore.Service

/** How much of a tree is read: processes, ancestors of one, and events of each. */
const most = { processes: 24, ancestors: 100, events: 2_000 }

/** The messages of the tree that a process belongs to. Fails with `ProcessUnknown`, or `ProcessPruned`. */
export const messagesView = (store: Store, id: ProcessId): Effect.Effect<MessagesView, Lookup> =>
  store.readTogether(messagesOf(store, id))

const messagesOf = (store: Store, id: ProcessId): Effect.Effect<MessagesView, Lookup> =>
  Effect.gen(function* () {
    const tree = yield* treeOf(store, yield* existingRow(store, id))
    const inTree = yield* Effect.forEach(tree.rows, (row) => logOf(store, row))
    const { rows: peers, isWhole } = yield* peersOf(store, tree, inTree)
    const rows = [...tree.rows, ...peers]
    const logs = [...inTree, ...(yield* Effect.forEach(peers, (row) => logOf(store, row)))]
    const senders = new Map(logs.flatMap(({ sent }) => sent))
    const known = new Set(rows.map(({ base }) => base.registration.id as string))
    const messages = merged(
      new Map(
        rows.map(({ base }, index) => [
          base.registration.id,
          (logs[index]?.heard ?? []).map((heard) => messageOf(heard, senders, known))
        ])
      )
    )
    const shown = {
      participants: rows.map(({ base, snapshot }) => ({
        process_id: base.registration.id,
        kind: base.registration.identity.kind,
        state: lifecycleOf(snapshot)
      })),
      messages,
      complete: isWhole && logs.every((log) => log.isWhole)
    }
    return { ...shown, mermaid: sequenceDiagram(shown).join("\n") }
  })

interface Tree {
  readonly rows: ReadonlyArray<ProcessRow>
  readonly isWhole: boolean
}

/** The tree from its top, parents first. */
const treeOf = (store: Store, row: ProcessRow): Effect.Effect<Tree, Lookup> =>
  Effect.gen(function* () {
    let top = row
    for (let steps = 0; steps < most.ancestors; steps++) {
      const parent = top.base.registration.parent
      const found = parent === undefined ? undefined : yield* store.find(parent.processId)
      if (found?._tag !== "Present") break
      top = found.row
    }
    const rows = [top]
    // The array grows while it is gone through.
    for (const { base } of rows) {
      for (const { processId: child } of yield* store.children.of(base.registration.id)) {
        const found = yield* store.find(child)
        if (found._tag !== "Present") continue
        if (rows.length >= most.processes) return { rows, isWhole: false }
        rows.push(found.row)
      }
    }
    return { rows, isWhole: true }
  })

/** The processes of other trees that those of a tree exchanged events with. */
const peersOf = (store: Store, { rows, isWhole }: Tree, logs: ReadonlyArray<Log>): Effect.Effect<Tree, Lookup> =>
  Effect.gen(function* () {
    const known = new Set<string>(rows.map(({ base }) => base.registration.id))
    const named = new Set(logs.flatMap(({ peers }) => peers).filter((peer) => !known.has(peer)))
    const peers: Array<ProcessRow> = []
    for (const peer of named) {
      const found = yield* store.find(processId(peer))
      if (found._tag !== "Present") continue
      if (rows.length + peers.length >= most.processes) return { rows: peers, isWhole: false }
      peers.push(found.row)
    }
    return { rows: peers, isWhole }
  })

/** What a log has of others. `key`: under which a sender may be known. */
interface Heard {
  readonly message: MessageView
  readonly key?: string
}

interface Log {
  readonly heard: ReadonlyArray<Heard>
  /** Under which keys this process sent something. */
  readonly sent: ReadonlyArray<readonly [key: string, from: ProcessId]>
  /** The processes that it sent to, and those that sent to it as their keys name them. */
  readonly peers: ReadonlyArray<string>
  readonly isWhole: boolean
}

const logOf = (store: Store, { base, snapshot, sequence }: ProcessRow): Effect.Effect<Log, Lookup> =>
  Effect.gen(function* () {
    const { id, parent } = base.registration
    const events = yield* store.eventsAfter(id, 0, most.events)
    const { chart } = snapshot.context
    const own = chart && (yield* machineOf(store.definitions, base.registration, chart))
    const begun: Heard = {
      message: { kind: "start", from: parent?.processId ?? null, to: id, text: "start", at_ms: base.createdAtMs }
    }
    const steps = events.flatMap((event) => stepIn(event))
    const ended = new Set<string>()
    const heard = [begun, ...events.flatMap((event) => heardIn(id, event, own?.machine, ended))]
    return {
      heard,
      peers: [
        ...steps.flatMap(({ effects }) => effects.flatMap((effect) => (effect.do === "send" ? [effect.to] : []))),
        ...heard.flatMap(({ message, key }) => (key === undefined ? [] : (senderIn(key, message) ?? [])))
      ],
      sent: steps.flatMap((step) => keysOf(id, step)),
      isWhole: (events.at(-1)?.sequence ?? sequence) >= sequence
    }
  })

const stepIn = (event: ProcessEvent): ReadonlyArray<ChartTransition> => {
  if (event.eventType !== "machine.transitioned") return []
  const fact = lifecycleEventOf(event)
  return fact.type === "machine.transitioned" ? [fact.step] : []
}

const keysOf = (from: ProcessId, { revision, effects }: ChartTransition): Log["sent"] =>
  effects.flatMap((effect, index) =>
    effect.do === "send" && effect.to !== from
      ? [[signalReplayKey(processId(effect.to), effect.event.type, `${from}:${revision}:${index}`), from] as const]
      : []
  )

/** `ended`: the children whose ends were heard before, which leaving a state does not stop. */
const heardIn = (
  id: ProcessId,
  event: ProcessEvent,
  machine: AnyStateMachine | undefined,
  ended: Set<string>
): ReadonlyArray<Heard> => {
  const { eventType, payload, replayKey, sequence, occurredAtMs } = event
  const common = { to: id, sequence, at_ms: occurredAtMs }
  const fields = Object(payload) as Readonly<Record<string, unknown>> // written by the facts of these types
  const words = (type: string): string => (machine === undefined ? type : eventWords(machine, type))
  const signal = signalNameOf(eventType)
  if (signal !== undefined) {
    const key = replayKey === undefined ? {} : { key: replayKey }
    return [{ message: { ...common, kind: "message", from: null, text: signal }, ...key }]
  }
  if (eventType === "process.child_ended") {
    ended.add(String(fields["child_id"]))
    return [{ message: { ...common, kind: "end", from: String(fields["child_id"]), text: String(fields["state"]) } }]
  }
  if (eventType === "machine.input") {
    const { type } = Object(fields["event"]) as { readonly type?: unknown }
    const kind = fields["timer"] === undefined ? "message" : "timer"
    return [{ message: { ...common, kind, from: id, text: words(String(type)) } }]
  }
  return stepIn(event).flatMap((step) =>
    step.effects.flatMap((effect): ReadonlyArray<Heard> => {
      if (effect.do === "stop" && effect.process !== "" && !ended.has(effect.process)) {
        return [{ message: { ...common, kind: "message", from: id, to: effect.process, text: "cancel" } }]
      }
      if (effect.do !== "send" || effect.refused === undefined) return []
      const text = words(effect.event.type)
      return [{ message: { ...common, kind: "message", from: id, to: effect.to, text, problem: effect.refused } }]
    })
  )
}

const messageOf = (
  { message, key }: Heard,
  senders: ReadonlyMap<string, ProcessId>,
  known: ReadonlySet<string>
): MessageView => {
  const sender = key === undefined ? undefined : (senders.get(key) ?? senderIn(key, message))
  const from = sender ?? message.from
  return {
    ...message,
    from: from !== null && known.has(from) ? from : null,
    to: message.to !== null && known.has(message.to) ? message.to : null
  }
}

/** The process that sent an event by a step or a timer of its machine, as the key of the event names it. */
const senderIn = (key: string, { to, text }: MessageView): string | undefined => {
  const begin = signalReplayKey(processId(to ?? ""), text, "")
  return key.startsWith(begin) ? /^(.*?):(?:timer:.*|\d+:\d+)$/s.exec(key.slice(begin.length))?.[1] : undefined
}

/**
 * Merges logs by time; each keeps its order, and of what is of one time the parents' come first. The end of a process comes after
 * all that its own log has until then.
 */
const merged = (logs: ReadonlyMap<string, ReadonlyArray<MessageView>>): ReadonlyArray<MessageView> => {
  const left = new Map([...logs].map(([id, messages]) => [id, [...messages]]))
  const isAhead = ({ kind, from, at_ms: atMs }: MessageView): boolean => {
    const before = kind === "end" && from !== null ? left.get(from)?.[0] : undefined
    return before !== undefined && before.at_ms <= atMs
  }
  const all: Array<MessageView> = []
  while (true) {
    const first = [...left.values()]
      .flatMap((messages) => (messages[0] === undefined || isAhead(messages[0]) ? [] : [messages]))
      .reduce<Array<MessageView> | undefined>(
        (best, messages) => (best === undefined || timeOf(messages) < timeOf(best) ? messages : best),
        undefined
      )
    if (first === undefined) return all
    all.push(first.shift() as MessageView) // it has one
  }
}

const timeOf = ([next]: ReadonlyArray<MessageView>): number => next?.at_ms ?? 0
