/** The page, which the build packs into a module: a bundler takes it along. */

/** The files of the page by name. */
export declare const files: Readonly<Record<string, string>>
