/** DBOS on PostgreSQL. */
import { DBOS } from "@dbos-inc/dbos-sdk"

const trivial = DBOS.registerWorkflow(async (value) => value, { name: "trivial" })
const waiter = DBOS.registerWorkflow(async () => DBOS.recv("go", 3_600), { name: "waiter" })
const child = DBOS.registerWorkflow(async (item) => item, { name: "child" })
const family = DBOS.registerWorkflow(
  async (children) => {
    const handles = await Promise.all(Array.from({ length: children }, (_, item) => DBOS.startWorkflow(child)(item)))
    return (await Promise.all(handles.map((handle) => handle.getResult()))).length
  },
  { name: "family" }
)

export const open = async ({ url, pool }) => {
  DBOS.setConfig({
    name: "bench",
    systemDatabaseUrl: url,
    systemDatabasePoolSize: pool,
    logLevel: "error",
    runAdminServer: false
  })
  await DBOS.launch()
  return {
    complete: async (id, value) => (await DBOS.startWorkflow(trivial, { workflowID: id })(value)).getResult(),
    wait: async (id) => void (await DBOS.startWorkflow(waiter, { workflowID: id })()),
    signal: (id, value) => DBOS.send(id, value, "go"),
    ended: (id) => DBOS.retrieveWorkflow(id).getResult(),
    family: async (id, children) => (await DBOS.startWorkflow(family, { workflowID: id })(children)).getResult(),
    close: () => DBOS.shutdown()
  }
}
