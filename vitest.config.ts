import { defineConfig } from "vitest/config"
import { countReporter } from "./test/support/CountReporter.ts"
import { patienceMs, slowness } from "./test/support/patience.ts"

export default defineConfig({
  test: {
    globalSetup: ["test/support/programs.ts"],
    setupFiles: ["test/support/seed.ts"],
    include: ["test/**/*.test.ts"],
    exclude: ["dist/**", "node_modules/**"],
    env: { HOLDFAST_SLOWNESS: String(slowness) },
    pool: "forks",
    poolOptions: { forks: { minForks: 1, maxForks: 2 } },
    // The last resort: every wait inside a test has a shorter bound, which says what it waited for.
    testTimeout: 4 * patienceMs,
    hookTimeout: 4 * patienceMs,
    teardownTimeout: 5_000,
    reporters: ["default", countReporter()]
  }
})
