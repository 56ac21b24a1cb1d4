/**
 * What reaches every part of the page: changes of processes, the request to read everything again, the passing of time.
 */
import { useEffect, useState } from "preact/hooks"
import type { RowView } from "../View.ts"
import { get, Refused, sentenceOf } from "./connection.ts"

/** Rows that changed and ids that are gone; or that everything must be read again. */
export type News = { readonly rows: ReadonlyArray<RowView>; readonly gone: ReadonlyArray<string> } | "again"

const listeners = new Set<(news: News) => void>()

/** Hands news to all who listen. */
export const announce = (news: News): void => {
  for (const listener of listeners) listener(news)
}

/** Listens until the returned function is called. */
export const listenTo = (listener: (news: News) => void): (() => void) => {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}

/** Whether the page should read at an interval: not while it is hidden, or the host is away. */
export const isAwake = (): boolean => !document.hidden && !document.body.classList.contains("is-lost")

/** Draws a component anew as time passes. */
export const useTick = (everyMs: number): void => {
  const [, setCount] = useState(0)
  useEffect(() => {
    const timer = setInterval(() => setCount((count) => count + 1), everyMs)
    return () => clearInterval(timer)
  }, [everyMs])
}

/** What was read, or why it could not be. */
export interface Read<A> {
  readonly value: A | undefined
  readonly problem: string | undefined
  /** Reads it again; a call during a read causes one more. */
  readonly again: () => void
}

/**
 * Reads for a component: at once, when everything must be read again, at an interval where there is one, and when a change
 * is `about` it. What was read stays while the host is away.
 */
export const useRead = <A>(
  path: string | undefined,
  { everyMs = 0, about }: { readonly everyMs?: number; readonly about?: (ids: ReadonlyArray<string>) => boolean } = {}
): Read<A> => {
  const [held, setHeld] = useState<{ readonly path: string; readonly value?: A; readonly problem?: string }>()
  const [reader] = useState(() => ({ again: (): void => undefined, about }))
  reader.about = about
  useEffect(() => {
    if (path === undefined) return
    let isOver = false
    let isReading = false
    let isAskedAgain = false
    const read = async (): Promise<void> => {
      if (isReading) {
        isAskedAgain = true
        return
      }
      isReading = true
      try {
        const value = await get<A>(path)
        if (!isOver) setHeld({ path, value })
      } catch (error) {
        const isAway = error instanceof Refused && error.tag === "Unreachable"
        if (!isOver) {
          setHeld((old) =>
            isAway && old?.path === path && old.value !== undefined ? old : { path, problem: sentenceOf(error) }
          )
        }
      }
      isReading = false
      if (!isAskedAgain || isOver) return
      isAskedAgain = false
      await read()
    }
    const readNow = (): void => void read()
    reader.again = readNow
    readNow()
    const stop = listenTo((news) => {
      if (news === "again") readNow()
      else if (reader.about?.([...news.rows.map((row) => row.process_id), ...news.gone]) === true) readNow()
    })
    const timer = everyMs > 0 ? setInterval(() => isAwake() && readNow(), everyMs) : undefined
    return () => {
      isOver = true
      stop()
      clearInterval(timer)
    }
  }, [path, everyMs, reader])
  const current = held?.path === path ? held : undefined
  return { value: current?.value, problem: current?.problem, again: () => reader.again() }
}

const wide = matchMedia("(min-width: 900px)")

/** Whether there is room for a table. */
export const useWide = (): boolean => {
  const [isWide, setWide] = useState(wide.matches)
  useEffect(() => {
    const read = (): void => setWide(wide.matches)
    wide.addEventListener("change", read)
    return () => wide.removeEventListener("change", read)
  }, [])
  return isWide
}
