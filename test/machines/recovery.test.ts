import { assert, describe, it } from "@effect/vitest"
import type { Disposition, LeaseState, RowFacts, Verdict } from "../../machines/recovery.ts"
import { dueAtMs, sameIncarnation, verdict } from "../../machines/recovery.ts"

const dispositions: ReadonlyArray<Disposition> = ["rerunnable", "owner_bound", "externally_owned"]
const leases: ReadonlyArray<LeaseState> = ["free", "lapsed", "held", "dead"]
const booleans = [false, true]
const engines = ["present", "missing"] as const

/** The number of the attempt that running the row would be, and how many it may have. */
const attempts = {
  unlimited: { nextAttempt: 1_000_000 },
  within: { nextAttempt: 3, maxAttempts: 3 },
  exceeded: { nextAttempt: 4, maxAttempts: 3 }
} as const

interface Case {
  readonly disposition: Disposition
  readonly terminal: boolean
  readonly started: boolean
  readonly lease: LeaseState
  readonly cancel: boolean
  readonly abandon: boolean
  readonly engine: "present" | "missing"
  readonly attempt: keyof typeof attempts
}

const everyCase: ReadonlyArray<Case> = dispositions.flatMap((disposition) =>
  booleans.flatMap((terminal) =>
    booleans.flatMap((started) =>
      leases.flatMap((lease) =>
        booleans.flatMap((cancel) =>
          booleans.flatMap((abandon) =>
            engines.flatMap((engine) =>
              (["unlimited", "within", "exceeded"] as const).map((attempt) => ({
                disposition,
                terminal,
                started,
                lease,
                cancel,
                abandon,
                engine,
                attempt
              }))
            )
          )
        )
      )
    )
  )
)

const factsOf = ({ disposition, terminal, started, lease, cancel, abandon, engine, attempt }: Case): RowFacts => ({
  disposition,
  terminal,
  started,
  lease,
  cancelRequested: cancel,
  abandonRequested: abandon,
  engine,
  ...attempts[attempt]
})

/** One row of the rules: a field that is left out is a wildcard, a list is "one of these". */
interface Rule {
  readonly name: string
  readonly when: { readonly [Field in keyof Case]?: Case[Field] | ReadonlyArray<Case[Field]> }
  readonly decides: Verdict | Readonly<Partial<Record<LeaseState, Verdict>>>
}

const run = {
  free: { _tag: "Run", why: "runnable" },
  lapsed: { _tag: "Run", why: "lease_lapsed" },
  dead: { _tag: "Run", why: "holder_dead" }
} as const
const cancelled: Verdict = { _tag: "Cancel", why: "cancel_requested" }
const exhausted: Verdict = { _tag: "Exhausted", why: "attempts_exhausted" }
const busy: Verdict = { _tag: "Leave", why: "busy" }
const noEngine: Verdict = { _tag: "Leave", why: "no_engine" }
const unheld = ["free", "lapsed", "dead"] as const
const expired = ["free", "lapsed"] as const
const affordable = ["unlimited", "within"] as const
const live = { terminal: false } as const
const rerunnable = { ...live, disposition: "rerunnable" } as const
const fresh = { ...live, disposition: "owner_bound", started: false } as const
const begun = { ...live, disposition: "owner_bound", started: true } as const
const external = { ...live, disposition: "externally_owned" } as const

/**
 * @see docs/adr/0007-attempts-holds-the-number-of-the-present-try.md for the limit of attempts
 * @see docs/adr/0016-start-failures-back-off-in-the-row-or-in-memory.md for a missing engine
 */
const rules: ReadonlyArray<Rule> = [
  {
    name: "what has ended is settled",
    when: { terminal: true },
    decides: { _tag: "Leave", why: "settled" }
  },
  {
    name: "external work that nobody gave up is none of the sweep's",
    when: { ...external, abandon: false },
    decides: { _tag: "Leave", why: "externally_owned" }
  },
  {
    name: "external work that was given up is abandoned once nobody holds it",
    when: { ...external, abandon: true, lease: expired },
    decides: { _tag: "Abandon", why: "abandon_requested", writer: "reconciled_request", owner: "none" }
  },
  {
    name: "external work that was given up waits while its lease stands, and is never reclaimed",
    when: { ...external, abandon: true, lease: ["held", "dead"] },
    decides: busy
  },
  {
    name: "rerunnable work that nobody holds is run, whatever was asked about giving it up",
    when: { ...rerunnable, lease: unheld, cancel: false, attempt: affordable, engine: "present" },
    decides: run
  },
  {
    name: "begun rerunnable work is re-activated with its cancel pending",
    when: { ...rerunnable, started: true, lease: unheld, cancel: true, attempt: affordable, engine: "present" },
    decides: run
  },
  { name: "rerunnable work that is held is skipped", when: { ...rerunnable, lease: "held" }, decides: busy },
  {
    name: "owner-bound work that never began is run, whatever was asked about giving it up",
    when: { ...fresh, lease: unheld, cancel: false, attempt: affordable, engine: "present" },
    decides: run
  },
  {
    name: "owner-bound work that never began and is held is skipped",
    when: { ...fresh, lease: "held" },
    decides: busy
  },
  {
    name: "begun owner-bound work of a dead holder is abandoned on that evidence",
    when: { ...begun, lease: "dead" },
    decides: { _tag: "Abandon", why: "holder_dead", writer: "sweep", owner: "holder" }
  },
  {
    name: "begun owner-bound work that was given up is abandoned once nobody holds it",
    when: { ...begun, lease: expired, abandon: true },
    decides: { _tag: "Abandon", why: "abandon_requested", writer: "reconciled_request", owner: "first_started" }
  },
  {
    name: "begun owner-bound work without evidence or request is left, without a limit",
    when: { ...begun, lease: expired, abandon: false },
    decides: { _tag: "Leave", why: "outcome_unknown" }
  },
  { name: "begun owner-bound work that is held is skipped", when: { ...begun, lease: "held" }, decides: busy },
  {
    name: "rerunnable work that never began is cancelled without running",
    when: { ...rerunnable, started: false, lease: unheld, cancel: true },
    decides: cancelled
  },
  {
    name: "owner-bound work that never began is cancelled without running",
    when: { ...fresh, lease: unheld, cancel: true },
    decides: cancelled
  },
  {
    name: "begun rerunnable work whose engine is missing is cancelled without running",
    when: { ...rerunnable, started: true, lease: unheld, cancel: true, engine: "missing" },
    decides: cancelled
  },
  {
    name: "rerunnable work out of attempts fails without running, engine or not",
    when: { ...rerunnable, lease: unheld, cancel: false, attempt: "exceeded" },
    decides: exhausted
  },
  {
    name: "begun rerunnable work out of attempts is cancelled without running when its cancel is pending",
    when: { ...rerunnable, started: true, lease: unheld, cancel: true, attempt: "exceeded", engine: "present" },
    decides: cancelled
  },
  {
    name: "owner-bound work out of attempts fails without running, engine or not",
    when: { ...fresh, lease: unheld, cancel: false, attempt: "exceeded" },
    decides: exhausted
  },
  {
    name: "rerunnable work waits for its engine",
    when: { ...rerunnable, lease: unheld, cancel: false, attempt: affordable, engine: "missing" },
    decides: noEngine
  },
  {
    name: "owner-bound work that never began waits for its engine",
    when: { ...fresh, lease: unheld, cancel: false, attempt: affordable, engine: "missing" },
    decides: noEngine
  }
]

const matches = (when: Readonly<Record<string, unknown>>, row: object): boolean =>
  Object.entries(when).every(([field, wanted]) => {
    const value: unknown = Reflect.get(row, field)
    return Array.isArray(wanted) ? wanted.includes(value) : wanted === value
  })

describe("the verdict", () => {
  it("the rules leave no case out and never contradict each other", () => {
    assert.strictEqual(everyCase.length, 1152)
    for (const row of everyCase) {
      const found = rules.filter(({ when }) => matches(when, row)).map(({ name }) => name)
      assert.strictEqual(found.length, 1, `${JSON.stringify(row)} is ruled by ${JSON.stringify(found)}`)
    }
  })

  for (const { name, when, decides } of rules) {
    it(name, () => {
      const ruled = everyCase.filter((row) => matches(when, row))
      assert.isNotEmpty(ruled)
      for (const row of ruled) {
        const expected = "_tag" in decides ? decides : decides[row.lease]
        assert.deepStrictEqual(verdict(factsOf(row)), expected, JSON.stringify(row))
      }
    })
  }

  it("begun owner-bound work is never run, cancelled or failed by a sweep", () => {
    for (const row of everyCase.filter((each) => matches(begun, each))) {
      assert.notInclude(["Run", "Cancel", "Exhausted"], verdict(factsOf(row))._tag, JSON.stringify(row))
    }
  })

  it("nothing is abandoned without a dead holder or a recorded request", () => {
    for (const row of everyCase.filter((each) => each.lease !== "dead" && !each.abandon)) {
      assert.notStrictEqual(verdict(factsOf(row))._tag, "Abandon", JSON.stringify(row))
    }
  })

  it("a lease that stands with a holder not proven dead is never acted against", () => {
    for (const row of everyCase.filter((each) => each.lease === "held")) {
      assert.strictEqual(verdict(factsOf(row))._tag, "Leave", JSON.stringify(row))
    }
  })

  it("a lease that lapsed is as good as one that was given back: time alone decides nothing more", () => {
    for (const row of everyCase.filter((each) => each.lease === "lapsed")) {
      const [lapsed, free] = [verdict(factsOf(row)), verdict(factsOf({ ...row, lease: "free" }))]
      assert.deepStrictEqual({ ...lapsed, why: "" }, { ...free, why: "" })
    }
  })

  it("the last allowed attempt is still made", () => {
    const row = { ...factsOf(everyCase[0] as Case), started: true }
    assert.deepStrictEqual(verdict({ ...row, nextAttempt: 1, maxAttempts: 1 }), run.free)
    assert.deepStrictEqual(verdict({ ...row, nextAttempt: 2, maxAttempts: 1 }), exhausted)
  })
})

interface Standing {
  readonly disposition: Disposition
  readonly terminal: boolean
  readonly started: boolean
  readonly waiting: boolean
  readonly dormant: boolean
  readonly cancel: boolean
  readonly abandon: boolean
}

const everyStanding: ReadonlyArray<Standing> = dispositions.flatMap((disposition) =>
  Array.from({ length: 64 }, (_, bits) => ({
    disposition,
    terminal: (bits & 1) > 0,
    started: (bits & 2) > 0,
    waiting: (bits & 4) > 0,
    dormant: (bits & 8) > 0,
    cancel: (bits & 16) > 0,
    abandon: (bits & 32) > 0
  }))
)

const dueRules: ReadonlyArray<
  readonly [string, { readonly [Field in keyof Standing]?: Standing[Field] }, number | null]
> = [
  ["what has ended is never due", { terminal: true }, null],
  ["external work that nobody gave up is never due", { ...external, abandon: false }, null],
  ["external work that was given up is due", { ...external, abandon: true }, 777],
  ["begun owner-bound work that nobody gave up is never due", { ...begun, abandon: false }, null],
  ["begun owner-bound work that was given up is due", { ...begun, abandon: true }, 777],
  [
    "rerunnable work that handed itself back to wait is moved by an event only",
    { ...rerunnable, waiting: true, dormant: true, cancel: false },
    null
  ],
  [
    "rerunnable work that waits and is to be cancelled is due",
    { ...rerunnable, waiting: true, dormant: true, cancel: true },
    777
  ],
  [
    "rerunnable work whose activation waits is due, in case that activation died",
    { ...rerunnable, waiting: true, dormant: false },
    777
  ],
  [
    "rerunnable work that does not wait and is counted as active is due",
    { ...rerunnable, waiting: false, dormant: false },
    777
  ],
  [
    "rerunnable work that does not wait and has not begun is due",
    { ...rerunnable, waiting: false, dormant: true, started: false },
    777
  ],
  [
    "rerunnable work that left memory without an open wait, as for a child, is moved by an event only",
    { ...rerunnable, waiting: false, dormant: true, started: true, cancel: false },
    null
  ],
  [
    "rerunnable work that left memory for a child and is to be cancelled is due",
    { ...rerunnable, waiting: false, dormant: true, started: true, cancel: true },
    777
  ],
  [
    "fresh owner-bound work with an open wait is moved by an event only",
    { ...fresh, waiting: true, dormant: true, cancel: false },
    null
  ],
  [
    "fresh owner-bound work with an open wait that is to be cancelled is due",
    { ...fresh, waiting: true, dormant: true, cancel: true },
    777
  ],
  ["fresh owner-bound work counted as active is due", { ...fresh, waiting: true, dormant: false }, 777],
  ["fresh owner-bound work without a wait is due", { ...fresh, waiting: false }, 777]
]

describe("when a row is due", () => {
  it("the rules leave no case out and never contradict each other", () => {
    assert.strictEqual(everyStanding.length, 192)
    for (const row of everyStanding) {
      const found = dueRules.filter(([, when]) => matches(when, row)).map(([name]) => name)
      assert.strictEqual(found.length, 1, `${JSON.stringify(row)} is ruled by ${JSON.stringify(found)}`)
    }
  })

  for (const [name, when, due] of dueRules) {
    it(name, () => {
      const ruled = everyStanding.filter((row) => matches(when, row))
      assert.isNotEmpty(ruled)
      for (const { cancel, abandon, ...row } of ruled) {
        assert.strictEqual(dueAtMs({ ...row, cancelRequested: cancel, abandonRequested: abandon, nowMs: 777 }), due)
      }
    })
  }
})

describe("one life of an owner", () => {
  const opaque = { ownerId: "w", incarnationId: "1", liveness: { _tag: "Opaque" } } as const
  const local = { _tag: "LocalProcess", hostId: "h", bootId: "b", pid: 7, processStart: "9" } as const

  it("is its name and its incarnation, whatever evidence it gives of being alive", () => {
    assert.isTrue(sameIncarnation(opaque, { ...opaque, liveness: local }))
    assert.isFalse(sameIncarnation(opaque, { ...opaque, incarnationId: "2" }))
    assert.isFalse(sameIncarnation(opaque, { ...opaque, ownerId: "v" }))
  })
})

describe("a process that is to begin later", () => {
  const early: RowFacts = {
    disposition: "rerunnable",
    terminal: false,
    started: false,
    lease: "free",
    cancelRequested: false,
    abandonRequested: false,
    nextAttempt: 1,
    engine: "present",
    early: true
  }
  const cases: ReadonlyArray<readonly [string, Partial<RowFacts>, Verdict]> = [
    ["is left until then", {}, { _tag: "Leave", why: "not_yet" }],
    ["is left until then without an engine, too", { engine: "missing" }, { _tag: "Leave", why: "not_yet" }],
    ["is cancelled before", { cancelRequested: true }, cancelled],
    ["goes on when it has begun all the same", { started: true, lease: "lapsed", nextAttempt: 2 }, run.lapsed]
  ]
  for (const [what, changes, expected] of cases) {
    it(what, () => assert.deepStrictEqual(verdict({ ...early, ...changes }), expected))
  }

  const due = {
    disposition: "rerunnable",
    terminal: false,
    started: false,
    waiting: false,
    dormant: true,
    cancelRequested: false,
    abandonRequested: false,
    nowMs: 100
  } as const
  it("is due then, at once when it is cancelled or that time is over, and as ever once it began", () => {
    assert.strictEqual(dueAtMs({ ...due, startAtMs: 500 }), 500)
    assert.strictEqual(dueAtMs({ ...due, startAtMs: 5 }), 100)
    assert.strictEqual(dueAtMs({ ...due, startAtMs: 500, cancelRequested: true }), 100)
    assert.strictEqual(dueAtMs({ ...due, startAtMs: 500, started: true, dormant: false }), 100)
  })
})

describe("a row whose body is a chart", () => {
  const resting: RowFacts = {
    disposition: "rerunnable",
    terminal: false,
    started: true,
    lease: "free",
    cancelRequested: false,
    abandonRequested: false,
    nextAttempt: 1,
    engine: "present",
    chart: "at_rest"
  }
  const atRest: Verdict = { _tag: "Leave", why: "at_rest" }
  const cases: ReadonlyArray<readonly [string, Partial<RowFacts>, Verdict]> = [
    ["is left while its chart has nothing to do", {}, atRest],
    ["is left without its engine, too", { engine: "missing" }, atRest],
    ["is run when its chart has something to do", { chart: "busy" }, run.free],
    ["waits for its engine then", { chart: "busy", engine: "missing" }, noEngine],
    ["is run to be stopped", { cancelRequested: true }, run.free],
    ["is stopped without being run where it never began", { cancelRequested: true, started: false }, cancelled],
    ["is left to its holder", { lease: "held" }, busy]
  ]
  for (const [what, changes, expected] of cases) {
    it(what, () => assert.deepStrictEqual(verdict({ ...resting, ...changes }), expected))
  }
})
