/**
 * Every law again, for a caller that names an empty frame wherever it names a session: an empty frame is no frame.
 */
import * as Effect from "effect/Effect"
import type { Caller } from "./callers.ts"
import { tryLaws } from "./callers.ts"

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype

/** The same value, with an empty frame in every scope that names none. */
const framed = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(framed)
  if (!isRecord(value)) return value
  const fields = Object.fromEntries(Object.entries(value).map(([key, field]) => [key, framed(field)]))
  return Object.keys(fields).join() === "sessionId" ? { ...fields, agentFrameId: "" } : fields
}

/** Whether a frame in it is empty. */
const hasEmptyFrame = (value: unknown): boolean =>
  Array.isArray(value)
    ? value.some(hasEmptyFrame)
    : isRecord(value) &&
      // Of a live snapshot only the context is data.
      Object.entries("machine" in value ? { context: value["context"] } : value).some(
        ([key, field]) => (key === "agentFrameId" && field === "") || hasEmptyFrame(field)
      )

const framing: Caller =
  (operate) =>
  (...args) =>
    Effect.filterOrDieMessage(
      operate(...args.map(framed)),
      (answer) => !hasEmptyFrame(answer),
      "an answer names an empty frame"
    )

tryLaws("a caller that names empty frames", framing)
