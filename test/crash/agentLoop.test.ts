import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import Database from "better-sqlite3"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import { start } from "../support/children.ts"
import { remove } from "../support/folders.ts"
import { isWhole, samples } from "../support/samples.ts"

/** What a person does with the example, one after the other: start it, answer it, go on. */
const commands = [[], ["reply", "yes"], []] as const

/** When a life is killed: so many milliseconds after it began, or after the first thing that it says. */
interface Kill {
  readonly command: number
  readonly afterFirstLine: boolean
  readonly ms: number
}

const kills: FastCheck.Arbitrary<ReadonlyArray<Kill>> = FastCheck.array(
  FastCheck.oneof(
    { weight: 1, arbitrary: FastCheck.record({ afterFirstLine: FastCheck.constant(false), ms: FastCheck.nat(1_000) }) },
    { weight: 3, arbitrary: FastCheck.record({ afterFirstLine: FastCheck.constant(true), ms: FastCheck.nat(330) }) }
  ).chain((kill) => FastCheck.constantFrom(0, 0, 1, 2, 2).map((command) => ({ ...kill, command }))),
  { minLength: 1, maxLength: 4 }
)

/** Runs the example to its end, killed so; answers how many lives were cut off. */
const run = async (file: string, planned: ReadonlyArray<Kill>): Promise<number> => {
  let cut = 0
  for (const [index, command] of commands.entries()) {
    const due = planned.filter((kill) => kill.command === index)
    for (let isDone = false; !isDone; ) {
      const kill = due.shift()
      const child = start("docs/examples/11-agent-loop/main.js", [file, ...command])
      const ended = child.ended()
      if (kill !== undefined) {
        if (kill.afterFirstLine) await Promise.race([child.saw(/./).catch(() => {}), ended])
        await Promise.race([new Promise((resolve) => setTimeout(resolve, kill.ms)), ended])
        child.process.kill("SIGKILL")
      }
      const { code, signal } = await ended
      isDone = code === 0
      if (signal === "SIGKILL") cut++
      else assert.strictEqual(code, 0, child.errors.join("\n"))
    }
  }
  return cut
}

/** The activations of a process say who ran it and when. Everything else is what happened. */
const owners = ["process.started", "process.suspended"]

/** The log of each process, and the outcomes in its journal, without times and owners. */
const storyOf = (file: string): unknown => {
  const db = new Database(file, { readonly: true })
  try {
    const events = db
      .prepare<[], { id: string; sequence: number; type: string; key: string; payload: string }>(
        "select process_id id, event.sequence, event_type type, replay_key key, payload from event join process using (pk) order by 1, 2"
      )
      .all()
      .filter(({ type }) => !owners.includes(type))
    const journal = db
      .prepare(
        "select process_id id, key, operation, outcome from journal join process using (pk) order by process_id, position"
      )
      .all()
    const places = new Map<string, number>()
    const placed = events.map((event) => {
      const place = events.filter(({ id, sequence }) => id === event.id && sequence <= event.sequence).length
      places.set(`${event.id} ${event.sequence}`, place)
      return { ...event, place }
    })
    return {
      log: placed.map(({ id, type, key, payload, place }) => {
        const { took, ...said } = JSON.parse(payload) as { readonly took?: number } // each payload is a record
        return {
          id,
          place,
          type,
          key: withoutTimes(key),
          took: took === undefined ? undefined : places.get(`${id} ${took}`),
          said: withoutTimes(JSON.stringify(said))
        }
      }),
      journal
    }
  } finally {
    db.close()
  }
}

const withoutTimes = (text: string): string => text.replace(/\b1\d{12}\b/g, "(time)")

const trials = samples(1, 200)

describe("the agent loop, killed", () => {
  it.skipIf(!isWhole)(`has the log of an undisturbed run but for times and owners, in ${trials} trials`, async () => {
    const folder = mkdtempSync(join(tmpdir(), "holdfast-agent-"))
    try {
      const undisturbed = join(folder, "undisturbed.db")
      assert.strictEqual(await run(undisturbed, []), 0)
      const expected = storyOf(undisturbed)
      assert.isAbove((expected as { readonly log: ReadonlyArray<unknown> }).log.length, 20)
      let cut = 0
      for (const [trial, planned] of FastCheck.sample(kills, trials).entries()) {
        const file = join(folder, `${trial}.db`)
        cut += await run(file, planned)
        assert.deepStrictEqual(storyOf(file), expected, `killed so: ${JSON.stringify(planned)}`)
      }
      console.info(`${cut} lives were cut off in ${trials} trials`)
      assert.isAbove(cut, trials / 2)
    } finally {
      await Effect.runPromise(remove(folder))
    }
  })
})
