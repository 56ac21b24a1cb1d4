import { assert, describe, it } from "@effect/vitest"
import { breaches, rules } from "../architecture/rules.ts"
import { ofRaw, reading } from "./Contest.ts"
import { contests } from "./contests.ts"
import type { Environment } from "./environment.ts"
import { figureOf, figuresOf, missedBy } from "./figures.ts"
import { counted, pageOf } from "./report.ts"
import { verdictOf } from "./table.ts"

const environment: Environment = {
  node: "v20.20.2",
  cpus: "2 x a processor",
  load: 0.25,
  fileSystem: "ext4",
  fdatasyncUs: 168,
  sqlite: "3.53.2"
}

const spec = {
  name: "start to complete",
  unit: "processes/s",
  value: reading("perSecond"),
  against: ofRaw("perSecond"),
  target: { of: "ratio", min: 0.2 }
} as const

/** Three rounds: in the second one the machine was slow. */
const rounds = [
  { run: { perSecond: 1_000 }, raw: { perSecond: 10_000 } },
  { run: { perSecond: 300 }, raw: { perSecond: 2_000 } },
  { run: { perSecond: 1_600 }, raw: { perSecond: 8_000 } }
]

const page = (figures: Parameters<typeof pageOf>[0]["figures"]) =>
  pageOf({
    environment,
    versions: ["holdfast 0.1.0", "effect 3.22.4"],
    command: "--runs 3 --write",
    runs: 3,
    seconds: 1.5,
    figures,
    leftOut: ["page live; there is no browser"],
    written: "# Where the time goes\n\nHand-written, see [1](../adr/1.md).\n\n## The door\n\nAlso.\n"
  })

describe("a figure", () => {
  it("is the median of its runs, beside that of its baseline; its ratio is the median of those within each round", () => {
    const figure = figureOf("W1@64", spec, rounds)
    assert.strictEqual(figure.figure, 1_000)
    assert.deepStrictEqual(figure.beside, { what: "raw", figure: 8_000 })
    assert.deepStrictEqual(figure.ratios, [0.1, 0.15, 0.2])
    assert.strictEqual(figure.ratio, 0.15)
    assert.strictEqual(verdictOf(figure.missedBy ?? 0), "missed by 25 %")
  })

  it("misses its target by a share of the bound, on either side, and is never taken as reached when nothing was measured", () => {
    assert.strictEqual(missedBy({ of: "figure", max: 500 }, 500), 0)
    assert.strictEqual(missedBy({ of: "figure", max: 500 }, 750), 0.5)
    assert.strictEqual(missedBy({ of: "figure", min: 0.8, max: 1.2 }, 1), 0)
    assert.strictEqual(missedBy({ of: "figure", min: 2 }, 0.5), 0.75)
    assert.strictEqual(verdictOf(missedBy({ of: "figure", max: 500 }, 500.5)), "missed by 1 %")
    assert.strictEqual(verdictOf(missedBy({ of: "ratio", max: 4 }, Number.NaN)), "not measured")
    assert.strictEqual(verdictOf(figureOf("W1@64", spec, []).missedBy ?? 0), "not measured")
  })
})

describe("the page of a run", () => {
  it("says where it was taken and what came of each target, and keeps what people wrote", () => {
    const text = page([figureOf("W1@64", spec, rounds)])
    for (const part of [
      "npm run bench -- --runs 3 --write",
      "2 x a processor",
      "holdfast 0.1.0, effect 3.22.4",
      "0 of 1 target reached. Missed:\n\n- W1@64, start to complete: missed by 25 %\n",
      "| W1@64 | start to complete | 1,000 | processes/s | 300 … 1,600 | raw: 8,000 | 0.150 | ratio ≥ 0.2 | missed by 25 % |",
      "- Left out: page live; there is no browser.\n",
      "## Where the time goes\n\nHand-written, see [1](adr/1.md).\n\n### The door\n\nAlso.\n"
    ]) {
      assert.include(text, part)
    }
  })

  it("counts one as one", () => {
    assert.deepStrictEqual([counted(1, "round"), counted(3, "round")], ["1 round", "3 rounds"])
  })

  it("of every contest keeps the rules of prose", () => {
    const text = page(figuresOf(contests, new Map()))
    assert.deepStrictEqual(
      breaches(rules.find(({ name }) => name === "prose names the actor") ?? assert.fail(), [
        { path: "docs/benchmarks.md", text }
      ]),
      []
    )
  })
})

describe("the targets of the contests", () => {
  const targetsOf = (id: string) =>
    contests
      .find((contest) => contest.id === id)
      ?.figures.flatMap(({ name, target: { of, min, max } = {} }) =>
        of === undefined
          ? []
          : [`${name}: ${of}${min === undefined ? "" : ` ≥ ${min}`}${max === undefined ? "" : ` ≤ ${max}`}`]
      )
  const held = "loop held, p99.9: figure ≤ 15"
  const recovery = ["first one resumed and ended: figure ≤ 500", "signals accepted meanwhile: ratio ≥ 0.7", held]
  const crowd = ["open, first signal accepted: figure ≤ 1000", "heap of the program: figure ≤ 100", held]

  it.each([
    ["W1@1", ["latency p50: ratio ≤ 4", held]],
    ["W1@64", ["start to complete: ratio ≥ 0.2", held, "loop held by a batch, max: figure ≤ 20"]],
    ["W2@1", ["signal to end, p50: ratio ≤ 4.5", held]],
    ["W2@64", ["start, wait, signal, complete: ratio ≥ 0.1", held]],
    ["W3", ["100 children awaited, median: ratio ≤ 1", held]],
    ["W4@3000", recovery],
    ["W4@10000", recovery],
    ["W4@100000", crowd],
    ["W4@100000 held", crowd],
    ["W4 hosts", ["all taken over: figure ≤ 35000"]],
    ["door", [`import "holdfast": ratio ≤ 1.2`, "holdfast --version: ratio ≤ 1.3", "holdfast ls: ratio ≤ 1.3"]]
  ])("of %s are those that were promised", (id, targets) => {
    assert.deepStrictEqual(targetsOf(id), targets)
  })
})
