/** Hosts on many machines, on PostgreSQL. It needs `@effect/sql-pg` and `pg`, which the rest of the package does not. */
export * as ManyHosts from "./host/ManyHosts.ts"
export * as PostgresStore from "./store/postgres/PostgresStore.ts"
