/**
 * The connection of one writer, made anew when it was lost.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { StoreError } from "../../model/errors.ts"
import { storeError } from "./failure.ts"
import type { Session, SessionOptions } from "./Session.ts"
import * as Sessions from "./Session.ts"

/** A session, and the history of the server that it is on: another one after a standby took over. */
export interface Connected {
  readonly session: Session
  readonly timeline: string
}

/** A connection that is there when it is needed. */
export interface Connection {
  /** The present session, or a new one. */
  readonly get: Effect.Effect<Connected, StoreError>
}

/** Makes a connection, for as long as the scope is open; it connects when it is first needed. `onNew` is called each time it does. */
export const make = (options: SessionOptions, onNew: () => void): Effect.Effect<Connection, never, Scope.Scope> =>
  Effect.gen(function* () {
    let present: { readonly connected: Connected; readonly scope: Scope.CloseableScope } | undefined

    const close = Effect.suspend(() => {
      const scope = present?.scope
      present = undefined
      return scope === undefined ? Effect.void : Scope.close(scope, Exit.void)
    })
    yield* Effect.addFinalizer(() => close)

    const open = Effect.gen(function* () {
      yield* close
      const scope = yield* Scope.make()
      const session = yield* Effect.onError(Scope.extend(Sessions.connect(options), scope), () =>
        Scope.close(scope, Exit.void)
      )
      const [answer] = yield* Effect.mapError(
        session.send([{ name: "timeline", text: timeline, values: [] }]),
        ({ cause }) => storeError("connect to the database", cause)
      ).pipe(Effect.onError(() => Scope.close(scope, Exit.void)))
      const { history } = Sessions.firstRow<{ readonly history: string }>(answer)
      const connected = { session, timeline: history }
      present = { connected, scope }
      onNew()
      return connected
    })

    return {
      get: Effect.suspend(() =>
        present?.connected.session.isOpen() === true ? Effect.succeed(present.connected) : open
      )
    }
  })

/** The part of a WAL file's name that names the timeline. A standby, which takes no writes, has none. */
const timeline = "SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8) AS history"
