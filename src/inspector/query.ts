/**
 * What a request asks for, read out of the query of its address.
 *
 * Invariant: a key that is unknown, is there twice or has a value of no meaning is refused by name. To overlook one of the list
 * would show all processes for the few that were meant.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { InputInvalid } from "../model/errors.ts"
import type { ProcessId } from "../model/ids.ts"
import { processId } from "../model/ids.ts"
import { filterKeys, pageKeys } from "./filters.ts"
import { works } from "./reason.ts"
import type { Page, Wanted } from "./views/directory.ts"
import { orders } from "./views/directory.ts"

/** How many rows or events one page may hold. */
const maxPage = 1_000

/** How many ids one answer may hold, for what is done to all of them. */
const maxIds = 5_000

/** The process that a query names as `id`. Fails with `InputInvalid` when there is none. */
export const idOf = (query: URLSearchParams): Effect.Effect<ProcessId, InputInvalid> => {
  const id = query.get("id")
  return id === null || id === "" ? refuse("id", "is missing") : Effect.succeed(processId(id))
}

/** Refuses a key that is none of these, or that is there twice. Fails with `InputInvalid`, naming the key. */
export const knownKeys = (
  query: URLSearchParams,
  path: string,
  keys: ReadonlyArray<string>
): Effect.Effect<void, InputInvalid> => {
  for (const key of query.keys()) {
    const others = keys.length === 0 ? "which has none" : `there are ${keys.join(", ")}`
    if (!keys.includes(key)) return refuse(key, `is no key of ${path}; ${others}`)
    if (query.getAll(key).length > 1) return refuse(key, "is there twice; give it once")
  }
  return Effect.void
}

/** A whole number. Fails with `InputInvalid`, naming the field. @default most 1000 */
export const numberOf = (
  query: URLSearchParams,
  field: string,
  fallback: number,
  most: number = maxPage
): Effect.Effect<number, InputInvalid> => {
  const text = query.get(field)
  const value = text === null ? fallback : text.trim() === "" ? Number.NaN : Number(text)
  return Number.isSafeInteger(value) && value >= 0 && value <= most
    ? Effect.succeed(value)
    : refuse(field, `must be a whole number from 0 to ${most}`)
}

/** Which lines of the list are wanted, in what order, and whether their ids alone are. */
export interface ListQuery {
  readonly wanted: Wanted
  readonly page: Page
  readonly isOfIds: boolean
}

/** The query of the list, whose keys are known. Fails with `InputInvalid`, naming the key. */
export const listQuery = (query: URLSearchParams): Effect.Effect<ListQuery, InputInvalid> =>
  Effect.gen(function* () {
    const order = query.get("sort") ?? "changed"
    if (!isOrder(order)) return yield* refuse("sort", `must be one of ${orders.join(", ")}`)
    const direction = query.get("order") ?? "desc"
    if (direction !== "asc" && direction !== "desc") return yield* refuse("order", "must be asc or desc")
    const find = query.get("find")
    return {
      wanted: yield* wantedOf(query),
      page: {
        order,
        isAscending: direction === "asc",
        offset: yield* numberOf(query, "offset", 0, Number.MAX_SAFE_INTEGER),
        limit: yield* numberOf(query, "limit", 200, maxIds),
        ...(find === null ? {} : { find })
      },
      isOfIds: yield* flagOf(query, "ids")
    }
  })

const wantedOf = (query: URLSearchParams): Effect.Effect<Wanted, InputInvalid> =>
  Effect.gen(function* () {
    const texts = Object.fromEntries(
      (["text", "state", "kind", "owner", "session", "problem", "waits", "asks"] as const).flatMap((key) => {
        const value = query.get(key)?.trim() ?? ""
        return value === "" ? [] : [[key, value]]
      })
    )
    if (texts["state"] !== undefined && !isState(texts["state"])) {
      return yield* refuse("state", `must be one of ${states.join(", ")}`)
    }
    const work = query.get("work") ?? ""
    if (work !== "" && !isWork(work)) return yield* refuse("work", `must be one of ${works.join(", ")}`)
    const sinceMs = yield* numberOf(query, "since", 0, Number.MAX_SAFE_INTEGER)
    const longerMs = yield* numberOf(query, "longer", 0, Number.MAX_SAFE_INTEGER)
    return {
      ...texts,
      ...(work === "" ? {} : { work }),
      ...((yield* flagOf(query, "roots")) ? { roots: true } : {}),
      ...(sinceMs > 0 ? { sinceMs } : {}),
      ...(longerMs > 0 ? { longerMs } : {})
    } satisfies Wanted
  })

/** Whether a key is there, whose one value is 1. */
const flagOf = (query: URLSearchParams, key: string): Effect.Effect<boolean, InputInvalid> => {
  const value = query.get(key)
  return value === null || value === "1" ? Effect.succeed(value !== null) : refuse(key, "must be 1, or be left out")
}

/** The keys of the list. */
export const listKeys: ReadonlyArray<string> = [...filterKeys, ...pageKeys]

const states = ["running", "completed", "failed", "cancelled", "abandoned"] as const

const isState = Schema.is(Schema.Literal(...states))

const isWork = Schema.is(Schema.Literal(...works))

const isOrder = Schema.is(Schema.Literal(...orders))

const refuse = (field: string, problem: string) => Effect.fail(new InputInvalid({ field, problem }))
