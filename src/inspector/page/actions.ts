/**
 * What a person may do: each action opens a dialog that says what will happen, and acts only when it is confirmed.
 */
import type { HostView, ProcessView, SignalView } from "../View.ts"
import { post, sentenceOf } from "./connection.ts"
import { button, fill, h, labelled, say } from "./dom.ts"
import type { Field } from "./json.ts"
import { fieldFor } from "./json.ts"

/** Whether the host takes actions at all. */
export const takesActions = (host: HostView | undefined): boolean => host?.actions === true

/** Sends a signal that the process declares, with a form made from its schema; `wanted` is chosen first. */
export const openSignal = (view: ProcessView, done: () => void, wanted?: string): void => {
  const signals = view.signals.toSorted((a, b) => Number(b.expected) - Number(a.expected))
  const first = signals.find(({ name }) => name === wanted) ?? signals[0]
  const isMachine = view.machine !== "process"
  if (first === undefined) return
  // Made once for each dialog: sending twice is then a replay, and not two signals.
  const signalId = crypto.randomUUID()
  let signal: SignalView = first
  let field: Field = fieldFor(signal.schema, "payload")
  const holder = h("div", {}, field.element)
  const choice = h(
    "select",
    { id: "signal-name" },
    ...signals.map(({ name, expected }) =>
      h("option", { value: name }, expected ? `${name} (${isMachine ? "taken here" : "waited for"})` : name)
    )
  )
  choice.value = first.name
  choice.addEventListener("change", () => {
    signal = signals.find(({ name }) => name === choice.value) ?? first
    field = fieldFor(signal.schema, "payload")
    fill(holder, field.element)
  })
  ask(done, {
    title: isMachine ? "Send an event" : "Send a signal",
    text: isMachine
      ? `An event is appended to ${view.row.process_id}. Its machine takes it, in this host or in the next one that has it.`
      : `An event is appended to ${view.row.process_id}. It ends the oldest wait for this signal, or is kept for the next one.`,
    confirm: isMachine ? "Send event" : "Send signal",
    fields: [labelled(isMachine ? "event" : "signal", choice), holder],
    act: async () => {
      const filled = field.value()
      if (!filled.ok) return filled.problem
      const payload = filled.value ?? null
      return run("signal", { process_id: view.row.process_id, name: signal.name, payload, signal_id: signalId })
    }
  })
}

/** Asks a process to stop. */
export const openCancel = (id: string, done: () => void): void => {
  const reason = h("input", { type: "text", id: "action-reason", autocomplete: "off" })
  ask(done, {
    title: "Request cancellation",
    text: `A request is recorded for ${id}. A running body is interrupted; if it completes nevertheless, it stays completed.`,
    confirm: "Request cancel",
    fields: [labelled("reason", reason, "Shown wherever the end of the process is explained.")],
    act: () => run("cancel", { process_id: id, reason: reason.value === "" ? null : reason.value })
  })
}

/** Allows a sweep to give a process up. */
export const openAbandon = (id: string, done: () => void): void => {
  const reason = h("input", { type: "text", id: "action-reason", autocomplete: "off" })
  ask(done, {
    title: "Request abandonment",
    text: `A request is recorded for ${id}. Once no host holds its lease, a sweep ends it as abandoned: its outcome stays unknown.`,
    confirm: "Request abandon",
    isGrave: true,
    fields: [labelled("reason", reason, "Why its outcome may stay unknown.")],
    act: () => run("abandon", { process_id: id, ...(reason.value === "" ? {} : { reason: reason.value }) })
  })
}

/** Sends a discarded wake again. */
export const openRedrive = (wakeId: string, done: () => void): void =>
  ask(done, {
    title: "Send this wake again",
    text: `The wake ${wakeId} goes back to the outbox and is delivered again; the session may see it twice.`,
    confirm: "Redrive wake",
    fields: [],
    act: () => run("redrive", { wake_id: wakeId })
  })

const run = async (name: string, body: unknown): Promise<undefined> => {
  await post(`actions/${name}`, body)
}

interface Question {
  readonly title: string
  readonly text: string
  readonly confirm: string
  readonly isGrave?: boolean
  readonly fields: ReadonlyArray<HTMLElement>
  /** Does it; a text is the reason why it was not even tried. */
  readonly act: () => Promise<string | undefined>
}

const ask = (done: () => void, { title, text, confirm, isGrave = false, fields, act }: Question): void => {
  const problem = h("p", { class: "problem", role: "alert" })
  const yes = h("button", { type: "submit", class: isGrave ? "grave" : "primary" }, confirm)
  const no = button("", "Do nothing", () => dialog.close())
  const dialog: HTMLDialogElement = h(
    "dialog",
    { "aria-labelledby": "dialog-title" },
    h(
      "form",
      { method: "dialog" },
      h("h2", { id: "dialog-title" }, title),
      h("p", {}, text),
      ...fields,
      problem,
      h("div", "actions", no, yes)
    )
  )
  const submit = async (): Promise<void> => {
    yes.disabled = true
    const wrong = await act().catch(sentenceOf)
    yes.disabled = false
    if (wrong !== undefined) return say(problem, wrong)
    dialog.close()
    done()
  }
  dialog.addEventListener("submit", (event) => {
    event.preventDefault()
    void submit()
  })
  dialog.addEventListener("close", () => dialog.remove())
  document.body.append(dialog)
  dialog.showModal()
}
