/**
 * XState's own actor of a machine, one step at a time: it takes each event when the durable process took it, and fires its own
 * timers. What it does is what the process must have done.
 */
import type { AnyActorRef, AnyEventObject, AnyStateMachine, StateValue } from "xstate"
import { createActor } from "xstate"
import { namesOf } from "../../../machines/chart/definition.ts"
import { withDelays } from "../../runtime/engine/delays.ts"
import { isReducer } from "../../runtime/engine/reducer.ts"

/** An action that XState performed. */
export interface Act {
  readonly name: string
  readonly params: unknown
  readonly context: unknown
  readonly event: AnyEventObject
}

/** An event that XState sent to another process. */
export interface Sent {
  readonly to: string
  readonly event: AnyEventObject
}

/** What XState's actor is and did. */
export interface Seen {
  readonly value: StateValue
  readonly context: unknown
  readonly status: string
  /** What it performed, and sent to other processes, since it was last asked. */
  readonly acts: ReadonlyArray<Act>
  readonly sent: ReadonlyArray<Sent>
  /** The actors that it has started since and goes on with, by their ids in order; see `unnamed`. */
  readonly started: ReadonlyArray<string>
}

/** An actor under control. Units: milliseconds. Each step throws what the machine throws. */
export interface Oracle {
  readonly begin: () => Seen
  readonly send: (event: AnyEventObject, nowMs: number) => Seen
  /** Fires the timer that is due first; answers the event, or `undefined` when none is due by then. */
  readonly fire: (nowMs: number) => AnyEventObject | undefined
  /** Takes what the machine sent to itself; answers the event, if there is one. */
  readonly takeOwn: (nowMs: number) => AnyEventObject | undefined
  readonly endChild: (
    id: string,
    end: { readonly output: unknown } | { readonly error: unknown },
    nowMs: number
  ) => void
  readonly children: () => ReadonlyArray<string>
  readonly seen: () => Seen
  /** When its next timer is due. */
  readonly nextMs: () => number | undefined
}

interface Alarm {
  readonly atMs: number
  readonly ring: () => void
}

/** Makes the actor of a machine, as the process of an id. */
export const make = (given: AnyStateMachine, id: string, input: unknown, startMs: number): Oracle => {
  let nowMs = startMs
  let acts: Array<Act> = []
  let sent: Array<Sent> = []
  const errors: Array<unknown> = []
  const met = new WeakSet<AnyActorRef>()
  const alarms = new Map<number, Alarm>()
  let alarmIds = 0
  const own: Array<AnyEventObject> = []
  const names = namesOf(given)
  const { actions, actors } = given.implementations
  // What `enqueueActions` uses is in no state of the machine: it is found by its implementation.
  const ownActions = Object.entries(actions).flatMap(([name, action]) =>
    action === undefined || "resolve" in action ? [] : [name]
  )
  const machine = withDelays(
    given.provide({
      actions: Object.fromEntries(
        [...new Set([...names.actions, ...ownActions])].map((name) => [
          name,
          ({ context, event }: Pick<Act, "context" | "event">, params: unknown) =>
            void acts.push({ name, params, context, event })
        ])
      ),
      actors: Object.fromEntries(
        Object.entries(actors).flatMap(([name, logic]) => (isReducer(logic) ? [] : [[name, waiting]]))
      )
    } as object)
  ) // the implementations of a machine of any type
  // An id that no actor has is that of another process, which hears nothing here.
  const begin = machine.getInitialSnapshot.bind(machine)
  machine.getInitialSnapshot = (scope, given) => {
    const system = scope.system as unknown as System // `get` knows of actors alone
    const find = system.get
    system.get = (name) =>
      find(name) ?? { id: name, sessionId: name, _send: (event: AnyEventObject) => void sent.push({ to: name, event }) }
    return begin(scope, given)
  }
  const actor = createActor(machine, {
    id,
    input,
    logger: () => {},
    clock: {
      setTimeout: (ring, ms) => {
        alarms.set(++alarmIds, { atMs: Math.ceil(nowMs + ms), ring })
        return alarmIds
      },
      clearTimeout: (id: number) => void alarms.delete(id)
    }
  })
  actor.subscribe({ error: (error) => errors.push(error) })
  // An event that it sends to itself waits behind those that came before, as in the log of a process.
  const system = actor.system as unknown as System // `_relay` is not documented
  const relay = system._relay
  let isFiring = false
  system._relay = (from, to, event) => {
    if (from === actor && to === actor && !isFiring) own.push(event)
    else relay(from, to, event)
  }

  const present = (): ReadonlyArray<AnyActorRef> =>
    Object.values(actor.getSnapshot().children as Readonly<Record<string, AnyActorRef | undefined>>).filter(
      (child) => child !== undefined
    )

  const seen = (): Seen => {
    if (errors.length > 0) throw errors[0]
    const { value, context, status } = actor.getSnapshot()
    const fresh = present().filter((child) => !met.has(child))
    for (const child of fresh) met.add(child)
    const since = { acts, sent, started: fresh.map(nameOf).sort() }
    acts = []
    sent = []
    return { value, context, status, ...since }
  }
  const first = (): [number, Alarm] | undefined =>
    [...alarms].reduce<[number, Alarm] | undefined>(
      (best, entry) => (best === undefined || entry[1].atMs < best[1].atMs ? entry : best),
      undefined
    )
  return {
    begin: () => {
      actor.start()
      return seen()
    },
    send: (event, atMs) => {
      nowMs = atMs
      actor.send(event)
      return seen()
    },
    fire: (atMs) => {
      const [id, alarm] = first() ?? []
      if (id === undefined || alarm === undefined || alarm.atMs > atMs) return undefined
      nowMs = atMs
      alarms.delete(id)
      let fired: AnyEventObject | undefined
      const before = system._relay
      system._relay = (from, to, event) => {
        fired ??= event
        system._relay = before
        isFiring = true
        relay(from, to, event)
        isFiring = false
      }
      alarm.ring()
      system._relay = before
      return fired
    },
    takeOwn: (atMs) => {
      nowMs = atMs
      const event = own.shift()
      if (event !== undefined) actor.send(event)
      return event
    },
    endChild: (id, end, atMs) => {
      nowMs = atMs
      const child = (actor.getSnapshot().children as Readonly<Record<string, AnyActorRef | undefined>>)[id]
      child?.send({ type: ends, ...end })
    },
    children: () => Object.keys(actor.getSnapshot().children),
    seen,
    nextMs: () => first()?.[1].atMs
  }
}

/** An actor without an id has the one that the system gives it. */
const nameOf = ({ id, sessionId }: AnyActorRef): string => (id === sessionId ? unnamed : id)

/** In place of an id that XState made. */
export const unnamed = "(without an id)"

interface System {
  _relay: (from: unknown, to: unknown, event: AnyEventObject) => void
  get: (name: string) => unknown
}

const ends = "holdfast.ends"

/** An actor that ends when it is asked to, in place of a child process. */
const waiting = {
  getInitialSnapshot: () => ({ status: "active", output: undefined, error: undefined }),
  transition: (snapshot: object, { type, ...end }: AnyEventObject) => {
    if (type !== ends) return snapshot
    return "output" in end
      ? { ...snapshot, status: "done", output: end["output"] }
      : { ...snapshot, status: "error", error: end["error"] }
  },
  getPersistedSnapshot: (snapshot: object) => snapshot,
  restoreSnapshot: (snapshot: object) => snapshot
}
