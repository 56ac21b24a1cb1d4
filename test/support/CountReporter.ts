/**
 * A reporter that ends a test run with one line for programs: `N passed, N failed`. Before it stands one line for each reason
 * why tests were left out, where a title gives one in parentheses: `(left out: no browser)`.
 *
 * Invariant: nothing that fails goes uncounted. What fails outside a test (a file that does not load, a hook, an unhandled
 * error) counts as one failure.
 */
import type { Reporter } from "vitest/reporters"

/** How many tests of a run passed, and how many things in it failed. Skipped tests are in neither. */
export interface TestCounts {
  readonly passed: number
  readonly failed: number
}

/** What counts of a file, a suite or a test. */
export interface CountedTask {
  readonly name?: string
  readonly type: "suite" | "test"
  readonly result?: { readonly state: string; readonly errors?: ReadonlyArray<unknown> }
  readonly tasks?: ReadonlyArray<CountedTask>
}

/**
 * Makes the reporter; it goes after the one whose closing line it follows.
 *
 * Vitest's own reporters print their summary in `onFinished`, after every `onTestRunEnd`: only there is the last line ours.
 */
export const countReporter = (): Reporter => ({
  onFinished: (files = [], errors = []) => {
    for (const [reason, count] of leftOutOf(files)) console.log(`${count} tests are left out: ${reason}`)
    const { passed, failed } = countsOf(files, errors.length)
    console.log(`${passed} passed, ${failed} failed`)
  }
})

/** Counts a finished run. */
export const countsOf = (files: ReadonlyArray<CountedTask>, unhandledErrors: number): TestCounts => {
  const tasks = files.flatMap(within)
  const tests = tasks.filter(({ type }) => type === "test")
  return {
    passed: tests.filter(({ result }) => result?.state === "pass").length,
    failed:
      tests.filter(({ result }) => result?.state === "fail").length +
      tasks.filter(failedAsSuite).length +
      unhandledErrors
  }
}

/** How many tests were left out, by the reason that their own title or that of a suite around them gives. */
export const leftOutOf = (
  tasks: ReadonlyArray<CountedTask>,
  around?: string,
  counts: Map<string, number> = new Map()
): ReadonlyMap<string, number> => {
  for (const { name = "", type, tasks: inner = [] } of tasks) {
    const reason = /\(left out: (.*)\)$/.exec(name)?.[1] ?? around
    if (type === "test" && reason !== undefined) counts.set(reason, (counts.get(reason) ?? 0) + 1)
    leftOutOf(inner, reason, counts)
  }
  return counts
}

const within = (task: CountedTask): ReadonlyArray<CountedTask> => [task, ...(task.tasks ?? []).flatMap(within)]

/** A suite takes over the failures of its tests; it failed itself when it has errors of its own. */
const failedAsSuite = ({ type, result }: CountedTask): boolean => type === "suite" && (result?.errors ?? []).length > 0
