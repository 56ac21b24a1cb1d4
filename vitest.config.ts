import { defineConfig } from "vitest/config"
import { countReporter } from "./test/support/CountReporter.ts"
import { patienceMs, slowness } from "./test/support/patience.ts"
import { projectRoot } from "./test/support/projectRoot.ts"
import { samples } from "./test/support/samples.ts"

// The last resort: every wait inside a test has a shorter bound, which says what it waited for.
const bound = patienceMs * samples(4, 240)

export default defineConfig({
  // What the build packs is nowhere in the source.
  resolve: {
    alias: [{ find: /^.*\/packed\/(page|layout)\.js$/, replacement: `${projectRoot}/dist/src/inspector/packed/$1.js` }]
  },
  test: {
    globalSetup: ["test/support/temporary.ts", "test/support/programs.ts", "test/support/postgres.ts"],
    setupFiles: ["test/support/setup.ts"],
    include: ["test/**/*.test.ts"],
    exclude: ["dist/**", "node_modules/**"],
    env: { HOLDFAST_SLOWNESS: String(slowness) },
    // Loading the library takes longer than most files of tests take: a worker loads it once.
    isolate: false,
    pool: "forks",
    // As few as there may be at most: one that is ended because it is idle, while all are, fails the run.
    // The room of what is young is too small by default for what a property allocates. Most code runs for too short a time to be
    // worth interpreting first: to compile it at once saves a tenth of the processor time.
    poolOptions: { forks: { minForks: 3, maxForks: 3, execArgv: ["--max-semi-space-size=64", "--always-sparkplug"] } },
    testTimeout: bound,
    hookTimeout: bound,
    teardownTimeout: 5_000,
    reporters: ["default", countReporter()]
  }
})
