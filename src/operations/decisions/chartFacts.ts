/**
 * The facts of a chart: each is one stored event and one event of the lifecycle machine, as every fact is.
 */
import type { ChartEvent, ChartTimer, ChartTransition } from "../../../machines/chart/state.ts"
import type { Fact } from "../../model/facts.ts"
import type { ProcessId } from "../../model/ids.ts"
import { runtimeReplayKey } from "../../model/ids.ts"

/** A chart moves from rest to rest. The payload is the transition: all its fields are JSON with names of one word. */
export const transitioned = (id: ProcessId, step: ChartTransition): Fact => ({
  eventType: "machine.transitioned",
  payload: step,
  replayKey: runtimeReplayKey(id, "machine", step.revision),
  semantics: {},
  lifecycle: { type: "machine.transitioned", step }
})

/** An event for the chart of a process that no other process sent: from itself, or an action that failed. */
export const machineInput = (id: ProcessId, key: string, event: ChartEvent): Fact => ({
  eventType: "machine.input",
  payload: { event },
  replayKey: runtimeReplayKey(id, "machine", "input", key),
  semantics: {},
  lifecycle: { type: "machine.input" }
})

/**
 * The same of a timer, as the event of a sequence. Its deadline is in the payload, and not in that of earlier versions of this
 * library, whose timers nothing cancels once they have fired.
 */
export const machineTimed = (
  id: ProcessId,
  key: string,
  { id: timer, event, at }: ChartTimer,
  sequence: number
): Fact => ({
  eventType: "machine.input",
  payload: { event, timer, at },
  replayKey: runtimeReplayKey(id, "machine", "input", key),
  semantics: {},
  lifecycle: { type: "machine.input", timer, sequence }
})

/**
 * A timer of a chart fired whose event is another process's, which has it from the same commit. `refused`: that process does not
 * take it, and why.
 */
export const machineSent = (id: ProcessId, key: string, timer: ChartTimer, refused?: string): Fact => ({
  eventType: "machine.sent",
  payload: {
    timer: timer.id,
    event: timer.event,
    to: timer.to,
    ...(refused === undefined ? {} : { refused })
  },
  replayKey: runtimeReplayKey(id, "machine", "sent", key),
  semantics: {},
  lifecycle: { type: "machine.sent", timer: timer.id }
})

/** An action of a chart was performed; `failure` says how it failed. */
export const machineActed = (
  id: ProcessId,
  { revision, index, name, failure }: { revision: number; index: number; name: string; failure?: unknown }
): Fact => ({
  eventType: "machine.acted",
  payload: { revision, index, name, ...(failure === undefined ? {} : { failure }) },
  replayKey: runtimeReplayKey(id, "machine", revision, index),
  semantics: {},
  lifecycle: { type: "machine.acted", revision, index }
})
