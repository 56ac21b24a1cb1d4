/**
 * What a run of the tests may leave out: on a developer's machine what that cannot show, in a gate nothing.
 */

/** The variables of a program's environment. */
type Environment = Readonly<Record<string, string | undefined>>

/** Whether this run is a gate: CI says that it is. */
export const isGate = (environment: Environment = process.env): boolean => (environment["CI"] ?? "") !== ""

/**
 * Why suites are left out that need something. `undefined`: they run. `lacking` says what this machine has not; a gate does not ask
 * it, and fails where something is missing.
 */
export const leftOut = (
  lacking: () => string | undefined,
  environment: Environment = process.env
): string | undefined => (isGate(environment) ? undefined : lacking())
