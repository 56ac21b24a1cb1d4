/** The contract of a store, for the author of a backend. `holdfast/testing` certifies one. */
export * as Children from "./store/Children.ts"
export * as Closing from "./store/Children.ts"
export * as Decision from "./store/Decision.ts"
export * as Listeners from "./store/listeners.ts"
export * as MemoryStore from "./store/memory/MemoryStore.ts"
export * as Outbox from "./store/Outbox.ts"
export * as ProcessStore from "./store/ProcessStore.ts"
export * as SqliteStore from "./store/sqlite/SqliteStore.ts"
