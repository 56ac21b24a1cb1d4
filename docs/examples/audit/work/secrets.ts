/**
 * Likely secrets in a text, and excerpts of it that show none.
 *
 * Invariant: no character of a secret leaves this module, except the public prefix of its kind. Every pattern is
 * bounded and stays within a line, so that a file of one endless line costs no more than any other.
 */

/** The place of a likely secret. Units: offsets in UTF-16 code units, `end` exclusive. */
export interface Secret {
  readonly rule: string
  readonly start: number
  readonly end: number
  /** How many characters from `start` are the public prefix of its kind. */
  readonly shown: number
}

/** Finds likely secrets, ascending and without overlaps. */
export const secretsIn = (text: string): ReadonlyArray<Secret> => {
  const found = rules.flatMap((rule) => Array.from(text.matchAll(rule.pattern), (match) => secretOf(rule, match)))
  const kept: Array<Secret> = []
  for (const secret of found.filter((one) => one !== undefined).sort(byPlace)) {
    if (secret.start >= (kept.at(-1)?.end ?? 0)) kept.push(secret)
  }
  return kept
}

/** The text from `from` to `to` with every secret replaced; a secret that begins before `from` shows nothing. */
export const redacted = (
  text: string,
  secrets: ReadonlyArray<Secret>,
  { from, to }: { readonly from: number; readonly to: number }
): string => {
  let at = from
  let shown = ""
  for (const secret of secrets) {
    if (secret.end <= from) continue
    if (secret.start >= to) break
    shown += text.slice(at, Math.max(at, secret.start))
    shown += secret.start >= from ? text.slice(secret.start, secret.start + secret.shown) : ""
    shown += mark
    at = Math.min(secret.end, to)
  }
  return shown + text.slice(at, to)
}

/** Replaces a secret. */
export const mark = "[redacted]"

interface Rule {
  readonly name: string
  /** The first group is the secret. */
  readonly pattern: RegExp
  readonly shown: number
  /** Matches only values that look random: settings also contain words, names of variables and examples. */
  readonly onlyRandom?: boolean
}

const rules: ReadonlyArray<Rule> = [
  { name: "private-key", pattern: /(-----BEGIN (?:[A-Z]{1,20} ){0,3}PRIVATE KEY-----[^\n]{0,8000})/dg, shown: 11 },
  { name: "aws-access-key", pattern: /\b((?:AKIA|ASIA)[0-9A-Z]{16})\b/dg, shown: 4 },
  { name: "github-token", pattern: /\b(gh[pousr]_[A-Za-z0-9]{36,255})\b/dg, shown: 4 },
  { name: "github-token", pattern: /\b(github_pat_[A-Za-z0-9_]{22,255})\b/dg, shown: 11 },
  { name: "gitlab-token", pattern: /\b(glpat-[A-Za-z0-9_-]{20,64})/dg, shown: 6 },
  { name: "npm-token", pattern: /\b(npm_[A-Za-z0-9]{36})\b/dg, shown: 4 },
  { name: "slack-token", pattern: /\b(xox[abeprs]-[A-Za-z0-9-]{10,250})/dg, shown: 5 },
  { name: "google-api-key", pattern: /\b(AIza[0-9A-Za-z_-]{35})/dg, shown: 4 },
  { name: "stripe-key", pattern: /\b([rs]k_live_[0-9A-Za-z]{16,250})\b/dg, shown: 8 },
  { name: "api-key", pattern: /\b(sk-[A-Za-z0-9_-]{20,250})/dg, shown: 3, onlyRandom: true },
  {
    name: "json-web-token",
    pattern: /\b(eyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{10,2000})/dg,
    shown: 3
  },
  {
    name: "url-password",
    pattern: /\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s:@/"'`]{1,100}:([^\s@/"'`]{3,200})@/dgi,
    shown: 0
  },
  {
    name: "assigned-secret",
    pattern:
      /(?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key)["'`]?[ \t]{0,8}(?:=>|:=|[:=])[ \t]{0,8}["'`]([^\s"'`]{8,250})["'`]/dgi,
    shown: 0,
    onlyRandom: true
  },
  {
    name: "assigned-secret",
    pattern:
      /^(?:export )?[A-Z0-9_]{0,60}(?:PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|ACCESS_?KEY)=([^\s"'`#]{8,250})[ \t\r]*$/dgm,
    shown: 0,
    onlyRandom: true
  }
]

const secretOf = (rule: Rule, match: RegExpMatchArray): Secret | undefined => {
  const [start, end] = match.indices?.[1] ?? [0, 0]
  const value = match[1] ?? ""
  if (placeholder.test(value) || (rule.onlyRandom === true && !looksRandom(value.slice(rule.shown)))) return undefined
  return { rule: rule.name, start, end, shown: rule.shown }
}

const byPlace = (a: Secret, b: Secret): number => a.start - b.start || b.end - a.end

/** Placeholders: values that refer to a secret elsewhere, or to none. */
const placeholder = /^(?:\$|<|\{|%|\*|process\.env|import\.meta|os\.environ|env\.|change[-_]?me|your[-_]|x{4})/i

const looksRandom = (value: string): boolean => /[0-9]/.test(value) && /[A-Za-z]/.test(value)
