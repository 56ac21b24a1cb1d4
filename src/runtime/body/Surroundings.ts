/**
 * What surrounds a body, as it may ask for it: its session, who originated it, its environment, the tools of its host.
 *
 * Invariant: everything is read from the process's registration and record. A body can look at it, and change none of it.
 */
import * as Effect from "effect/Effect"
import type { EnvironmentSpec } from "../../model/Environment.ts"
import type { EnvironmentUnusable, InputInvalid, StoreError } from "../../model/errors.ts"
import type { EnvironmentRef } from "../../model/ids.ts"
import type { Lease } from "../../model/Lease.ts"
import type { CausalRef, Originator, SessionScope } from "../../model/Provenance.ts"
import type { Registration } from "../../model/Registration.ts"
import type { Authority } from "../../operations/decisions/authority.ts"
import type { Environments } from "../../operations/Environments.ts"
import type { ProcessRow } from "../../store/Decision.ts"
import type { Tools } from "../engine/ToolCatalog.ts"
import type { HostEnvironment } from "../HostEnvironment.ts"
import type { FacetServices, Trigger, TurnContextService } from "../HostServices.ts"
import type { SpawnProvenance, SpawnScope } from "./Origin.ts"
import * as Scopes from "./Origin.ts"

/** What surrounds a body. */
export interface ProcessScope {
  readonly spawnScope: SpawnScope
  /** Who asks, when this body does something with the processes of sessions: what it writes then is fenced as its own. */
  readonly caller: Effect.Effect<FencedScope>
  /** The session of this run, which is as short-lived as the run unless the process belongs to a session. */
  readonly sessionScope: SessionScope
  /** Who originates what is started here, and whom that wakes. */
  readonly spawnProvenance: SpawnProvenance
  /** What is started here was caused by. */
  readonly causedBy: CausalRef | undefined
  readonly triggerOriginator: Originator
  readonly triggerWakeTarget: SessionScope | undefined
  /** Registers a trigger in the name of this process: who originates it and whom it wakes is not the body's to say. */
  readonly registerTrigger: (trigger: Pick<Trigger, "id" | "definition">) => Effect.Effect<"kept" | "refused">
  /** The turn that this is; nothing for what runs in the background. */
  readonly turn: TurnContextService
  /** Tells people who watch what the body is doing. It is not stored. */
  readonly tell: (kind: string, detail: unknown) => Effect.Effect<void>
  /** What the host supplies: its triggers, attachments, projections, and what its protocol carries. */
  readonly facets: FacetServices
  /** The environment it was started under; of a process without one, the host's. */
  readonly environment: Effect.Effect<EnvironmentSpec, EnvironmentUnusable | StoreError>
  /** The address of the environment that children share. */
  readonly capturedEnvRef: Effect.Effect<EnvironmentRef, InputInvalid | StoreError>
  /** What a model may call on this host, and how arguments are treated. */
  readonly tools: typeof Tools.Service
}

/** A scope whose writes rest on the lease of the activation it belongs to. */
export interface FencedScope extends SpawnScope {
  readonly authority: Authority
}

/** What a scope needs of its host. */
export interface ScopeSupport {
  readonly environments: typeof Environments.Service
  readonly host: typeof HostEnvironment.Service
  readonly tools: typeof Tools.Service
  readonly facets: FacetServices
}

/** Makes what surrounds the body of a row, which writes under its present lease. */
export const make = (row: ProcessRow, lease: () => Lease, support: ScopeSupport): ProcessScope => {
  const { environments, host, tools, facets } = support
  const { registration } = row.base
  const { originator } = registration.provenance
  const own = originator._tag === "Session" ? originator.scope : { sessionId: `process:${registration.id}` }
  const spawnScope = {
    ...Scopes.ofProcess(registration, row.snapshot.context.wakeTarget ?? undefined, own.sessionId),
    ...(own.agentFrameId === undefined ? {} : { agentFrameId: own.agentFrameId })
  }
  const { envRef } = registration
  const turn = turnOf(registration)
  const originates = Scopes.triggerOriginator(spawnScope)
  const wakeTarget = Scopes.triggerWakeTarget(spawnScope)
  return {
    spawnScope,
    caller: Effect.sync(() => ({ ...spawnScope, authority: { _tag: "Body", lease: lease() } as const })),
    sessionScope: Scopes.sessionScopeOf(spawnScope),
    spawnProvenance: Scopes.spawnProvenanceOf(spawnScope),
    causedBy: Scopes.causedBy(spawnScope),
    triggerOriginator: originates,
    triggerWakeTarget: wakeTarget,
    registerTrigger: ({ id, definition }) =>
      facets.triggers.register({
        id,
        definition,
        originator: originates,
        ...(wakeTarget === undefined ? {} : { wakeTarget })
      }),
    turn,
    tell: (kind, detail) =>
      facets.activity.emit({
        sessionId: own.sessionId,
        ...(turn.turnId === undefined ? {} : { turnId: turn.turnId }),
        kind,
        detail
      }),
    facets,
    environment: envRef === undefined ? Effect.succeed(host.spec) : environments.load(envRef),
    capturedEnvRef: envRef === undefined ? host.capture : Effect.succeed(envRef),
    tools
  }
}

const turnOf = ({ id, input }: Registration): TurnContextService =>
  input._tag === "SessionTurn" ? { turnId: id, causedBy: { _tag: "Process", processId: id } } : {}
