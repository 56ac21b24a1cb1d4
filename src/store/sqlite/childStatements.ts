/**
 * The writer's statements about children and debts.
 */

const columns = `SELECT state.process_id AS childId, debt.parent_id AS parentId, action, reason, owed_at AS owedAtMs
FROM debt JOIN state USING (pk)`

/** Reads debts, on any connection. */
export const selectDebts: string = columns

/** The texts, by name; the writer prepares them with its others. */
export const childTexts = {
  insertChild: "INSERT INTO child (pk, parent_id, close_policy) VALUES (?, ?, ?)",
  // Everything that one end owes. The order of the join is forced: a process without children costs one probe of the index.
  oweChildren: `INSERT INTO debt (pk, parent_id, action, reason, owed_at)
     SELECT child.pk, child.parent_id, child.close_policy, @reason, @at
     FROM child CROSS JOIN state ON state.pk = child.pk
     WHERE child.parent_id = @parent AND state.lifecycle = 'running' AND child.close_policy IN (@first, @second)
     ON CONFLICT DO NOTHING`,
  owe: `INSERT INTO debt (pk, parent_id, action, reason, owed_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
  payDebt: "DELETE FROM debt WHERE pk = ?",
  debt: `${columns} WHERE debt.pk = ?`,
  owes: "SELECT 1 FROM debt WHERE parent_id = ? LIMIT 1"
} as const
