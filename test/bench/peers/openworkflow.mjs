/** openworkflow on PostgreSQL (its store for SQLite needs a newer Node than this library). */
import { setTimeout as sleep } from "node:timers/promises"
import { OpenWorkflow } from "openworkflow"
import { BackendPostgres } from "openworkflow/postgres"
import postgres from "postgres"

const workSlots = 10_000

/** Its own pool has as many connections as it likes; one that is given has no tables yet, which its own makes first. */
const backendOf = async (url, pool) => {
  await (await BackendPostgres.connect(url)).stop()
  return BackendPostgres.fromPool(postgres(url, { max: pool, transform: { column: { from: postgres.toCamel } } }))
}

export const open = async ({ url, pool }) => {
  const backend = await backendOf(url, pool)
  const client = new OpenWorkflow({ backend })
  const trivial = client.defineWorkflow({ name: "trivial" }, async ({ input }) => input.value)
  const waiter = client.defineWorkflow({ name: "waiter" }, async ({ input, step }) => {
    const signal = await step.waitForSignal({ signal: input.id, timeout: "1h" })
    return signal.data
  })
  const child = client.defineWorkflow({ name: "child" }, async ({ input }) => input.item)
  const family = client.defineWorkflow({ name: "family" }, async ({ input, step }) => {
    const items = Array.from({ length: input.children }, (_, item) => item)
    const run = (item) => step.runWorkflow(child.workflow.spec, { item }, { name: `child-${item}` })
    return (await Promise.all(items.map(run))).length
  })
  const worker = client.newWorker({ concurrency: workSlots })
  await worker.start()
  const started = (id) => waiter.run({ id }, { idempotencyKey: id })
  return {
    complete: async (id, value) => (await trivial.run({ value }, { idempotencyKey: id })).result(),
    wait: async (id) => void (await started(id)),
    signal: async (id, value) => {
      // It drops a signal that comes before the process waits: the caller has to send it again.
      while ((await client.sendSignal({ signal: id, data: value })).workflowRunIds.length === 0) await sleep(5)
    },
    // With the key of a run, it answers that run.
    ended: async (id) => (await started(id)).result(),
    family: async (id, children) => (await family.run({ children }, { idempotencyKey: id })).result(),
    close: async () => {
      await worker.stop()
      await backend.stop()
    }
  }
}
