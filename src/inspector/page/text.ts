/**
 * Times as the page says them. Units: epoch milliseconds, UTC in; local time out.
 */
import { awayOf } from "../text.ts"

const offset = { ms: Number.NEGATIVE_INFINITY }

/**
 * Takes over the server's clock: the browser may run on another machine. An answer that took long says a time that has passed,
 * so that the latest time counts.
 */
export const setClock = (serverNowMs: number): void => {
  offset.ms = Math.max(offset.ms, serverNowMs - Date.now())
}

/** The server's time, as far as the page knows it. */
export const nowMs = (): number => Date.now() + (offset.ms === Number.NEGATIVE_INFINITY ? 0 : offset.ms)

/** A time of day, with milliseconds; with its date when it was not today. */
export const timeOf = (ms: number): string => {
  const date = new Date(ms)
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, "0")}`
  return date.toDateString() === new Date(nowMs()).toDateString()
    ? time
    : `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${time}`
}

/** How long ago something was, or how far ahead it is. */
export const ageOf = (ms: number): string => awayOf(ms, nowMs())

/** An explanation is the same for every reader, so its times are UTC; a page has one clock. */
export const localTimesIn = (text: string): string =>
  text.replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z/g, (time) => timeOf(Date.parse(time.replace(" ", "T"))))

const two = (value: number): string => String(value).padStart(2, "0")
