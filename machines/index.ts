/** Every statechart of the library, ready for a visual editor, a simulator or a model-based test. */

export * as Host from "./host.ts"
export * as Owner from "./owner.ts"
export * as Lifecycle from "./process/lifecycle.ts"
export * as Process from "./process/machine.ts"
export * as Facts from "./process/types.ts"
export * as Recovery from "./recovery.ts"
export * as Run from "./run.ts"
export * as Supervisor from "./supervisor/machine.ts"
export * as Sweep from "./sweep.ts"
export * as Step from "./xstate/step.ts"
