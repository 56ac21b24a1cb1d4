/**
 * The axis on which runs are drawn: a true one, or one on which long pauses take less room.
 */
import type { RunView } from "./RunView.ts"

/** Where a time is on the axis, from 0 to 1. */
export type Scale = (ms: number) => number

/** Times that have room beside each other, and before the last, whose text ends where the others begin; `room` is a part of the axis. */
export const apart = (marks: ReadonlyArray<number>, scale: Scale, room: number): ReadonlyArray<number> => {
  const chosen: Array<number> = []
  for (const mark of marks.slice(0, -1)) {
    const before = chosen.at(-1)
    const isBeforeLast = scale(mark) < 1 - 2 * room
    if (before === undefined || (isBeforeLast && scale(mark) - scale(before) > room)) chosen.push(mark)
  }
  return [...chosen, ...marks.slice(-1)]
}

/** All times at which something begins or ends, ascending. */
export const marksOf = (runs: ReadonlyArray<RunView>, begin: number, end: number): ReadonlyArray<number> => {
  const times = runs.flatMap(({ from_ms: from, to_ms: to, spans, bands }) => [
    from,
    to ?? end,
    ...[...spans, ...bands].flatMap((part) => [part.from_ms, part.to_ms ?? end])
  ])
  return [...new Set([begin, ...times, end])].filter((ms) => ms >= begin && ms <= end).toSorted((a, b) => a - b)
}

/** Whether on a true axis most of it would be one pause. */
export const isUneven = (marks: ReadonlyArray<number>): boolean => {
  const lengths = marks.slice(1).map((mark, index) => mark - (marks[index] ?? mark))
  const all = lengths.reduce((sum, length) => sum + length, 0)
  return lengths.length > 2 && Math.max(...lengths) > 0.6 * all
}

/** An axis on which a pause takes room by the root of its length: order and proportion stay, and short steps can be seen. */
export const squeezedScale = (marks: ReadonlyArray<number>): Scale => {
  const weights = marks.slice(1).map((mark, index) => (mark - (marks[index] ?? mark)) ** 0.35)
  const all = weights.reduce((sum, weight) => sum + weight, 0) || 1
  const starts = [0]
  for (const weight of weights) starts.push((starts.at(-1) ?? 0) + weight / all)
  return (ms) => {
    const index = marks.findLastIndex((mark) => mark <= ms)
    if (index < 0) return 0
    const [from = 0, to = from] = [marks[index], marks[index + 1]]
    const [left = 1, right = left] = [starts[index], starts[index + 1]]
    return to === from ? left : left + ((ms - from) / (to - from)) * (right - left)
  }
}
