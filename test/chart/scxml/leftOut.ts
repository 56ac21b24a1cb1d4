import type { Element } from "./xml.ts"
import { find } from "./xml.ts"

/** Why a document has no machine. */
export class LeftOut extends Error {}

/** What XState has not, by the elements that ask for it. */
export const impossible: ReadonlyArray<readonly [(element: Element) => boolean, string]> = [
  [
    ({ name, attributes, children }) =>
      (name === "invoke" && attributes["srcexpr"] !== undefined) ||
      (name === "invoke" && children.some(({ name, attributes }) => name === "content" && "expr" in attributes)),
    "XState invokes logic that a state names, not what an expression gives"
  ],
  [
    ({ name, attributes }) => name === "send" && attributes["idlocation"] !== undefined,
    "XState keeps no generated id for a send"
  ],
  [({ attributes }) => attributes["binding"] === "late", "XState has no late binding of data"],
  [
    ({ name, attributes: { type, typeexpr } }) =>
      name === "send" && (typeexpr !== undefined || (type !== undefined && !type.endsWith("SCXMLEventProcessor"))),
    "XState has no other event processors"
  ],
  [
    ({ name, attributes: { target, targetexpr } }) =>
      name === "send" && (targetexpr !== undefined || (target !== undefined && !/^#_(?!scxml_)/.test(target))),
    "XState has no sessions and processors to send to by their address"
  ],
  [
    ({ name, children }) => name === "history" && find({ ...empty, children }, ({ name }) => executable.has(name)),
    "XState has no actions on the default transition of a history state"
  ],
  [
    ({ name, attributes, text }) =>
      name !== "log" &&
      [...Object.values(attributes), text].some((code) => /_sessionid|_ioprocessors|\b_name|\b_x\b/.test(code)),
    "XState has no system variables"
  ],
  [
    ({ attributes, text }) =>
      [...Object.values(attributes), text].some((code) =>
        /_event\.(sendid|origin|raw|type)\b|'sendid' in _event/.test(code)
      ),
    "the events of XState have no sender"
  ],
  [
    // What expects no error has a state for it in which it fails.
    ({ attributes: { event = "", target } }) => /^error\b/.test(event) && target !== "fail",
    "XState raises no error events: what throws stops the machine"
  ],
  [({ name, attributes }) => name === "data" && (attributes["src"] ?? "").startsWith("http"), "XState loads nothing"]
]

const executable = new Set(["raise", "send", "assign", "log", "if", "foreach", "script", "cancel"])
const empty: Element = { name: "", attributes: {}, children: [], text: "" }

/** What a converted document does in XState itself that the suite does not expect, and why. */
export const differences: Readonly<Record<string, string>> = {
  "scxml-prefix-event-name-matching/star0":
    "XState prefers the longer descriptor of an event to the order of the document",
  "w3c-ecma/test409.txml": "XState asks for a state in the configuration before the transition",
  "w3c-ecma/test411.txml": "XState asks for a state in the configuration before the transition",
  "w3c-ecma/test506.txml": "XState does not exit the source of an internal transition that targets itself",
  "w3c-ecma/test533.txml": "XState does not exit a parallel state on an internal transition into it",
  "w3c-ecma/test245.txml": "XState raises no error events: what throws stops the machine",
  "w3c-ecma/test250.txml": "a person is to judge by its log: the state that the suite expects is not in it",
  "w3c-ecma/test554.txml": "XState raises no error events: what throws stops the machine",
  "script-src/test3": "a context is JSON: it has no functions",
  "w3c-ecma/test452.txml": "a context is JSON: it has no functions",
  "w3c-ecma/test453.txml": "a context is JSON: it has no functions",
  "w3c-ecma/test553.txml": "XState raises no error events: what throws stops the machine"
}

/** Why a script cannot be sent to a durable process, although XState takes its events. */
export const unsendable = "an event from outside is a signal, whose name has letters, digits, _ and - only"
