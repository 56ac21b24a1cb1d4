/**
 * The last step of the build, as a program.
 */
import { pack } from "./packing.ts"

await pack()
