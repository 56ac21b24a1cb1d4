/**
 * The sub-agents: each has a session of its own, and does its share of the audit in one turn of it.
 *
 * ```
 * audit ─ start a turn ─► create the session ─► run its turn: batches as children ─► what they found
 *                                                    └ interrupted ─► close the session; the next activation asks for it again
 * ```
 * Invariant: a session is named by the process of its turn, so that a turn that goes on elsewhere goes on in the same session.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { ExecutionContext } from "../../../../src/index.ts"
import { SessionTurn } from "../../../../src/index.ts"
import { harmless } from "../report/text.ts"
import { BatchReport } from "./FileReport.ts"
import { CriticalFound, readShare, ShareInput } from "./messages.ts"

/** What a turn has to answer with. Another version of the code has another contract: no program answers for the other. */
const contract = "audit.share-report/1"

/** What runs the turns. A host whose agents are models keeps conversations here; these sessions hold nothing but their name. */
export const agents: SessionTurn.SessionRunner<never> = {
  create: ({ processId }) => Effect.succeed(`agent:${processId}`),
  openTurn: (sessionId) => Effect.logDebug(`session ${sessionId} has its turn`),
  runTurn: (request, context) =>
    decodeTurn(request).pipe(
      Effect.flatMap(({ turnInput }) => readShare(turnInput, context)),
      Effect.flatMap(encodeReport)
    ),
  close: (sessionId) => Effect.logDebug(`session ${sessionId} is closed`)
}

/** Has a sub-agent do its share, and answers what it found. Whoever the audit wakes, the sub-agent wakes. */
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
  }).pipe(Effect.catchTag("ParseError", Effect.die)) // what is written here is read here

const SubAgent = SessionTurn.make({ disposition: "rerunnable", events: [CriticalFound] })

const Turn = Schema.Struct({ turnInput: ShareInput, outputContract: Schema.Literal(contract) })
const decodeTurn = Schema.decodeUnknown(Turn)
const encodeInput = Schema.encode(ShareInput)
const encodeReport = Schema.encode(BatchReport)
const decodeReport = Schema.decodeUnknown(BatchReport)
