/**
 * What a person may do: each action opens a dialog that says what will happen, and acts only when it is confirmed.
 */
import type { ComponentChildren, VNode } from "preact"
import { Fragment } from "preact"
import { useId, useLayoutEffect, useRef, useState } from "preact/hooks"
import { countOf } from "../text.ts"
import type { BulkView, HostView, ListView, ProcessView, SignalView } from "../View.ts"
import { get, post, sentenceOf } from "./connection.ts"
import type { Filled } from "./form.tsx"
import { Field, Labelled } from "./form.tsx"
import { Button, ProcessLink } from "./parts.tsx"

/** Whether the host takes actions at all. */
export const takesActions = (host: HostView | undefined): boolean => host?.actions === true

/** What an action needs of a process. */
export type Known = Pick<ProcessView, "row" | "machine" | "signals">

type Show = (dialog: VNode | undefined) => void

let show: Show = () => undefined

/** Opens a dialog; the one that is open is closed. */
export const openDialog: Show = (dialog) => show(dialog)

/** Where dialogs are shown. */
export const Dialogs = (): VNode | null => {
  const [{ turn, dialog }, setShown] = useState<{ readonly turn: number; readonly dialog?: VNode | undefined }>({
    turn: 0
  })
  show = (next) => setShown((before) => ({ turn: before.turn + 1, dialog: next }))
  // Each is drawn anew: one of the same kind may be closing.
  return dialog === undefined ? null : <Fragment key={turn}>{dialog}</Fragment>
}

/** A dialog, shown as long as it is drawn. */
export const Dialog = ({
  title,
  class: classes = "",
  children
}: {
  readonly title: string
  readonly class?: string
  readonly children: ComponentChildren
}): VNode => {
  const element = useRef<HTMLDialogElement>(null)
  const id = useId()
  // At once, so that no key that is typed next goes elsewhere.
  useLayoutEffect(() => {
    // What had the focus gets it back.
    const before = document.activeElement
    element.current?.showModal()
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus()
    }
  }, [])
  // The event comes later than the key that closed it, when another dialog may be open.
  const onClose = (): void => {
    if (element.current !== null) openDialog(undefined)
  }
  return (
    <dialog ref={element} class={classes} aria-labelledby={id} onClose={onClose}>
      <h2 id={id}>{title}</h2>
      {children}
    </dialog>
  )
}

/** Sends a signal that the process declares, with a form made from its schema; `wanted` is chosen first. */
export const openSignal = (known: Known, done: () => void, wanted?: string): void => {
  if (known.signals.length > 0) openDialog(<SendSignal known={known} done={done} wanted={wanted} />)
}

/** The same for a process that was not looked at yet. */
export const openSignalOf = async (id: string, wanted: string | undefined, done: () => void): Promise<void> =>
  openSignal(await get<ProcessView>("process", { id }), done, wanted)

/** Asks a process to stop. */
export const openCancel = (id: string, done: () => void): void =>
  openDialog(
    <AskForReason
      title="Request cancellation"
      text={`A request is recorded for ${id}. A running body is interrupted; if it completes nevertheless, it stays completed.`}
      confirm="Request cancel"
      hint="Shown wherever the end of the process is explained."
      done={done}
      act={(reason) => post("actions/cancel", { process_id: id, reason: reason === "" ? null : reason })}
    />
  )

/** Allows a sweep to give a process up. */
export const openAbandon = (id: string, done: () => void): void =>
  openDialog(
    <AskForReason
      title="Request abandonment"
      text={`A request is recorded for ${id}. Once no host holds its lease, a sweep ends it as abandoned: its outcome stays unknown.`}
      confirm="Request abandon"
      isGrave
      hint="Why its outcome may stay unknown."
      done={done}
      act={(reason) => post("actions/abandon", { process_id: id, ...(reason === "" ? {} : { reason }) })}
    />
  )

/** Sends a discarded wake again. */
export const openRedrive = (wakeId: string, done: () => void): void =>
  openDialog(
    <Ask
      title="Send this wake again"
      text={`The wake ${wakeId} goes back to the outbox and is delivered again; the session may see it twice.`}
      confirm="Redrive wake"
      done={done}
      act={() => post("actions/redrive", { wake_id: wakeId })}
    />
  )

/** Does something to every process that a filter finds, or to these, after a dry run. */
export const openBulk = (wanted: Wanted, done: () => void): void => openDialog(<ForAll wanted={wanted} done={done} />)

type Wanted = Readonly<Record<string, string>> | ReadonlyArray<string>

/** How many processes the server takes at once. */
const mostAtOnce = 5_000

/** The ids, and how many there are altogether. */
const idsOf = async (wanted: Wanted): Promise<{ readonly ids: ReadonlyArray<string>; readonly total: number }> => {
  if (isList(wanted)) return { ids: wanted.slice(0, mostAtOnce), total: wanted.length }
  const { rows, total } = await get<ListView>("processes", { ...wanted, ids: 1, limit: mostAtOnce })
  return { ids: rows.map((row) => row.process_id), total }
}

const isList = (wanted: Wanted): wanted is ReadonlyArray<string> => Array.isArray(wanted)

/** What stays in a form before it acts: a text is the reason why it was not even tried. */
type Act = () => Promise<unknown>

class NotTried extends Error {}

/** A dialog that acts when it is confirmed, and stays with a sentence when that fails. */
export const Ask = ({
  title,
  text,
  confirm,
  isGrave = false,
  done,
  act,
  children
}: {
  readonly title: string
  readonly text: string
  readonly confirm: string
  readonly isGrave?: boolean
  readonly done: () => void
  readonly act: Act
  readonly children?: ComponentChildren
}): VNode => {
  const [problem, setProblem] = useState("")
  const [isBusy, setBusy] = useState(false)
  const submit = (event: Event): void => {
    event.preventDefault()
    setBusy(true)
    act().then(
      () => {
        openDialog(undefined)
        done()
      },
      (error: unknown) => {
        setBusy(false)
        setProblem(sentenceOf(error))
      }
    )
  }
  return (
    <Dialog title={title}>
      <form method="dialog" onSubmit={submit}>
        <p>{text}</p>
        {children}
        <p class="problem" role="alert">
          {problem}
        </p>
        <div class="actions">
          <Button onClick={() => openDialog(undefined)}>Do nothing</Button>
          <button type="submit" class={isGrave ? "grave" : "primary"} disabled={isBusy}>
            {confirm}
          </button>
        </div>
      </form>
    </Dialog>
  )
}

const AskForReason = ({
  hint,
  act,
  ...ask
}: {
  readonly title: string
  readonly text: string
  readonly confirm: string
  readonly isGrave?: boolean
  readonly hint: string
  readonly done: () => void
  readonly act: (reason: string) => Promise<unknown>
}): VNode => {
  const id = useId()
  const input = useRef<HTMLInputElement>(null)
  return (
    <Ask {...ask} act={() => act(input.current?.value ?? "")}>
      <Labelled label="reason" id={id} hint={hint}>
        <input id={id} ref={input} type="text" autocomplete="off" aria-describedby={`${id}-hint`} />
      </Labelled>
    </Ask>
  )
}

const SendSignal = ({
  known: { row, machine, signals },
  done,
  wanted
}: {
  readonly known: Known
  readonly done: () => void
  readonly wanted: string | undefined
}): VNode => {
  const id = useId()
  // Made once for each dialog: sending twice is then a replay, and not two signals.
  const [signalId] = useState(() => crypto.randomUUID())
  const [sorted] = useState(() => signals.toSorted((a, b) => Number(b.expected) - Number(a.expected)))
  const [signal, setSignal] = useState<SignalView | undefined>(sorted.find(({ name }) => name === wanted) ?? sorted[0])
  const read = useRef<() => Filled>()
  const isMachine = machine !== "process"
  const act = async (): Promise<void> => {
    const filled = read.current?.() ?? { ok: true, value: null }
    if (!filled.ok) throw new NotTried(filled.problem)
    const payload = filled.value ?? null
    await post("actions/signal", { process_id: row.process_id, name: signal?.name, payload, signal_id: signalId })
  }
  return (
    <Ask
      title={isMachine ? "Send an event" : "Send a signal"}
      text={
        isMachine
          ? `An event is appended to ${row.process_id}. Its machine takes it, in this host or in the next one that has it.`
          : `An event is appended to ${row.process_id}. It ends the oldest wait for this signal, or is kept for the next one.`
      }
      confirm={isMachine ? "Send event" : "Send signal"}
      done={done}
      act={act}
    >
      <Labelled label={isMachine ? "event" : "signal"} id={id}>
        <select
          id={id}
          value={signal?.name}
          onChange={(event) => setSignal(sorted.find(({ name }) => name === event.currentTarget.value))}
        >
          {sorted.map(({ name, expected }) => (
            <option key={name} value={name}>
              {expected ? `${name} (${isMachine ? "taken here" : "waited for"})` : name}
            </option>
          ))}
        </select>
      </Labelled>
      {signal === undefined ? null : (
        <Field
          key={signal.name}
          schema={signal.schema}
          name="payload"
          hold={(reader) => {
            read.current = reader
          }}
        />
      )}
    </Ask>
  )
}

const ForAll = ({ wanted, done }: { readonly wanted: Wanted; readonly done: () => void }): VNode => {
  const ids = useId()
  const action = useRef<HTMLSelectElement>(null)
  const reason = useRef<HTMLInputElement>(null)
  const [tried, setTried] = useState<AfterTry>()
  const [problem, setProblem] = useState("")
  const run = (isDryRun: boolean): void => {
    const act = async (): Promise<AfterTry> => {
      const isTried = !isDryRun && tried !== undefined
      const found = isTried ? { ids: tried.view.process_ids, total: tried.total } : await idsOf(wanted)
      const view = await post<BulkView>("actions/bulk", {
        action: action.current?.value,
        process_ids: found.ids,
        reason: reason.current?.value === "" ? null : reason.current?.value,
        dry_run: isDryRun
      })
      return { view, total: found.total, isDone: !isDryRun }
    }
    act().then(
      (after) => {
        setTried(after)
        setProblem("")
        if (!isDryRun) done()
      },
      (error: unknown) => setProblem(sentenceOf(error))
    )
  }
  const forget = (): void => setTried(undefined)
  return (
    <Dialog title={isList(wanted) ? `Act on ${countOf(wanted.length)} picked` : "Act on all of these"}>
      <form method="dialog" onSubmit={(event) => event.preventDefault()}>
        <p>A dry run says first what would be done, and to which processes.</p>
        <Labelled label="action" id={`${ids}-action`}>
          <select id={`${ids}-action`} ref={action} onChange={forget}>
            <option value="cancel">request cancel</option>
            <option value="abandon">request abandon</option>
          </select>
        </Labelled>
        <Labelled label="reason" id={`${ids}-reason`}>
          <input id={`${ids}-reason`} ref={reason} type="text" autocomplete="off" onInput={forget} />
        </Labelled>
        {tried === undefined ? null : <Tried {...tried} />}
        <p class="problem" role="alert">
          {problem}
        </p>
        <div class="actions">
          <Button onClick={() => openDialog(undefined)}>{tried?.isDone === true ? "Close" : "Do nothing"}</Button>
          <Button onClick={() => run(true)}>Dry run</Button>
          <Button
            class="grave"
            disabled={tried === undefined || tried.isDone || tried.view.done === 0}
            onClick={() => run(false)}
          >
            {tried === undefined || tried.isDone ? "Do it" : `Do it to ${tried.view.done}`}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}

/** What a dry run would have done, or a run has done, of how many that are wanted. */
interface AfterTry {
  readonly view: BulkView
  readonly total: number
  readonly isDone: boolean
}

const Tried = ({ view, total, isDone }: AfterTry): VNode => (
  <div class="tried" role="status">
    {total > mostAtOnce ? (
      <p>
        Of {countOf(total)} the first {countOf(mostAtOnce)} are taken at once: do it again for the others.
      </p>
    ) : null}
    <p>
      {isDone ? "Done" : "It would be done"} to {view.done} of {view.matched}
      {view.refused.length === 0
        ? "."
        : `; ${view.refused.length} ${view.refused.length === 1 ? "refuses" : "refuse"} it.`}
    </p>
    <ul>
      {view.process_ids.slice(0, 20).map((id) => (
        <li key={id}>
          <ProcessLink id={id} />
        </li>
      ))}
      {view.refused.slice(0, 20).map(({ process_id: id, problem }) => (
        <li key={id}>
          <ProcessLink id={id} /> <span class="muted">{problem}</span>
        </li>
      ))}
    </ul>
  </div>
)
