/** Engines, of code and of statecharts. */
export * from "./runtime/engine/durable.ts"
export * from "./runtime/engine/Engine.ts"
export * from "./runtime/engine/fromMachine.ts"
export * from "./runtime/engine/MachineOptions.ts"
export type {
  AcceptedEvent,
  EmittedEvent,
  MachineSnapshot,
  MachineStartable,
  MachineView,
  SentEvent
} from "./runtime/engine/MachineView.ts"
