/**
 * What the activations of a body learn and do, noted by the context that each is given.
 *
 * Invariant: a recorder changes nothing. Whatever an operation answers is noted when the body gets it, under the key that the
 * journal has for it. What a body learns once its host has let go of it is not noted, since no activation goes on from there.
 * Time, chance and `patched` are not noted either: they are recorded with the next write, and known until then to this
 * activation alone.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberRef from "effect/FiberRef"
import { LeaseLost } from "../../model/errors.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { JournalEntry } from "../../model/JournalEntry.ts"
import type { ExecutionContext } from "../../runtime/body/ExecutionContext.ts"
import type { ProcessHandle } from "../../runtime/client/ProcessHandle.ts"
import type { Runnable } from "../../runtime/engine/Engine.ts"

/** What one activation learned, in order, and what it did. */
export interface Trace {
  readonly learned: ReadonlyArray<string>
  /** The signals that it got, in order: the name, and the payload as the body sees it. */
  readonly taken: ReadonlyArray<readonly [signal: string, payload: unknown]>
  /** Which way it took where something in it was decided, by the place of that. */
  readonly ways: ReadonlyMap<string, string>
  /** The keys of the steps whose effect it ran. */
  readonly ran: ReadonlyArray<string>
  /** The steps it ran although the journal it was given had their outcome, or although it knew that it had lost its lease. */
  readonly repeated: ReadonlyArray<string>
  /** How many pages of its journal were read from its beginning on. */
  readonly reads: number
}

/** Notes what the activations of one body learn. */
export interface Recorder {
  readonly traces: ReadonlyArray<Trace>
  /** How many steps are under way. */
  readonly running: () => number
  /**
   * The observer of one host's body: its engine as the host is to have it, and what hears of its reads. `onRun` hears when the effect
   * of a step begins.
   */
  readonly on: <R>(engine: Runnable<R>, isAlive: () => boolean, onRun?: () => void) => Observed<R>
}

/** A body under observation on one host. */
export interface Observed<R> {
  readonly engine: Runnable<R>
  readonly onJournalRead: (after: number, page: ReadonlyArray<JournalEntry>) => void
  /** Whether a race or a time limit of the body has been decided on this host. */
  readonly hasDecided: () => boolean
  /** Whether the effect of a step of the body has begun on this host. */
  readonly hasRun: () => boolean
}

/** Makes a recorder of one process's body that has noted nothing. */
export const make = (id: ProcessId): Recorder => {
  const traces: Array<Trace> = []
  let running = 0
  return {
    traces,
    running: () => running,
    on: (engine, isAlive, onRun) => {
      let given = new Set<string>()
      let current: Notes | undefined
      let hasDecided = false
      let hasRun = false
      return {
        engine: {
          ...engine,
          prepare: (payload) =>
            Effect.map(
              engine.prepare(payload),
              (body) => (context) =>
                Effect.suspend(() => {
                  if (context.processId !== id) return body(context)
                  current = { learned: [], taken: [], ways: new Map(), ran: [], repeated: [], reads: 0 }
                  traces.push(current)
                  const { seen, decide } = observed(context, {
                    notes: current,
                    given,
                    isAlive,
                    decided: () => {
                      hasDecided = true
                    },
                    begin: () => {
                      hasRun = true
                      running++
                      onRun?.()
                    },
                    end: () => void running--
                  })
                  return body(seen).pipe(Effect.locally(path, ""), Effect.locally(decider, decide))
                })
            )
        },
        onJournalRead: (after, page) => {
          if (current !== undefined) current.reads++
          if (after === 0) given = new Set()
          for (const { key } of page) given.add(key)
        },
        hasDecided: () => hasDecided,
        hasRun: () => hasRun
      }
    }
  }
}

type AnyEffect = Effect.Effect<unknown, unknown, unknown>

interface Notes extends Trace {
  readonly learned: Array<string>
  readonly taken: Array<readonly [signal: string, payload: unknown]>
  readonly ways: Map<string, string>
  readonly ran: Array<string>
  readonly repeated: Array<string>
  reads: number
}

interface Watch {
  readonly notes: Notes
  readonly given: ReadonlySet<string>
  readonly isAlive: () => boolean
  /** Hears that something was decided. */
  readonly decided: () => void
  readonly begin: () => void
  readonly end: () => void
}

/** The scopes that an operation is in, as its key names them; `undefined` inside a step, where there is no context. */
const path = FiberRef.unsafeMake<string | undefined>("")

/** Hears what is decided at a place of the body that is observed. */
type Decide = (place: string) => (exit: Exit.Exit<unknown, unknown>) => void

const decider = FiberRef.unsafeMake<Decide>(() => () => {})

/**
 * Notes how something in an observed body ends that decides how the body goes on, such as a time limit: every activation is to
 * decide the same.
 */
export const deciding = <A, E, R>(name: string, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(FiberRef.get(decider), (decide) =>
    Effect.flatMap(FiberRef.get(path), (scopes) => {
      const decided = decide(`${scopes}${name}`)
      return Effect.onExit(effect, (exit) => Effect.sync(() => decided(exit)))
    })
  )

const observed = (
  context: ExecutionContext,
  { notes, given, isAlive, decided: onDecided, begin, end }: Watch
): { readonly seen: ExecutionContext; readonly decide: Decide } => {
  const occurrences = new Map<string, number>()
  /** Another host runs the process: what the body meets from here on is the library's refusal. */
  let isLost = false
  /** What was decided since the body last learned something: without that, the process may be another host's by then. */
  const decided: Array<readonly [key: string, way: string]> = []
  const { abortSignal } = context
  const keyOf = (place: string): string => {
    const occurrence = (occurrences.get(place) ?? 0) + 1
    occurrences.set(place, occurrence)
    return `${place}#${occurrence}`
  }
  const isWanted = (): boolean =>
    isAlive() && (!abortSignal.aborted || (abortSignal.reason as Error).cause === "cancel") // an error of the library's
  const note = (scopes: string | undefined, what: string) => (exit: Exit.Exit<unknown, unknown>) =>
    Effect.sync(() => {
      isLost ||= isLossOf(context.processId, exit)
      if (isLost || scopes === undefined || !isWanted() || isInterruption(exit)) return
      for (const [key, way] of decided.splice(0)) notes.ways.set(key, way)
      notes.learned.push(`${scopes}${what}: ${textOf(exit)}`)
    })
  const decide: Decide = (place) => {
    const key = keyOf(place)
    return (exit) => {
      onDecided()
      isLost ||= isLossOf(context.processId, exit)
      if (!isLost && isWanted() && !isInterruption(exit)) decided.push([key, textOf(exit)])
    }
  }
  const take = (signal: string, payload: unknown): void => {
    if (isWanted() && !isLost) notes.taken.push([signal, payload])
  }
  const learning = <A, E, R>(name: string, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.flatMap(FiberRef.get(path), (scopes) => Effect.onExit(effect, note(scopes, name)))
  const handle = <A, E>(of: ProcessHandle<A, E>): ProcessHandle<A, E> => ({
    ...of,
    status: learning(`status of ${of.id}`, of.status),
    cancel: (reason) => learning(`cancel of ${of.id}`, of.cancel(reason)),
    await: learning(`end of ${of.id}`, of.await)
  })
  const step = (name: string, work: AnyEffect | ((...args: never) => AnyEffect), ...options: ReadonlyArray<unknown>) =>
    Effect.flatMap(FiberRef.get(path), (scopes) => {
      const key = keyOf(`${scopes}${name}`)
      const occurrence = key.slice(key.lastIndexOf("#"))
      const run = context.step as unknown as (...args: ReadonlyArray<unknown>) => Effect.Effect<unknown, unknown>
      let hasRun = false
      const watch = (effect: AnyEffect) => (): AnyEffect => {
        if (isAlive() && !hasRun) {
          notes.ran.push(key)
          if (isLost || given.has(key) || given.has(`${key}!`)) notes.repeated.push(key)
        }
        hasRun = true
        begin()
        return Effect.ensuring(Effect.locally(effect, path, undefined), Effect.sync(end))
      }
      const watched = Effect.isEffect(work)
        ? Effect.suspend(watch(work))
        : (...args: never) => Effect.suspend(watch(Effect.suspend(() => work(...args))))
      return Effect.onExit(run(name, watched, ...options), note(scopes, `${name}${occurrence}`))
    })
  const seen: ExecutionContext = {
    ...context,
    abortSignal,
    step: step as unknown as ExecutionContext["step"], // the same operation, with its answer noted
    scope: (name, effect) =>
      Effect.flatMap(FiberRef.get(path), (scopes) =>
        Effect.suspend(() => context.scope(name, Effect.locally(effect, path, `${keyOf(`${scopes}${name}`)}/`)))
      ),
    sleep: (duration, options) => learning(options?.name ?? "sleep", context.sleep(duration, options)),
    awaitSignal: (signal, options) =>
      learning(
        options?.name ?? signal.name,
        Effect.tap(context.awaitSignal(signal, options), (payload) => Effect.sync(() => take(signal.name, payload)))
      ),
    signal: (target, signal, payload, options) =>
      learning(`signal to ${target}`, context.signal(target, signal, payload, options)),
    appendEvent: (event, payload, options) => learning(event.name, context.appendEvent(event, payload, options)),
    attach: (startable, id) => handle(context.attach(startable, id) as never) as never, // the same handle, with its answer noted
    start: (startable, options) =>
      Effect.flatMap(FiberRef.get(path), (scopes) =>
        Effect.map(
          Effect.onExit(context.start(startable, options), (exit) =>
            note(scopes, options.name)(Exit.map(exit, ({ id }) => id))
          ),
          (child) => handle(child as never) as never // as above
        )
      )
  }
  return { seen, decide }
}

const isInterruption = (exit: Exit.Exit<unknown, unknown>): boolean =>
  Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause)

const isLossOf = (id: ProcessId, exit: Exit.Exit<unknown, unknown>): boolean => {
  if (Exit.isSuccess(exit)) return false
  const error = Cause.squash(exit.cause)
  return error instanceof LeaseLost && error.processId === id
}

const textOf = Exit.match({
  onSuccess: (value: unknown) => JSON.stringify(value) ?? "done",
  onFailure: (cause: Cause.Cause<unknown>) => {
    const thrown = Cause.squash(cause)
    if (typeof thrown !== "object" || thrown === null) return String(thrown)
    const { _tag, message, name } = thrown as { readonly [field: string]: unknown } // whatever it has
    return `${String(_tag ?? name)} (${String(message)})`
  }
})
