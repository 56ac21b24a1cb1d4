/** The thread that lays out a chart with its layout engine, which the build packs into a module. */

/** The script that the thread runs. */
export declare const script: string
