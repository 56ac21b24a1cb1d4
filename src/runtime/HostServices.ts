/**
 * What a host may supply around its processes. Each is optional, and each default is stated: nothing happens silently.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Struct from "effect/Struct"
import { InputInvalid, type StoreError } from "../model/errors.ts"
import type { ProcessId } from "../model/ids.ts"
import type { CausalRef, Originator, SessionScope } from "../model/Provenance.ts"
import { Environments } from "../operations/Environments.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import * as Arguments from "./arguments.ts"
import * as Folder from "./attachmentFolder.ts"

/** Whether what is kept survives the end of this OS process. */
export type Durability = "inline" | "durable"
/** The durability of a host service. `absent`: the host has none, and nothing is kept. */
export type ServiceDurability = Durability | "absent"

/** A trigger that a body registers: when something occurs, a process is started or a session woken. The definition is the host's own. */
export interface Trigger {
  readonly id: string
  readonly definition: unknown
  readonly originator: Originator
  readonly wakeTarget?: SessionScope
}

/** The outcome of an occurrence of a trigger. */
export type TriggerOutcome =
  | { readonly _tag: "Started"; readonly processId: ProcessId }
  | { readonly _tag: "Woken"; readonly scope: SessionScope }
  | { readonly _tag: "Ignored"; readonly reason: string }

/** Keeps triggers and how their occurrences ended. Default: none is kept, and registering one says so. */
export class TriggerStore extends Context.Reference<TriggerStore>()("holdfast/runtime/TriggerStore", {
  defaultValue: (): TriggerStoreService => ({
    durability: "absent",
    register: ({ id }) =>
      Effect.as(Effect.logWarning(`trigger ${id} not kept: this host has no trigger store`), "refused"),
    record: () => Effect.void
  })
}) {}

/** The operations of a trigger store. */
export interface TriggerStoreService {
  readonly durability: ServiceDurability
  readonly register: (trigger: Trigger) => Effect.Effect<"kept" | "refused">
  readonly record: (occurrenceId: string, outcome: TriggerOutcome) => Effect.Effect<void>
}

/** Receives what a turn is doing, for people who watch. Default: it is dropped. */
export class TurnActivitySink extends Context.Reference<TurnActivitySink>()("holdfast/runtime/TurnActivitySink", {
  defaultValue: (): TurnActivitySinkService => ({ emit: () => Effect.void })
}) {}

/** The operations of a sink of activity. Activity is never stored. */
export interface TurnActivitySinkService {
  readonly emit: (activity: TurnActivity) => Effect.Effect<void>
}

/** Something that a turn, or what runs beside one, is doing. */
export interface TurnActivity {
  readonly sessionId: string
  readonly turnId?: string
  /** `turn_started` and `turn_ended` are this library's; every other is the body's. */
  readonly kind: string
  readonly detail: unknown
}

/** Keeps large values beside the log. Default: there are none, and putting one is refused. */
export class Attachments extends Context.Reference<Attachments>()("holdfast/runtime/Attachments", {
  defaultValue: (): AttachmentsService => ({
    durability: "absent",
    put: () => Effect.fail(new InputInvalid({ field: "attachments", problem: notKept })),
    get: () => Effect.succeed(undefined)
  })
}) {
  /**
   * Keeps each value as a file of one folder, named by its content; the folder is made when it is first needed, and may be shared
   * by hosts. Nothing removes files. Throws `InputInvalid` when the folder is no text.
   *
   * @example docs/guide/values-and-their-limits.md
   */
  static readonly layerFolder = (folder: string): Layer.Layer<Attachments> =>
    Layer.succeed(Attachments, Folder.make(Arguments.text("folder", folder)))
}

const notKept = "are not kept by this host: give its `hostServices` `HostServices.Attachments.layerFolder(folder)`"

/** The operations of a store of attachments. */
export interface AttachmentsService {
  readonly durability: ServiceDurability
  /**
   * Keeps bytes and answers their reference, which fits where a value does not. The same bytes have the same reference, so a body
   * may put them again. Fails with `InputInvalid` when this host keeps none.
   */
  readonly put: (bytes: Uint8Array) => Effect.Effect<string, InputInvalid | StoreError>
  /** The bytes under a reference; `undefined` when there are none. */
  readonly get: (ref: string) => Effect.Effect<Uint8Array | undefined, StoreError>
}

/**
 * Turns references into the values they name. Default: every value is itself.
 *
 * Arguments of tools go through it before they are decoded, unless the tool keeps references.
 */
export class Projections extends Context.Reference<Projections>()("holdfast/runtime/Projections", {
  defaultValue: (): ProjectionsService => ({ materialize: Effect.succeed })
}) {}

/** The operations of projections. */
export interface ProjectionsService {
  readonly materialize: (value: unknown) => Effect.Effect<unknown>
}

/** Judges the cancels that sessions ask for by handle. Default: each is allowed. */
export class CancelAbility extends Context.Reference<CancelAbility>()("holdfast/runtime/CancelAbility", {
  defaultValue: (): CancelAbilityService => ({ judge: () => Effect.succeed({ _tag: "Allowed" }) })
}) {}

/** The operation of a host that judges cancels. */
export interface CancelAbilityService {
  /** Asked once the process was found visible, before anything is stored. One that breaks refuses. */
  readonly judge: (request: CancelRequest) => Effect.Effect<CancelVerdict>
}

/** A cancel that a session asks for. What its own run has started it cancels without being judged. */
export interface CancelRequest {
  readonly processId: ProcessId
  readonly scope: SessionScope
  readonly source: "process"
  readonly reason: string
}

/** Whether a cancel is allowed; a refusal says why, as one clause. */
export type CancelVerdict = { readonly _tag: "Allowed" } | { readonly _tag: "Refused"; readonly problem: string }

/** What a host's protocol carries that this library knows nothing of. Default: nothing. */
export class ProtocolExtension extends Context.Reference<ProtocolExtension>()("holdfast/runtime/ProtocolExtension", {
  defaultValue: (): Readonly<Record<string, unknown>> => ({})
}) {}

/** The turn in which something runs. Default: none, as for everything that runs in the background. */
export class TurnContext extends Context.Reference<TurnContext>()("holdfast/runtime/TurnContext", {
  defaultValue: (): TurnContextService => ({})
}) {}

/** What is known of a turn. */
export interface TurnContextService {
  readonly turnId?: string
  readonly turnIndex?: number
  readonly protocolIteration?: number
  readonly causedBy?: CausalRef
}

/** What a host supplies around its processes, with the defaults where it supplies nothing. */
export interface HostServices {
  readonly triggers: TriggerStoreService
  readonly activity: TurnActivitySinkService
  readonly attachments: AttachmentsService
  readonly projections: ProjectionsService
  readonly cancels: CancelAbilityService
  readonly protocol: Readonly<Record<string, unknown>>
}

/** The host services in context. One that breaks is logged: what only watches or notes never changes what becomes of a process. */
export const hostServices: Effect.Effect<HostServices> = Effect.gen(function* () {
  const triggers = yield* TriggerStore
  const activity = yield* TurnActivitySink
  return {
    triggers: {
      ...triggers,
      record: (occurrence, outcome) => harmless("trigger store", triggers.record(occurrence, outcome))
    },
    activity: { emit: (reported) => harmless("turn activity sink", activity.emit(reported)) },
    attachments: yield* Attachments,
    projections: yield* Projections,
    cancels: yield* CancelAbility,
    protocol: yield* ProtocolExtension
  }
})

const harmless = (service: string, effect: Effect.Effect<void>): Effect.Effect<void> =>
  Effect.catchAllDefect(effect, (defect) => Effect.logWarning(`the ${service} of this host broke`, defect))

/** Records what became of a start that the occurrence of a trigger caused; whether a store that was out wrote it is unknown. */
export const recordingOccurrence = <A extends { readonly id: ProcessId }, E extends { readonly _tag: string }, R>(
  { record }: Pick<TriggerStoreService, "record">,
  cause: CausalRef | undefined,
  start: Effect.Effect<A, E & { readonly message: string }, R>
): Effect.Effect<A, E & { readonly message: string }, R> =>
  cause?._tag !== "TriggerOccurrence"
    ? start
    : Effect.tapBoth(start, {
        onSuccess: ({ id }) => record(cause.occurrenceId, { _tag: "Started", processId: id }),
        onFailure: ({ _tag, message }) =>
          _tag === "StoreError" || _tag === "LeaseLost"
            ? Effect.void
            : record(cause.occurrenceId, { _tag: "Ignored", reason: message })
      })

/** The durability of what a host keeps things in. An absent service is not asked for. */
export interface Durabilities {
  readonly attachments?: ServiceDurability
  readonly processEnvStore: Durability
  readonly sessionStoreFactory?: ServiceDurability
  readonly processRegistry: Durability
  readonly triggerStore?: ServiceDurability
}

const order = {
  attachments: "attachments",
  processEnvStore: "process env store",
  sessionStoreFactory: "session store factory",
  processRegistry: "process registry",
  triggerStore: "trigger store"
} as const satisfies Readonly<Record<keyof Durabilities, string>>

/** The first service that is not durable where effects are; `undefined` when there is none, or effects are inline. */
export const notDurable = (effects: Durability, durabilities: Durabilities): string | undefined =>
  effects === "inline" ? undefined : Struct.entries(order).find(([name]) => durabilities[name] === "inline")?.[1]

/** Checks the services in context. Fails with `InputInvalid` naming the first that is not durable. */
export const requireDurable = (effects: Durability): Effect.Effect<void, InputInvalid, ProcessStore | Environments> =>
  Effect.gen(function* () {
    const service = notDurable(effects, {
      attachments: (yield* Attachments).durability,
      processEnvStore: (yield* Environments).durability,
      processRegistry: (yield* ProcessStore).durability,
      triggerStore: (yield* TriggerStore).durability
    })
    if (service !== undefined) {
      const problem = `must be durable where effects are: the ${service} is not`
      return yield* new InputInvalid({ field: "effects", problem })
    }
  })
