/**
 * Interprets the supervisor machine: its children are fibers, started in order, restarted when they fail, and stopped in
 * reverse. The supervision tree is a value, readable at any time.
 *
 * Invariant: every child belongs to a scope of the supervisor's own. When the supervisor has ended, no child runs.
 * @see https://www.erlang.org/doc/system/sup_princ.html
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type { SupervisorCommand } from "../../machines/supervisor/machine.ts"
import { supervisorMachine } from "../../machines/supervisor/machine.ts"
import type {
  ChildSpec,
  SupervisedChild,
  SupervisorContext,
  SupervisorEvent,
  SupervisorFailure,
  SupervisorInput
} from "../../machines/supervisor/types.ts"
import * as Step from "../../machines/xstate/step.ts"
import * as Inboxes from "../runtime/worker/Inbox.ts"

/** One node of the tree. Units: epoch milliseconds, UTC. */
export interface TreeNode {
  readonly name: string
  /** A supervisor restarts its children; a worker is one fiber; a process is a body, never restarted in place. */
  readonly kind: "supervisor" | "worker" | "process"
  readonly state: string
  readonly restarts: number
  readonly lastFailure?: { readonly atMs: number; readonly problem: string }
  /** A few words for the reader. */
  readonly note?: string
  readonly children: ReadonlyArray<TreeNode>
}

/** A child: what the machine knows of it, and what it runs. */
export interface Child extends ChildSpec {
  /** Ends when the child has; an interruption asks it to stop. */
  readonly run: Effect.Effect<unknown, unknown>
  /** Its part of the tree, for a child that is more than one fiber. */
  readonly below?: () => Partial<Pick<TreeNode, "kind" | "children" | "note">>
}

/** A supervisor as a value. */
export interface SupervisorSpec extends Omit<SupervisorInput, "children"> {
  readonly name: string
  readonly children: ReadonlyArray<Child>
}

/** A supervisor: a fiber to run, and the part of the tree that it is. */
export interface Supervisor {
  /** Runs until it is interrupted, which stops the children in reverse, or until it gives up, with the failure that did it. */
  readonly run: Effect.Effect<void, SupervisorFailure>
  readonly node: () => TreeNode
}

/**
 * How often children may be restarted, and how the pauses grow. A child that fails at once every time backs off so long that it
 * never reaches the bound.
 */
export const defaults: Pick<SupervisorInput, "intensity" | "backOff"> = {
  intensity: { maxRestarts: 10, periodMs: 60_000 },
  backOff: { baseMs: 100, maxMs: 30_000 }
}

/** Makes a supervisor that runs nothing yet. */
export const make = (spec: SupervisorSpec): Supervisor => {
  const { name, children, ...input } = spec
  const byName = new Map(children.map((child) => [child.name, child]))
  let { snapshot, commands } = Step.begin(supervisorMachine, {
    ...input,
    children: children.map(({ run: _run, below: _below, ...child }) => child)
  })

  // Effect passes an interruption on to forked children at once; in a scope they wait for their turn to stop.
  const loop = (inbox: Inboxes.Inbox<SupervisorEvent>, scope: Scope.Scope): Effect.Effect<void, SupervisorFailure> =>
    Effect.gen(function* () {
      ;({ snapshot, commands } = Step.begin(supervisorMachine, {
        ...input,
        children: children.map(({ run: _run, below: _below, ...child }) => child)
      }))
      inbox.offer({ type: "supervisor.start_requested", atMs: yield* Clock.currentTimeMillis })
      const fibers = new Map<string, Fiber.RuntimeFiber<unknown, unknown>>()
      const alarms = new Map<string, Fiber.RuntimeFiber<void>>()

      const perform = (command: SupervisorCommand): Effect.Effect<void> => {
        switch (command.type) {
          case "startChild":
            return startChild(command.params.name)
          case "stopChild":
            return stopChild(command.params.name, command.params.shutdownMs)
          case "scheduleRestart":
            return scheduleRestart(command.params.name, command.params.delayMs)
          case "escalate":
            return Effect.logError(`supervisor ${name} gives up: ${command.params.child}: ${command.params.problem}`)
          case "announceStopped":
            return Effect.void
        }
      }

      const offerNow = (event: { readonly type: "restart.due" | "child.stopped"; readonly name: string }) =>
        Effect.map(Clock.currentTimeMillis, (atMs) => inbox.offer({ ...event, atMs }))

      /** One alarm for each child: a later one replaces it. */
      const scheduleRestart = (child: string, delayMs: number) =>
        Effect.gen(function* () {
          const earlier = alarms.get(child)
          if (earlier !== undefined) yield* Fiber.interruptFork(earlier)
          const alarm = Effect.delay(offerNow({ type: "restart.due", name: child }), delayMs)
          alarms.set(child, yield* Effect.forkIn(Effect.interruptible(alarm), scope))
        })

      const startChild = (child: string) =>
        Effect.gen(function* () {
          const { run } = byName.get(child) as Child // the machine knows only the children it was given
          const clock = yield* Effect.clock
          const fiber = yield* Effect.forkIn(Effect.interruptible(run), scope)
          fibers.set(child, fiber)
          inbox.offer({ type: "child.started", name: child, atMs: clock.unsafeCurrentTimeMillis() })
          fiber.addObserver((exit) => {
            if (fibers.get(child) !== fiber) return
            fibers.delete(child)
            inbox.offer(exitOf(child, clock.unsafeCurrentTimeMillis(), exit))
          })
        })

      const stopChild = (child: string, shutdownMs: number) =>
        Effect.gen(function* () {
          const fiber = fibers.get(child)
          if (fiber === undefined) return yield* offerNow({ type: "child.stopped", name: child })
          fibers.delete(child)
          yield* Fiber.interruptFork(fiber)
          // Its end or its deadline: a child that does not stop is logged and left to the scope.
          const ended = Fiber.await(fiber).pipe(
            Effect.timeoutTo({ duration: shutdownMs, onSuccess: () => true, onTimeout: () => false }),
            Effect.tap((inTime) =>
              inTime ? Effect.void : Effect.logWarning(`${name}/${child} did not stop within ${shutdownMs} ms`)
            ),
            Effect.zipRight(offerNow({ type: "child.stopped", name: child })),
            Effect.interruptible
          )
          yield* Effect.forkIn(ended, scope)
        })

      while (true) {
        for (const command of commands) yield* perform(command)
        if (snapshot.status === "done") break
        ;({ snapshot, commands } = Step.advance(supervisorMachine, snapshot, yield* inbox.take))
      }
      const { failure } = snapshot.context
      if (failure !== undefined) return yield* Effect.fail(failure)
    })

  return {
    // The loop itself is never interrupted, since a message that it takes must not be lost: being asked to stop is one more.
    run: Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        const inbox = Inboxes.make<SupervisorEvent>()
        const fiber = yield* Effect.fork(Effect.scopedWith((scope) => loop(inbox, scope)))
        yield* Effect.onInterrupt(restore(Fiber.await(fiber)), () =>
          Effect.flatMap(Clock.currentTimeMillis, (atMs) => {
            inbox.offer({ type: "supervisor.stop_requested", atMs })
            return Fiber.await(fiber)
          })
        )
        yield* Fiber.join(fiber)
      })
    ),
    node: () => ({
      name,
      kind: "supervisor",
      state: stateOf(snapshot.value),
      restarts: 0,
      ...lastFailureOf(snapshot.context),
      children: snapshot.context.children.map((child) => nodeOf(child, byName.get(child.name)))
    })
  }
}

/** A supervisor's own failure is that of the child it gave up over. */
const lastFailureOf = ({ failure, children }: SupervisorContext): Pick<TreeNode, "lastFailure"> => {
  const last = children.find(({ name }) => name === failure?.child)?.lastFailure
  return last === undefined ? {} : { lastFailure: last }
}

const stateOf = (value: unknown): string =>
  typeof value === "string" ? value : (Object.keys(value as object)[0] ?? "") // a state value is a name or one nested in another

const nodeOf = ({ name, status, restarts, lastFailure }: SupervisedChild, child: Child | undefined): TreeNode => {
  const below = child?.below?.() ?? {}
  return {
    name,
    kind: below.kind ?? "worker",
    state: status.replace("_", " "),
    restarts,
    ...(lastFailure === undefined ? {} : { lastFailure }),
    ...(below.note === undefined ? {} : { note: below.note }),
    children: below.children ?? []
  }
}

const exitOf = (name: string, atMs: number, exit: Exit.Exit<unknown, unknown>): SupervisorEvent =>
  Exit.isSuccess(exit)
    ? { type: "child.exited", name, atMs, exit: "normal" }
    : { type: "child.exited", name, atMs, exit: "failure", problem: problemOf(exit.cause) }

const problemOf = (cause: Cause.Cause<unknown>): string => {
  const squashed = Cause.squash(cause)
  if (squashed instanceof Error) return `${squashed.name}: ${squashed.message}`
  if (typeof squashed === "object" && squashed !== null && "problem" in squashed) return String(squashed.problem)
  return String(squashed)
}

/** Draws a tree as lines of text. */
export const renderTree = (node: TreeNode): string => lines(node, "", "").join("\n")

const lines = (node: TreeNode, lead: string, indent: string): ReadonlyArray<string> => [
  `${lead}${labelOf(node)}`,
  ...node.children.flatMap((child, index) => {
    const isLast = index === node.children.length - 1
    return lines(child, `${indent}${isLast ? "└─ " : "├─ "}`, `${indent}${isLast ? "   " : "│  "}`)
  })
]

const labelOf = ({ name, state, restarts, lastFailure, note }: TreeNode): string =>
  [
    `${name}: ${state}`,
    ...(note === undefined ? [] : [note]),
    ...(restarts === 0 ? [] : [`restarted ${restarts === 1 ? "once" : `${restarts} times`}`]),
    ...(lastFailure === undefined ? [] : [`last failure: ${firstLine(lastFailure.problem)}`])
  ].join(", ")

const firstLine = (text: string): string => text.split("\n", 1)[0] ?? ""
