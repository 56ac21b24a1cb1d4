/** Every statechart of the library, ready for a visual editor, a simulator or a model-based test. */
export * as Facts from "./facts.ts"
export * as Lifecycle from "./lifecycle.ts"
export * as Process from "./process.ts"
export * as Recovery from "./recovery.ts"
export * as Step from "./step.ts"
