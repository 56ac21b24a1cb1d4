import { assert, describe, it } from "@effect/vitest"
import * as Ids from "../../src/model/ids.ts"
import { hashOf, sha256 } from "../../src/model/json.ts"

const p1 = Ids.processId("p1")

describe("session scopes", () => {
  it("a session without a frame is addressed by itself", () => {
    assert.strictEqual(Ids.sessionScopeId("s"), "session:s")
  })

  it("an empty frame is no frame", () => {
    assert.strictEqual(Ids.sessionScopeId("s", ""), "session:s")
  })

  it("a frame is addressed below its session", () => {
    assert.strictEqual(Ids.sessionScopeId("s", "f"), "session:s/frame:f")
  })
})

describe("signals", () => {
  it("an event type carries a signal by its prefix, and gives the name back", () => {
    assert.strictEqual(Ids.signalEventType("ready"), "signal.ready")
    assert.strictEqual(Ids.signalNameOf("signal.ready"), "ready")
  })

  it("only the prefix itself is taken off", () => {
    assert.strictEqual(Ids.signalNameOf("signal.signal.x"), "signal.x")
  })

  it("every other event type names no signal", () => {
    for (const type of ["ready", "signals.ready", "signal", "Signal.ready", " signal.ready", "process.completed", ""]) {
      assert.strictEqual(Ids.signalNameOf(type), undefined, type)
    }
  })
})

describe("keys", () => {
  it("a wait is known by its process, its signal and its number", () => {
    assert.strictEqual(Ids.signalWaitKey(p1, "ready", 2), "process:p1:signal.ready:2")
  })

  it("a signal is recorded under its sender's id for it", () => {
    assert.strictEqual(Ids.signalReplayKey(p1, "ready", "sig-7"), "process:p1:signal.ready:sig-7")
  })

  it("an end is recorded under its event type", () => {
    assert.strictEqual(Ids.terminalReplayKey(p1, "process.completed"), "process:p1:terminal:process.completed")
  })

  it("an activation begins and is handed back under its number", () => {
    assert.strictEqual(Ids.startedReplayKey(p1, 3), "process:p1:started:3")
    assert.strictEqual(Ids.suspendedReplayKey(p1, 3), "process:p1:suspended:3")
  })

  it("a cancel request is recorded under its reason", () => {
    assert.strictEqual(
      Ids.cancelReplayKey(p1, "stop"),
      "process:p1:cancel_requested:85a6238fa9840bc3105d1a06ca03df61803080fefa838ab687d36662275be019"
    )
  })

  it("a cancel request without a reason has a key of its own", () => {
    assert.strictEqual(
      Ids.cancelReplayKey(p1, null),
      "process:p1:cancel_requested:5532b5f3befaa3efc27b125b501ee870e6405e058b099410f23165e543d2a782"
    )
  })

  it("an empty reason and the word null are reasons", () => {
    const keys = [null, "", "null"].map((reason) => Ids.cancelReplayKey(p1, reason))
    assert.strictEqual(new Set(keys).size, 3)
  })
})

describe("wake ids", () => {
  const golden = [
    ["session:target", "proc-1:1", "edd8faa6b1eaf19c95095d51195fd40548f1b8531edce8e340d40a5575c419f6"],
    [
      "session:target-session/frame:target-frame",
      "proc-provenance:1",
      "46cb109adef9ba0513a94be3a54c1a0adf5e05fcbbe38b46ba57e14f546b1e00"
    ],
    ["session:root", "constant-dedupe", "51dc335ff38dc3983b509f481f410868c1305dc00a8be990e1f123898d829e7d"]
  ] as const
  for (const [scope, dedupeKey, hex] of golden) {
    it(`${dedupeKey} for ${scope} has the id that every implementation gives it`, () => {
      assert.strictEqual(Ids.wakeId(scope as Ids.SessionScopeId, dedupeKey), `wake:${hex}`)
    })
  }

  it("a session and its frame are woken under different ids", () => {
    const session = Ids.wakeId(Ids.sessionScopeId("s"), "k")
    assert.notStrictEqual(session, Ids.wakeId(Ids.sessionScopeId("s", "f"), "k"))
    assert.strictEqual(session, Ids.wakeId(Ids.sessionScopeId("s"), "k"))
  })
})

describe("hashes", () => {
  it("a payload is hashed together with its event type", () => {
    assert.strictEqual(
      Ids.payloadHash("producer.wake", { wake_input: "x" }),
      "80f5164cb2d3193dfa776b486fe72f4f5498cecea54b3db6baac7eb13ca99068"
    )
    assert.notStrictEqual(
      Ids.payloadHash("producer.other", { wake_input: "x" }),
      Ids.payloadHash("producer.wake", { wake_input: "x" })
    )
  })

  it("the key of a promise is hashed over its text as written, not over its canonical form", () => {
    const text =
      '[{"type":"process","process_id":"p1"},{"type":"process_signal","process_id":"p1","signal_name":"ready","ordinal":1}]'
    const key = "c1e35a5be176c63490ba20c166c2c96937f38a1c67c2a46b8125145526e08cb5"
    assert.strictEqual(sha256(text), key)
    assert.notStrictEqual(hashOf(JSON.parse(text)), key)
  })

  it("a text is hashed as UTF-8, in lower-case hex", () => {
    assert.strictEqual(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    assert.strictEqual(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    assert.strictEqual(sha256("é"), "4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c")
  })
})
