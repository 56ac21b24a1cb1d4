/**
 * The failures of those who send to a machine or wait for its states.
 */
import * as Schema from "effect/Schema"
import { failure } from "../Failure.ts"

/**
 * The machine is in a state that does not take the event, which was to be accepted or not sent. Nothing was appended: send one of
 * `accepts`, or wait for another state. `state` is `null` before the machine has begun.
 */
export class EventNotAccepted extends failure<EventNotAccepted>()("EventNotAccepted", {
  processId: Schema.String,
  event: Schema.String,
  state: Schema.Unknown,
  accepts: Schema.Array(Schema.String)
}) {
  override get message(): string {
    const names = this.accepts.map((name) => `\`${name}\``).join(", ")
    const taken = names === "" ? "it takes no event" : `it takes ${names}`
    return `process \`${this.processId}\` does not take event \`${this.event}\` in state ${JSON.stringify(this.state)}: ${taken}`
  }
}

/** The machine was not in the state that was waited for: not in time, or it `ended` first. `state` is its last one. */
export class StateNotReached extends failure<StateNotReached>()("StateNotReached", {
  processId: Schema.String,
  ended: Schema.Boolean,
  state: Schema.Unknown
}) {
  override get message(): string {
    return `process \`${this.processId}\` ${this.ended ? "ended" : "is still"} in state ${JSON.stringify(this.state ?? null)}, which is not the one that was waited for`
  }
}
