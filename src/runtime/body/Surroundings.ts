/**
 * What surrounds a body, as it may ask for it: its session, who originated it, its environment, the tools of its host.
 *
 * Invariant: everything is read from the process's registration and record. A body can read it, and change none of it.
 */
import * as Effect from "effect/Effect"
import type { EnvironmentSpec } from "../../model/Environment.ts"
import type { EnvironmentUnusable, InputInvalid, StoreError } from "../../model/errors.ts"
import type { EnvironmentRef } from "../../model/ids.ts"
import type { CausalRef, Originator, SessionScope } from "../../model/Provenance.ts"
import type { Registration } from "../../model/Registration.ts"
import type { Authority } from "../../operations/decisions/authority.ts"
import * as Arguments from "../arguments.ts"
import type { Tools } from "../engine/ToolCatalog.ts"
import type { HostServices, Trigger, TurnContextService } from "../HostServices.ts"
import type { Activation, Services } from "./Activation.ts"
import type { Origin, SpawnProvenance } from "./Origin.ts"
import * as Origins from "./Origin.ts"

/** What surrounds a body. */
export interface Surroundings {
  readonly origin: Origin
  /** Who asks, when this body does something with the processes of sessions: what it writes then is fenced as its own. */
  readonly caller: Effect.Effect<FencedOrigin>
  /** The session of this run, which is as short-lived as the run unless the process belongs to a session. */
  readonly sessionScope: SessionScope
  /** Who originates what is started here, and whom that wakes. */
  readonly spawnProvenance: SpawnProvenance
  /** The cause recorded for processes started from this body. */
  readonly causedBy: CausalRef | undefined
  readonly triggerOriginator: Originator
  readonly triggerWakeTarget: SessionScope | undefined
  /**
   * Registers a trigger in the name of this process: who originates it and whom it wakes is not the body's to say. Fails with
   * `InputInvalid` for what is no trigger, and registers nothing.
   */
  readonly registerTrigger: (
    trigger: Pick<Trigger, "id" | "definition">
  ) => Effect.Effect<"kept" | "refused", InputInvalid>
  /** The turn that this is; nothing for what runs in the background. */
  readonly turn: TurnContextService
  /** Reports to people who watch what the body is doing. It is not stored. */
  readonly report: (kind: string, detail: unknown) => Effect.Effect<void>
  /** What the host supplies: its triggers, attachments, projections, and what its protocol carries. */
  readonly hostServices: HostServices
  /** The environment it was started under; of a process without one, the host's. */
  readonly environment: Effect.Effect<EnvironmentSpec, EnvironmentUnusable | StoreError>
  /** The address of the environment that children share. */
  readonly capturedEnvRef: Effect.Effect<EnvironmentRef, InputInvalid | StoreError>
  /** What a model may call on this host, and how arguments are treated. */
  readonly tools: typeof Tools.Service
}

/** An origin whose writes present the lease of the activation it belongs to. */
export interface FencedOrigin extends Origin {
  readonly authority: Authority
}

/** What the surroundings of a body are read from. */
export interface Surrounded extends Pick<Activation, "row" | "lease"> {
  readonly services: Pick<Services, "environments" | "host" | "tools" | "hostServices">
}

/** Makes what surrounds the body of an activation. */
export const make = (activation: Surrounded): Surroundings => {
  const { row, services } = activation
  const { environments, host, tools, hostServices } = services
  const { registration } = row.base
  const { originator } = registration.provenance
  const own = originator._tag === "Session" ? originator.scope : { sessionId: sessionIdOf(registration) }
  const origin = {
    ...Origins.ofProcess(registration, row.snapshot.context.wakeTarget ?? undefined, own.sessionId),
    ...(own.agentFrameId === undefined ? {} : { agentFrameId: own.agentFrameId })
  }
  const { envRef } = registration
  const turn = turnOf(registration)
  const originates = Origins.triggerOriginator(origin)
  const wakeTarget = Origins.triggerWakeTarget(origin)
  return {
    origin,
    caller: Effect.sync(() => ({ ...origin, authority: { _tag: "Body", lease: activation.lease } as const })),
    sessionScope: Origins.sessionScopeOf(origin),
    spawnProvenance: Origins.spawnProvenanceOf(origin),
    causedBy: Origins.causedBy(origin),
    triggerOriginator: originates,
    triggerWakeTarget: wakeTarget,
    registerTrigger: (trigger) =>
      Arguments.refusing(() => {
        const { id, definition } = Arguments.options(
          "trigger of `registerTrigger`",
          { id: true, definition: true },
          trigger
        )
        return hostServices.triggers.register({
          id: Arguments.text("id of the trigger of `registerTrigger`", id),
          definition,
          originator: originates,
          ...(wakeTarget === undefined ? {} : { wakeTarget })
        })
      }),
    turn,
    report: (kind, detail) =>
      hostServices.activity.emit({
        sessionId: own.sessionId,
        ...(turn.turnId === undefined ? {} : { turnId: turn.turnId }),
        kind,
        detail
      }),
    hostServices,
    environment: envRef === undefined ? Effect.succeed(host.spec) : environments.load(envRef),
    capturedEnvRef: envRef === undefined ? host.capture : Effect.succeed(envRef),
    tools
  }
}

/** The session that hears what a body reports: the one that its process is from, or one of its own. */
export const sessionIdOf = ({ id, provenance: { originator } }: Registration): string =>
  originator._tag === "Session" ? originator.scope.sessionId : `process:${id}`

const turnOf = ({ id, input }: Registration): TurnContextService =>
  input._tag === "SessionTurn" ? { turnId: id, causedBy: { _tag: "Process", processId: id } } : {}
