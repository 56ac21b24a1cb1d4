/**
 * Times and lengths of time as an explanation says them. Units: epoch milliseconds, UTC.
 */

/** A moment, as `2026-03-01 12:00:00.000Z`. */
export const moment = (atMs: number): string => {
  const date = new Date(atMs)
  return Number.isNaN(date.getTime()) ? `${atMs} ms` : date.toISOString().replace("T", " ")
}

/** How long something takes, in its one or two largest units: `2 min 5 s`. */
export const duration = (ms: number): string => {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`
  const seconds = Math.floor(ms / 1_000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return two(minutes, "min", seconds % 60, "s")
  const hours = Math.floor(minutes / 60)
  if (hours < 48) return two(hours, "h", minutes % 60, "min")
  return two(Math.floor(hours / 24), "d", hours % 24, "h")
}

/** `2 min 5 s ago`. */
export const ago = (atMs: number, nowMs: number): string => `${duration(nowMs - atMs)} ago`

/** `in 2 min 5 s`, or `now`. */
export const away = (atMs: number, nowMs: number): string => (atMs <= nowMs ? "now" : `in ${duration(atMs - nowMs)}`)

const two = (large: number, unit: string, small: number, smallUnit: string): string =>
  small === 0 ? `${large} ${unit}` : `${large} ${unit} ${small} ${smallUnit}`
