/**
 * The actions: each opens a dialog that says what will happen, and acts only when it is confirmed.
 */
import type { ProcessView, SignalView } from "../View.ts"
import { post, sentenceOf } from "./api.ts"
import { fill, h, say } from "./dom.ts"
import type { Field } from "./form.ts"
import { fieldFor } from "./form.ts"

/** One dialog. */
interface Question {
  readonly title: string
  readonly text: string
  readonly confirm: string
  readonly isGrave?: boolean
  readonly fields: ReadonlyArray<HTMLElement>
  /** Does it; a text is the reason why it was not even tried. */
  readonly act: () => Promise<string | undefined>
}

/** Sends a signal that the process declares, with a form made from its schema. */
export const openSignal = (view: ProcessView, done: () => void): void => {
  const [first, ...others] = view.signals.toSorted((a, b) => Number(b.expected) - Number(a.expected))
  if (first === undefined) return
  // Made once for each dialog: sending twice is then a replay, and not two signals.
  const signalId = crypto.randomUUID()
  let signal: SignalView = first
  let field: Field = fieldFor(signal.schema, "payload")
  const holder = h("div", {}, field.element)
  const choice = h(
    "select",
    { id: "signal-name" },
    ...[first, ...others].map(({ name, expected }) =>
      h("option", { value: name }, expected ? `${name} (waited for)` : name)
    )
  )
  choice.addEventListener("change", () => {
    signal = [first, ...others].find(({ name }) => name === choice.value) ?? first
    field = fieldFor(signal.schema, "payload")
    fill(holder, field.element)
  })
  ask(
    {
      title: "Send a signal",
      text: `An event is appended to ${view.row.process_id}. It ends the oldest wait for this signal, or is kept for the next one.`,
      confirm: "Send signal",
      fields: [h("div", { class: "field" }, h("label", { for: "signal-name" }, "signal"), choice), holder],
      act: async () => {
        const filled = field.value()
        if (!filled.ok) return filled.problem
        await post("actions/signal", {
          process_id: view.row.process_id,
          name: signal.name,
          payload: filled.value ?? null,
          signal_id: signalId
        })
        return undefined
      }
    },
    done
  )
}

/** Asks a process to stop. */
export const openCancel = (id: string, done: () => void): void => {
  const reason = textField("reason", "Shown to whoever asks why it stopped.")
  ask(
    {
      title: "Ask it to stop",
      text: `A request is recorded for ${id}. A running body is interrupted; one that completes all the same stays completed.`,
      confirm: "Request cancel",
      fields: [reason.element],
      act: async () => {
        await post("actions/cancel", { process_id: id, reason: reason.input.value === "" ? null : reason.input.value })
        return undefined
      }
    },
    done
  )
}

/** Allows a process to be given up. */
export const openAbandon = (id: string, done: () => void): void => {
  const reason = textField("reason", "Why nobody will ever know how it ended.")
  ask(
    {
      title: "Allow it to be given up",
      text: `A request is recorded for ${id}. Once nobody holds it, a sweep ends it as abandoned: its outcome is then unknown for ever.`,
      confirm: "Request abandon",
      isGrave: true,
      fields: [reason.element],
      act: async () => {
        const why = reason.input.value === "" ? {} : { reason: reason.input.value }
        await post("actions/abandon", { process_id: id, ...why })
        return undefined
      }
    },
    done
  )
}

/** Sends a discarded wake again. */
export const openRedrive = (wakeId: string, done: () => void): void =>
  ask(
    {
      title: "Send this wake again",
      text: `The wake ${wakeId} goes back to the outbox and is delivered anew; the session may see it twice.`,
      confirm: "Redrive wake",
      fields: [],
      act: async () => {
        await post("actions/redrive", { wake_id: wakeId })
        return undefined
      }
    },
    done
  )

const textField = (name: string, hint: string) => {
  const input = h("input", {
    type: "text",
    id: `action-${name}`,
    autocomplete: "off",
    "aria-describedby": `action-${name}-hint`
  })
  const element = h(
    "div",
    { class: "field" },
    h("label", { for: input.id }, name),
    input,
    h("p", { class: "hint", id: `action-${name}-hint` }, hint)
  )
  return { element, input }
}

const ask = (question: Question, done: () => void): void => {
  const problem = h("p", { class: "problem", role: "alert" })
  const confirm = h(
    "button",
    { type: "submit", class: question.isGrave === true ? "grave" : "primary" },
    question.confirm
  )
  const dialog = h(
    "dialog",
    { "aria-labelledby": "dialog-title" },
    h(
      "form",
      { method: "dialog" },
      h("h2", { id: "dialog-title" }, question.title),
      h("p", {}, question.text),
      ...question.fields,
      problem,
      h(
        "div",
        { class: "actions" },
        h("button", { type: "button", onclick: () => dialog.close() }, "Do nothing"),
        confirm
      )
    )
  )
  dialog.addEventListener("submit", (event) => {
    event.preventDefault()
    confirm.disabled = true
    question.act().then(
      (wrong) => {
        confirm.disabled = false
        if (wrong !== undefined) {
          say(problem, wrong)
          return
        }
        dialog.close()
        done()
      },
      (error: unknown) => {
        confirm.disabled = false
        say(problem, sentenceOf(error))
      }
    )
  })
  dialog.addEventListener("close", () => dialog.remove())
  document.body.append(dialog)
  dialog.showModal()
}
