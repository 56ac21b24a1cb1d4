/** What a converted document does in XState itself that the suite does not expect, and why. */
export const differences: Readonly<Record<string, string>> = {
  "scxml-prefix-event-name-matching/star0":
    "XState prefers the longer descriptor of an event to the order of the document",
  "w3c-ecma/test409.txml": "XState asks for a state in the configuration before the transition",
  "w3c-ecma/test411.txml": "XState asks for a state in the configuration before the transition",
  "w3c-ecma/test506.txml": "XState does not exit the source of an internal transition that targets itself",
  "w3c-ecma/test533.txml": "XState does not exit a parallel state on an internal transition into it",
  "script-src/test3": "a context is JSON: it has no functions",
  "w3c-ecma/test452.txml": "a context is JSON: it has no functions",
  "w3c-ecma/test453.txml": "a context is JSON: it has no functions",
  "w3c-ecma/test553.txml": "XState raises no error events: what throws stops the machine"
}

/** Why a script cannot be sent to a durable process, although XState takes its events. */
export const unsendable = "an event from outside is a signal, whose name has letters, digits, _ and - only"
