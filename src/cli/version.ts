/**
 * The version of this package, which a test compares with its manifest.
 */

/** The version of this package. */
export const version = "0.1.0"
