/**
 * The inbox of one actor: an array and a suspended fiber. Much lighter than a queue, for one reader and many writers.
 */
import * as Effect from "effect/Effect"

/** An unbounded inbox with one reader. */
export interface Inbox<Message> {
  readonly offer: (message: Message) => void
  readonly take: Effect.Effect<Message>
}

/** Makes an inbox that holds these messages already. */
export const make = <Message>(...first: ReadonlyArray<Message>): Inbox<Message> => {
  const messages: Array<Message> = [...first]
  let reader: ((message: Message) => void) | undefined
  return {
    offer: (message) => {
      if (reader === undefined) {
        messages.push(message)
      } else {
        const resume = reader
        reader = undefined
        resume(message)
      }
    },
    take: Effect.async<Message>((resume) => {
      if (messages.length > 0) return resume(Effect.succeed(messages.shift() as Message)) // it is not empty
      reader = (message) => resume(Effect.succeed(message))
      return Effect.sync(() => {
        reader = undefined
      })
    })
  }
}
