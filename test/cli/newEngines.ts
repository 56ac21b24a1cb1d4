/**
 * What a host exports for `holdfast migrate`: the engines of its new versions, in a list.
 */
import { Two } from "./counters.ts"

/** The engines of the new version of the host. */
export const engines = [Two]
