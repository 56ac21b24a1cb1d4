/**
 * The thread that lays out one graph: takes it as its data, answers with the same graph, placed, and ends.
 */
import { parentPort, workerData } from "node:worker_threads"
import * as Bundled from "elkjs/lib/elk.bundled.js"
import type { ELK } from "elkjs/lib/elk-api.js"

// The package declares its default export as a module; what is imported is the class.
const Elk = Bundled.default as unknown as new () => ELK

void new Elk().layout(workerData).then((laid) => parentPort?.postMessage(laid))
