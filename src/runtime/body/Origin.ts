/**
 * The origin of what is started: in whose name, whom it wakes, its environment, and what the same run started before.
 *
 * Invariant: provenance comes from the origin and never from a request, so that no request inside a session can forge it.
 */
import type { Invocation } from "../../model/Invocation.ts"
import { causalRefOf } from "../../model/Invocation.ts"
import type { EnvironmentRef, ProcessId } from "../../model/ids.ts"
import type { CausalRef, Originator, SessionScope } from "../../model/Provenance.ts"
import { scopeOf } from "../../model/Provenance.ts"
import type { Registration } from "../../model/Registration.ts"

/** Who originated what is started here, and whom it wakes. An absent wake target is none, not the session. */
export interface SpawnProvenance {
  readonly originator: Originator
  readonly wakeTarget?: SessionScope
}

/** The ids that one run has started; every copy of its origin shares them. */
export interface RunLocal {
  readonly add: (id: ProcessId) => void
  readonly has: (id: ProcessId) => boolean
}

/** Where something runs. */
export interface Origin {
  readonly sessionId: string
  readonly agentFrameId?: string
  /** In whose name it runs. */
  readonly parent?: Invocation
  /** Present when a process is executed: its children inherit it. */
  readonly spawn?: SpawnProvenance
  /** The environment of the process that is executed: its children share it. */
  readonly envRef?: EnvironmentRef
  readonly runLocal: RunLocal
}

/** Makes an empty set of started ids. */
export const makeRunLocal = (): RunLocal => {
  const ids = new Set<ProcessId>()
  return { add: (id) => void ids.add(id), has: (id) => ids.has(id) }
}

/** The session, or its frame when one is named. */
export const sessionScopeOf = ({ sessionId, agentFrameId }: Origin): SessionScope =>
  agentFrameId === undefined ? { sessionId } : scopeOf({ sessionId, agentFrameId })

/** What the things that are started here were caused by. */
export const causedBy = ({ parent }: Origin): CausalRef | undefined => parent && causalRefOf(parent)

/** Who originates triggers that are registered here. */
export const triggerOriginator = (scope: Origin): Originator =>
  scope.spawn?.originator ?? { _tag: "Session", scope: sessionScopeOf(scope) }

/** Whom triggers wake that are registered here. A process without wake target has none to pass on. */
export const triggerWakeTarget = (scope: Origin): SessionScope | undefined =>
  scope.spawn === undefined ? sessionScopeOf(scope) : scope.spawn.wakeTarget

/** Who originates processes that are started here, and whom they wake. */
export const spawnProvenanceOf = (scope: Origin): SpawnProvenance =>
  scope.spawn ?? { originator: { _tag: "Session", scope: sessionScopeOf(scope) }, wakeTarget: sessionScopeOf(scope) }

/**
 * The scope in which a process's body runs: it passes on who originated it, whom it wakes now, and its environment.
 *
 * `sessionId` names the ephemeral session of the run. The wake target is the record's present one, which the deletion of its
 * session may have taken away since the registration.
 */
export const ofProcess = (
  registration: Registration,
  wakeTarget: SessionScope | undefined,
  sessionId: string
): Origin => ({
  sessionId,
  parent: { scope: { sessionId }, subject: { _tag: "Process", processId: registration.id } },
  spawn: {
    originator: registration.provenance.originator,
    ...(wakeTarget === undefined ? {} : { wakeTarget })
  },
  ...(registration.envRef === undefined ? {} : { envRef: registration.envRef }),
  runLocal: makeRunLocal()
})
