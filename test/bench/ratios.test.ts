/**
 * The gate on ratios, in the long run: a small benchmark in a program of its own, as a user would run it. No time is asserted, only
 * what a time is in proportion to bare SQLite, or to node, in the same rounds. A machine that other programs fill disturbs the two
 * sides differently, by far more than the margin: nothing is judged there.
 */
import { execFile } from "node:child_process"
import { availableParallelism, loadavg } from "node:os"
import { promisify } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { projectRoot } from "../support/projectRoot.ts"
import { isLong } from "../support/samples.ts"

/** A ratio that was measured when its bound was chosen. */
interface Measured {
  readonly contest: string
  readonly figure: string
  readonly better: "higher" | "lower"
  readonly ratio: number
}

/** As docs/benchmarks.md has them. */
const measured: ReadonlyArray<Measured> = [
  { contest: "W1@1", figure: "latency p50", better: "lower", ratio: 7.6 },
  { contest: "W1@64", figure: "start to complete", better: "higher", ratio: 0.047 },
  { contest: "W2@1", figure: "signal to end, p50", better: "lower", ratio: 9.5 },
  { contest: "W2@64", figure: "start, wait, signal, complete", better: "higher", ratio: 0.034 },
  { contest: "W3", figure: "100 children awaited, median", better: "lower", ratio: 3.3 },
  { contest: "door", figure: `import "holdfast"`, better: "lower", ratio: 1.25 },
  { contest: "door", figure: "holdfast --version", better: "lower", ratio: 1.07 },
  { contest: "door", figure: "holdfast ls", better: "lower", ratio: 0.88 }
]

/** How many times as bad as measured a ratio may be. */
const margin = 2

/** What a benchmark says of a figure. */
interface Figure {
  readonly contest: string
  readonly name: string
  readonly ratios?: ReadonlyArray<number>
}

/** The ratios that are worse than their bounds, each as a sentence. The best round counts: what disturbs a round makes it worse. */
const worse = (figures: ReadonlyArray<Figure>, of = measured): ReadonlyArray<string> =>
  of.flatMap(({ contest, figure, better, ratio }) => {
    const ratios = figures.find((one) => one.contest === contest && one.name === figure)?.ratios ?? []
    const [best, bound] =
      better === "lower" ? [Math.min(...ratios), ratio * margin] : [Math.max(...ratios), ratio / margin]
    if (Number.isFinite(best) && (better === "lower" ? best <= bound : best >= bound)) return []
    return [
      `${contest}, ${figure}: ${best.toFixed(3)} at best, ${better === "lower" ? "at most" : "at least"} ${bound}`
    ]
  })

describe("a ratio", () => {
  const one: Measured = { contest: "W1@1", figure: "latency p50", better: "lower", ratio: 6 }
  const two: Measured = { contest: "W1@64", figure: "start to complete", better: "higher", ratio: 0.1 }
  const of = (contest: string, name: string, ...ratios: ReadonlyArray<number>): Figure => ({ contest, name, ratios })

  it("passes as long as its best round is at most twice as bad as what was measured", () => {
    assert.deepStrictEqual(
      worse([of("W1@1", "latency p50", 40, 12), of("W1@64", "start to complete", 0.01, 0.05)], [one, two]),
      []
    )
  })

  it("fails beyond that, and when it was not measured", () => {
    assert.deepStrictEqual(
      worse([of("W1@1", "latency p50", 12.5, 40), of("W1@64", "start to complete", 0.049)], [one, two]),
      ["W1@1, latency p50: 12.500 at best, at most 12", "W1@64, start to complete: 0.049 at best, at least 0.05"]
    )
    assert.deepStrictEqual(worse([of("W1@1", "latency p50", Number.NaN)], [one, two]), [
      "W1@1, latency p50: NaN at best, at most 12",
      "W1@64, start to complete: -Infinity at best, at least 0.05"
    ])
  })
})

describe.runIf(isLong)("a small benchmark", () => {
  it("has no ratio that is more than twice as bad as what was measured", { timeout: 600_000 }, async (test) => {
    const load = loadavg()[0] ?? 0
    test.skip(load > availableParallelism(), `the load of this machine is ${load.toFixed(1)}`)
    const only = [...new Set(measured.map(({ contest }) => contest))].join(",")
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["--expose-gc", "dist/test/bench/main.js", "--only", only, "--runs", "3", "--seconds", "2", "--json"],
      { cwd: projectRoot, maxBuffer: 1e8 }
    )
    const { figures } = JSON.parse(stdout) as { readonly figures: ReadonlyArray<Figure> } // as that program writes it
    assert.deepStrictEqual(worse(figures), [])
  })
})
