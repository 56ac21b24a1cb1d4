/**
 * The sub-agents: each has a session of its own, and does its share of the audit in one turn of that session.
 *
 * ```
 * audit ─ start a turn ─► create the session ─► run its turn: batches as children ─► their report
 *                                                    └ interrupted ─► close the session; the next activation opens it again
 * ```
 * Invariant: a session has the name of its turn's process, so a turn that resumes elsewhere resumes in the same session.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { ExecutionContext } from "../../../../src/index.ts"
import { SessionTurn } from "../../../../src/index.ts"
import { BatchReport } from "../report/parts.ts"
import { harmless } from "../report/text.ts"
import { CriticalFound, readShare, ShareInput } from "./messages.ts"

/** The contract of a turn's output. Another version of the code has another contract, so that versions do not mix. */
const contract = "audit.share-report/1"

/** Runs the turns. A host whose agents are models keeps conversations here; these sessions have only a name. */
export const agents: SessionTurn.SessionRunner<never> = {
  create: ({ processId }) => Effect.succeed(`agent:${processId}`),
  openTurn: (sessionId) => Effect.logDebug(`session ${sessionId} starts its turn`),
  runTurn: (request, context) =>
    decodeTurn(request).pipe(
      Effect.flatMap(({ turnInput }) => readShare(turnInput, context)),
      Effect.flatMap(encodeReport)
    ),
  close: (sessionId) => Effect.logDebug(`session ${sessionId} is closed`)
}

/** Starts a sub-agent for a share, and returns its report. The sub-agent inherits the wake target of the audit. */
export const delegate = (context: ExecutionContext.ExecutionContext, input: ShareInput) =>
  Effect.gen(function* () {
    const { name, path } = input.share
    const turn = yield* context.start(SubAgent, {
      name,
      label: harmless(path),
      payload: {
        createRequest: { subagent: { capability: "reads a share of a directory" } },
        turnInput: yield* encodeInput(input),
        outputContract: contract
      }
    })
    const { turn: answer } = yield* turn.await
    return yield* decodeReport(answer)
  }).pipe(Effect.catchTag("ParseError", Effect.die)) // both sides of the codec are in this module

const SubAgent = SessionTurn.make({ disposition: "rerunnable", events: [CriticalFound] })

const Turn = Schema.Struct({ turnInput: ShareInput, outputContract: Schema.Literal(contract) })
const decodeTurn = Schema.decodeUnknown(Turn)
const encodeInput = Schema.encode(ShareInput)
const encodeReport = Schema.encode(BatchReport)
const decodeReport = Schema.decodeUnknown(BatchReport)
