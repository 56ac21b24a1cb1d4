/**
 * Answers of the server: JSON, and for every failure a status and a sentence that says what to do.
 */
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { headers } from "./access.ts"
import type { ErrorView } from "./View.ts"

/** An answer in JSON. */
export const json = (value: unknown, status = 200): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.text(JSON.stringify(value), { status, contentType: "application/json; charset=utf-8", headers })

/** A refusal: a tag for programs, a sentence for people. */
export const refusal = (status: number, tag: string, message: string): HttpServerResponse.HttpServerResponse =>
  json({ error: { tag, message } } satisfies ErrorView, status)

/** The refusal that a typed failure stands for. */
export const failure = (error: unknown): HttpServerResponse.HttpServerResponse => {
  const { tag, message } = spokenOf(error)
  return refusal(statuses[tag] ?? 500, tag, message)
}

const statuses: Readonly<Record<string, number>> = {
  InputInvalid: 400,
  ParseError: 400,
  RequestError: 400,
  ProcessUnknown: 404,
  ProcessPruned: 410,
  EventRejected: 409,
  ProcessAlreadyTerminal: 409,
  TerminalOutcomeMismatch: 409,
  LeaseLost: 409,
  StoreError: 503
}

const spokenOf = (error: unknown): { readonly tag: string; readonly message: string } => {
  if (typeof error !== "object" || error === null) return { tag: "Failed", message: String(error) }
  const { _tag: tag, message } = error as { readonly _tag?: unknown; readonly message?: unknown }
  return {
    tag: typeof tag === "string" ? tag : "Failed",
    message: typeof message === "string" ? message : "the request failed"
  }
}
