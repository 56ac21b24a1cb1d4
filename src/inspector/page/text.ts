/**
 * Times and values as short texts. Units: epoch milliseconds, UTC in; local time out.
 */

const offset = { ms: 0 }

/** Takes over the server's clock: the browser may run on another machine's. */
export const setClock = (serverNowMs: number): void => {
  offset.ms = serverNowMs - Date.now()
}

/** The server's time, as far as the page knows it. */
export const nowMs = (): number => Date.now() + offset.ms

/** A time of day, with milliseconds; with its date when it was not today. */
export const timeOf = (ms: number): string => {
  const date = new Date(ms)
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, "0")}`
  return date.toDateString() === new Date(nowMs()).toDateString()
    ? time
    : `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${time}`
}

/** How long ago something was, or how far ahead it is. */
export const ageOf = (ms: number): string => {
  const away = nowMs() - ms
  return away >= 0 ? `${spanOf(away)} ago` : `in ${spanOf(-away)}`
}

/** A length of time in its largest unit. */
export const spanOf = (ms: number): string => {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min`
  if (ms < 86_400_000) return `${Math.floor(ms / 3_600_000)} h`
  return `${Math.floor(ms / 86_400_000)} d`
}

/** A count with separators. */
export const countOf = (count: number): string => count.toLocaleString("en")

/** A value on one line, cut where it gets long. */
export const brief = (value: unknown, most = 120): string => {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "")
  return text.length > most ? `${text.slice(0, most - 1)}…` : text
}

const two = (value: number): string => String(value).padStart(2, "0")
