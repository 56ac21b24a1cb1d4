import { assert, describe, it } from "@effect/vitest"
import { languageOf } from "../../docs/examples/audit/work/languages.ts"
import { excerptLength, maxFindings, scan } from "../../docs/examples/audit/work/scan.ts"
import { secretsIn } from "../../docs/examples/audit/work/secrets.ts"

/** Secrets are put together here, so that no scanner takes this file for a leak. */
const secret = (...parts: ReadonlyArray<string>): string => parts.join("")

const aws = secret("AKIA", "IOSFODNN7", "EXAMPLE")
const github = secret("ghp_", "0123456789abcdefghij", "ABCDEFGHIJ012345")
const slack = secret("xox", "b-123456789012-abcdefABCDEF")
const jwt = secret("eyJ", "hbGciOiJIUzI1NiJ9", ".eyJ", "zdWIiOiIxMjM0In0", ".c2lnbmF0dXJlX2hlcmU")

describe("languageOf", () => {
  const table: ReadonlyArray<readonly [string, string]> = [
    ["src/main.ts", "TypeScript"],
    ["a/b.test.TSX", "TypeScript"],
    ["lib/x.mjs", "JavaScript"],
    ["x.py", "Python"],
    ["kernel.c", "C / C++"],
    ["Makefile", "Makefile"],
    ["deep/Dockerfile", "Dockerfile"],
    ["LICENSE", "Text"],
    [".gitignore", "Ignore list"],
    [".env", "Properties"],
    ["docker-compose.yml", "YAML"],
    ["README", "Text"],
    ["no-extension", "Other text"],
    ["archive.unknownext", "Other text"],
    ["ends-with-dot.", "Other text"]
  ]
  for (const [path, language] of table) {
    it(`counts ${path} as ${language}`, () => assert.strictEqual(languageOf(path), language))
  }
})

describe("scan", () => {
  it("finds markers of unfinished work as whole words, with their lines", () => {
    assert.deepStrictEqual(scan("one\n// TODO: two\n\n  FIXME(ana) four\nTODOS are not, nor is MYTODO\n"), {
      findings: [
        { kind: "todo", rule: "TODO", line: 2, text: "// TODO: two" },
        { kind: "fixme", rule: "FIXME", line: 4, text: "FIXME(ana) four" }
      ],
      more: 0
    })
  })

  it("finds several on one line, in their order", () => {
    assert.deepStrictEqual(
      scan("FIXME a TODO b").findings.map(({ rule, line }) => [rule, line]),
      [
        ["FIXME", 1],
        ["TODO", 1]
      ]
    )
  })

  const secrets: ReadonlyArray<readonly [string, string, string]> = [
    ["aws-access-key", `id = ${aws};`, "id = AKIA[redacted];"],
    ["github-token", `export TOKEN_FILE=${github}`, "export TOKEN_FILE=ghp_[redacted]"],
    ["slack-token", `hook("${slack}")`, 'hook("xoxb-[redacted]")'],
    ["json-web-token", `Bearer ${jwt}`, "Bearer eyJ[redacted]"],
    ["url-password", "postgres://ana:hunter2@db.example/app", "postgres://ana:[redacted]@db.example/app"],
    ["assigned-secret", 'const dbPassword = "correct-horse-9"', 'const dbPassword = "[redacted]"'],
    ["assigned-secret", "'api_key' => 'k3yk3yk3y'", "'api_key' => '[redacted]'"],
    ["assigned-secret", "SESSION_SECRET=abc123def456", "SESSION_SECRET=[redacted]"],
    ["private-key", secret("-----BEGIN RSA ", "PRIVATE KEY-----"), "-----BEGIN [redacted]"]
  ]
  for (const [rule, line, text] of secrets) {
    it(`finds and hides a secret: ${text}`, () => {
      assert.deepStrictEqual(scan(`first\n${line}\nlast`).findings, [{ kind: "secret", rule, line: 2, text }])
    })
  }

  const harmless: ReadonlyArray<string> = [
    'password: "password"',
    'token: "identifier"',
    'const apiKey = "$' + '{process.env.KEY1}"',
    'secret = "<your-secret-1>"',
    'password = "changeme123"',
    'const passwordLength = "12345678a"',
    "https://example.org:8080/a@b",
    "the sk-learn-based-approach-of-many",
    "AKIA is a prefix"
  ]
  for (const line of harmless) {
    it(`leaves alone: ${line}`, () => assert.deepStrictEqual(secretsIn(line), []))
  }

  it("hides a secret also in the excerpt of another finding on its line", () => {
    const { findings } = scan(`// TODO: remove ${aws} and "${github}"`)
    assert.deepStrictEqual(
      findings.map(({ text }) => text),
      Array(3).fill('// TODO: remove AKIA[redacted] and "ghp_[redacted]"')
    )
  })

  it("shows no part of a secret that the excerpt cuts", () => {
    const line = `${"x".repeat(200)} ${aws} ${"y".repeat(20)} TODO ${"z".repeat(95)} ${github} ${"x".repeat(200)}`
    for (const { text } of scan(line).findings) {
      assert.notInclude(text, aws.slice(5, 9))
      assert.notInclude(text, github.slice(6, 12))
    }
  })

  it("cuts long lines around the finding", () => {
    const [finding] = scan(`${"a ".repeat(500)}TODO here${" b".repeat(500)}`).findings
    assert.match(finding?.text ?? "", /^…a .*TODO here b.* b?…$/)
    assert.isAtMost(finding?.text.length ?? 0, excerptLength + 2)
  })

  it("lists no more findings than its bound, and counts the rest", () => {
    const { findings, more } = scan("TODO\n".repeat(maxFindings + 7))
    assert.strictEqual(findings.length, 500)
    assert.strictEqual(findings.at(-1)?.line, 500)
    assert.strictEqual(more, 7)
  })

  it("keeps what a terminal would obey out of the excerpt", () => {
    assert.strictEqual(scan("TODO \u001b[31mred\u0007\r").findings[0]?.text, "TODO  [31mred")
  })

  it("takes time in proportion to the text, whatever the text", () => {
    for (const part of ["password=", "eyJa.", "a://b:", "-----BEGIN A ", "xoxb-", "SECRET", "sk-1", "A_"]) {
      const text = part.repeat(Math.floor(1_000_000 / part.length))
      // The processor's time, which other programs do not use up. Units: microseconds.
      const before = process.cpuUsage()
      scan(text)
      assert.isBelow(process.cpuUsage(before).user, 3_000_000, part)
    }
  })
})
