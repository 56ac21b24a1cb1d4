/**
 * The machines of the library: their charts, and a bench to step them by hand. Nothing here changes a process.
 */
import type { VNode } from "preact"
import { useEffect, useId, useRef, useState } from "preact/hooks"
import type { MachineLine, MachineView, StepView } from "../View.ts"
import { Chart } from "./chart.tsx"
import { post, sentenceOf } from "./connection.ts"
import type { Filled } from "./form.tsx"
import { JsonField, Labelled } from "./form.tsx"
import { Commands, Json } from "./json.tsx"
import { useRead } from "./live.ts"
import { Button, Copy, Notice, Panel } from "./parts.tsx"

/** All machines, one of them open. */
export const Machines = ({ wanted }: { readonly wanted: string | undefined }): VNode => {
  const { value: all, problem } = useRead<ReadonlyArray<MachineLine>>("machines")
  const chosen = all?.find(({ id }) => id === wanted) ?? all?.find(({ id }) => id === "process") ?? all?.[0]
  if (problem !== undefined) return <Notice kind="error" title="The machines could not be read" text={problem} />
  if (all === undefined || chosen === undefined) return <Notice kind="loading" title="Reading the machines…" />
  return (
    <div class="machines">
      <nav class="side machine-list" aria-label="Machines">
        <p class="muted">
          How holdfast works: these statecharts make every decision. Step one by hand: no process is changed.
        </p>
        {all.map(({ id, version, description }) => (
          <a
            key={id}
            href={`#/machines/${encodeURIComponent(id)}`}
            aria-current={id === chosen.id ? "page" : undefined}
          >
            <b>{id}</b>
            {version === undefined ? null : <span class="muted"> version {version}</span>}
            {description === undefined ? null : <span class="machine-what">{description}</span>}
          </a>
        ))}
      </nav>
      <One key={chosen.id} id={chosen.id} />
    </div>
  )
}

const One = ({ id }: { readonly id: string }): VNode => {
  const { value, problem } = useRead<MachineView>(`machine?id=${encodeURIComponent(id)}`)
  if (problem !== undefined) return <Notice kind="error" title="The machine could not be read" text={problem} />
  if (value === undefined) return <Notice kind="loading" title="Drawing the statechart…" />
  return <Bench machine={value} />
}

type Read = () => Filled

/** One machine: its chart, and a form that steps it. */
const Bench = ({ machine }: { readonly machine: MachineView }): VNode => {
  const ids = useId()
  const [step, setStep] = useState<StepView>()
  const [done, setDone] = useState<ReadonlyArray<string>>([])
  const [problem, setProblem] = useState("")
  const [event, setEvent] = useState<string>()
  const input = useRef<Read>()
  const payload = useRef<Read>()

  const run = (body: Readonly<Record<string, unknown>>, what: string, before: ReadonlyArray<string>): void => {
    post<StepView>("simulate", { machine: machine.id, ...body }).then(
      (next) => {
        setStep(next)
        setProblem("")
        setDone([...before, next.changed ? what : `${what} (nothing handles it here)`])
      },
      (error: unknown) => setProblem(sentenceOf(error))
    )
  }
  const begin = (): void => {
    const filled = input.current?.() ?? { ok: true, value: machine.sample_input }
    if (filled.ok) run({ input: filled.value }, "begin", [])
    else setProblem(filled.problem)
  }
  useEffect(begin, [])

  const others = machine.events.filter((one) => step?.accepts.includes(one) !== true)
  const chosen = event ?? step?.accepts[0] ?? others[0] ?? ""
  const advance = (): void => {
    const filled = payload.current?.() ?? { ok: false, problem: "choose an event" }
    if (filled.ok) run({ snapshot: step?.snapshot, event: filled.value }, chosen, done)
    else setProblem(filled.problem)
  }
  const options = (events: ReadonlyArray<string>): ReadonlyArray<VNode> =>
    events.map((one) => (
      <option key={one} value={one}>
        {one}
      </option>
    ))
  const definition = JSON.stringify(machine.definition, null, 2)
  return (
    <article class="process" aria-label={`Machine ${machine.id}`}>
      <div class="head">
        <div class="title">
          <h2 class="mono">{machine.id}</h2>
          <span class="muted">{machine.description ?? ""}</span>
        </div>
      </div>
      <div class="process-body">
        <div class="middle">
          <div class="panel chart-panel" style={{ height: `${machine.chart.height + 70}px` }}>
            <Chart name={machine.id} chart={machine.chart} active={step?.active ?? []} taken={step?.taken ?? []} />
          </div>
          <section class="panel step" aria-label="Step by hand">
            <h2>Step by hand</h2>
            <Labelled label="event" id={`${ids}-event`}>
              <select id={`${ids}-event`} value={chosen} onChange={(change) => setEvent(change.currentTarget.value)}>
                <optgroup label="handled here">{options(step?.accepts ?? [])}</optgroup>
                <optgroup label="not handled here">{options(others)}</optgroup>
              </select>
            </Labelled>
            <JsonField
              key={chosen}
              name="as JSON"
              begin={machine.samples[chosen] ?? { type: chosen }}
              hold={(read) => {
                payload.current = read
              }}
            />
            <p class="problem" role="alert">
              {problem}
            </p>
            <div class="actions">
              <details class="begin">
                <summary>Begin with another input</summary>
                <JsonField
                  name="input"
                  begin={machine.sample_input}
                  hold={(read) => {
                    input.current = read
                  }}
                />
              </details>
              <Button onClick={begin}>Begin again</Button>
              <Button class="primary" onClick={advance}>
                Send event
              </Button>
            </div>
          </section>
        </div>
        <div class="facts">
          <Panel title="Commands of this step">
            {step === undefined || step.commands.length === 0 ? (
              <p class="muted">None.</p>
            ) : (
              <Commands commands={step.commands} open={2} />
            )}
          </Panel>
          <Panel title="Steps so far">
            <ol class="steps">
              {done.map((what, index) => (
                <li key={index} class="mono">
                  {what}
                </li>
              ))}
            </ol>
          </Panel>
          <Panel title="Context">
            <Json value={step?.snapshot.context ?? {}} open={2} />
          </Panel>
          <Panel title="Definition" aside={<Copy what="the definition" text={() => definition} />}>
            <details>
              <summary>For a visual editor</summary>
              <pre tabIndex={0}>{definition}</pre>
            </details>
          </Panel>
        </div>
      </div>
    </article>
  )
}
