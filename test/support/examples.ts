/**
 * The examples of the documentation as programs: how they are run, and what they print.
 */

/** One run of a program, and what it is to print. */
export interface ExampleRun {
  readonly args?: ReadonlyArray<string>
  readonly prints: ReadonlyArray<string>
}

/**
 * What the examples print, run after run on one file. Each second run shows what is recorded: nothing is done twice.
 */
export const examples: Readonly<Record<string, ReadonlyArray<ExampleRun>>> = {
  "01-hello": [{ prints: ["greeting Ana", "hello, Ana"] }, { prints: ["hello, Ana"] }],
  "02-tool-with-retry": [
    {
      prints: ["call 1: the weather in Oslo", "call 2: the weather in Oslo", "call 3: the weather in Oslo", "21 °C"]
    },
    { prints: ["21 °C"] }
  ],
  "03-approval": [
    { prints: ["building app", "waiting for an approval"] },
    { prints: ["waiting for an approval"] },
    { args: ["approve", "bo"], prints: ["approved by bo"] },
    { prints: ["released app:7, approved by bo"] },
    { args: ["approve", "bo"], prints: ["approved by bo"] }
  ],
  "04-sub-agents": [
    { prints: ["wiki on statecharts: yes", "paper on statecharts: yes", "archive: two answers are enough"] },
    { prints: ["wiki on statecharts: yes", "paper on statecharts: yes", "archive: two answers are enough"] }
  ],
  "05-webhook": [
    { prints: ["recorded: 200", "sent again: 200", "another end: 409", "https://cdn.example/poster.png"] },
    { prints: ["recorded: 200", "sent again: 200", "another end: 409", "https://cdn.example/poster.png"] }
  ],
  "07-promises": [
    {
      prints: ["lamp for ana", "{ text: 'lamp is reserved' }", "out of stock: unicorn", "cancelled: changed my mind"]
    },
    {
      prints: ["lamp for ana", "{ text: 'lamp is reserved' }", "out of stock: unicorn", "cancelled: changed my mind"]
    }
  ],
  "10-statechart": [
    { prints: ["asking the lead about 120", 'it waits in {"waiting":"lead"}'] },
    { prints: ['it waits in {"waiting":"lead"}'] },
    { args: ["approve", "bo"], prints: ["approved by bo"] },
    { prints: ["paid, approved by bo"] },
    { prints: ["paid, approved by bo"] }
  ],
  "11-agent-loop/main": [
    {
      prints: [
        "the model chose call",
        "stock 3 lamp",
        "price 3 lamp",
        "the model chose ask",
        "to a person: 3 lamp cost 120 euros. Order them?",
        'it waits in "asking"'
      ]
    },
    { prints: ['it waits in "asking"'] },
    { args: ["reply", "yes"], prints: ["replied yes"] },
    { prints: ["the model chose call", "order 3 lamp", "the model chose answer", "3 lamp ordered for 120 euros"] },
    { prints: ["3 lamp ordered for 120 euros"] }
  ],
  "12-two-machines/main": [{ prints: ["sold for 90, bought for 90"] }, { prints: ["sold for 90, bought for 90"] }]
}
