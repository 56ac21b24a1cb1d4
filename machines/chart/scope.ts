/**
 * The scope in which XState takes a macrostep: self, parent and children are addresses, and what it would execute is collected.
 *
 * The scope is not documented, so a test pins its shape.
 */
import type { AnyActorScope } from "xstate"
import type { ChartEvent } from "./state.ts"

/** Where an event goes. */
export type Target =
  | { readonly at: "self" }
  | { readonly at: "parent" }
  | { readonly at: "child"; readonly id: string }
  | { readonly at: "process"; readonly id: string }

/** Which process a chart belongs to, and the number of the transition. */
export interface ChartPlace {
  readonly processId: string
  readonly parentId?: string
  readonly revision: number
}

/** A scope that collects what a macrostep asks for. */
export interface Scope extends AnyActorScope {
  readonly raw: Array<RawAction>
  readonly revision: number
}

/** An action as XState hands it over. The parameters of a send are complete at the end of its macrostep. */
export interface RawAction {
  readonly type: string
  readonly params: RawParams
  readonly info: { readonly context: unknown }
}

/** What XState's own actions are given; a machine's own action has what the machine says. */
export interface RawParams {
  readonly event: ChartEvent
  readonly delay?: unknown
  readonly id?: string
  readonly sendId: string
  readonly to: ActorAddress
  readonly src: unknown
  readonly input: unknown
  readonly actorRef?: { readonly id: string; readonly systemId?: string }
  readonly label?: string
  readonly value: unknown
}

/** An actor that is an address: what XState made of a child has only its id. */
export interface ActorAddress {
  readonly id: string
  readonly place?: Target
}

/** Makes the scope of one macrostep. One is made for each event: its objects are written out whole, which is what is fast. */
export const scopeOf = ({ processId, parentId, revision }: ChartPlace): Scope => {
  const raw: Array<RawAction> = []
  let booked = 0
  const named = new Map<string, unknown>()
  const system: any = {
    _bookId: () => `${revision}.${booked++}`,
    _unregister: ({ systemId }: { readonly systemId?: string }) => systemId !== undefined && named.delete(systemId),
    _set: (name: string, ref: unknown) => {
      if (named.has(name)) throw new Error(`an actor with the system id \`${name}\` is there already`)
      named.set(name, ref)
    },
    get: (name: string) => named.get(name) ?? address({ at: "process", id: name }),
    getAll: () => Object.fromEntries(named),
    // What a system has, and does nothing here.
    _register: noId,
    inspect: subscribeToNothing,
    _sendInspectionEvent: nothing,
    _relay: nothing,
    _clock: clock,
    _logger: nothing,
    scheduler,
    getSnapshot: nothingScheduled,
    _snapshot: emptySchedule,
    start: nothing
  }
  const address = (place: Target, parent?: unknown): any => {
    const id = "id" in place ? place.id : processId
    return {
      place,
      id,
      sessionId: id,
      system,
      send: refuseToSend,
      getSnapshot: isActive,
      toJSON: () => id,
      _parent: parent
    }
  }
  return {
    self: address({ at: "self" }, parentId === undefined ? undefined : address({ at: "parent" })),
    system,
    id: processId,
    sessionId: processId,
    logger: nothing,
    defer: nothing,
    stopChild: nothing,
    emit: nothing,
    actionExecutor: (action) => {
      const done = action as unknown as RawAction
      raw.push(done)
      // A name in the system is free again once its actor is stopped, which XState does where it executes that.
      if (done.type === "xstate.stopChild" && done.params !== undefined) system._unregister(done.params)
    },
    raw,
    revision
  }
}

const nothing = () => {}

const noId = () => ""

const isActive = () => ({ status: "active" })

const subscribeToNothing = () => ({ unsubscribe: nothing })

const emptySchedule = { _scheduledEvents: {} }

const nothingScheduled = () => emptySchedule

const clock = { setTimeout: () => undefined, clearTimeout: () => undefined }

const scheduler = { schedule: nothing, cancel: nothing, cancelAll: nothing }

const refuseToSend = () => {
  throw new Error("a machine only decides: use sendTo, raise or an action")
}
