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

/** An event for the chart of a process that no other process sent: from its timer, itself, or an action that failed. */
export const machineInput = (id: ProcessId, key: string, event: ChartEvent, timer?: string): Fact => ({
  eventType: "machine.input",
  payload: { event, ...(timer === undefined ? {} : { timer }) },
  replayKey: runtimeReplayKey(id, "machine", "input", key),
  semantics: {},
  lifecycle: { type: "machine.input", ...(timer === undefined ? {} : { timer }) }
})

/** A timer of a chart fired whose event is another process's, which has it from the same commit. */
export const machineSent = (id: ProcessId, key: string, timer: ChartTimer): Fact => ({
  eventType: "machine.sent",
  payload: { timer: timer.id, event: timer.event, to: timer.to },
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
