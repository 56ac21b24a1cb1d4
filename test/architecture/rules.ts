/**
 * The rules of the style guide that a program can hold, as data: each names itself, says which files it judges, and finds
 * what breaks it.
 *
 * Invariant: a rule on code judges its syntax, so that a comment or a string may mention what code may not use. Only the
 * rule on text reads everything.
 */
import ts from "typescript"
import type { Source } from "./sources.ts"

/** What breaks a rule: where, and how to say it. */
export interface Finding {
  readonly line: number
  readonly problem: string
}

/** A rule on single files. */
export interface Rule {
  readonly name: string
  readonly judges: (path: string) => boolean
  readonly findings: (source: Source) => ReadonlyArray<Finding>
}

/** Applies a rule to files; each finding as `path:line problem`. */
export const breaches = (rule: Rule, sources: ReadonlyArray<Source>): ReadonlyArray<string> =>
  sources
    .filter(({ path }) => rule.judges(path))
    .flatMap((source) => rule.findings(source).map(({ line, problem }) => `${source.path}:${line} ${problem}`))

/** What breaks each of some rules, by their names. Goes file by file, since reading a file's syntax is what takes time. */
export const breachesOf = (
  rules: ReadonlyArray<Rule>,
  sources: ReadonlyArray<Source>
): ReadonlyMap<string, ReadonlyArray<string>> => {
  const found = new Map<string, Array<string>>(rules.map(({ name }) => [name, []]))
  for (const source of sources) {
    for (const rule of rules) found.get(rule.name)?.push(...breaches(rule, [source]))
  }
  return found
}

const isScript = (path: string): boolean => /\.tsx?$/.test(path)
const isMachine = (path: string): boolean => isScript(path) && path.startsWith("machines/")
const isSource = (path: string): boolean => isScript(path) && /^src\/.*\//.test(path)
/** What runs in a browser has the browser's clock and timers, and no Effect. */
const isPage = (path: string): boolean => path.startsWith("src/inspector/page/")
const isTest = (path: string): boolean => isScript(path) && path.startsWith("test/")

const size = (name: string, judges: (path: string) => boolean, maxLines: number): Rule => ({
  name,
  judges,
  findings: ({ text }) => {
    const lines = text.split("\n").length - (text.endsWith("\n") ? 1 : 0)
    return lines > maxLines
      ? [{ line: maxLines + 1, problem: `has ${lines} lines, at most ${maxLines} are allowed` }]
      : []
  }
})

/** A rule that looks at each node of a file's syntax and answers with a problem, or with `undefined`. */
const onNodes = (
  name: string,
  judges: (path: string) => boolean,
  problemOf: (node: ts.Node, path: string) => string | undefined
): Rule => ({
  name,
  judges,
  findings: (source) => {
    const file = parse(source)
    const found: Array<Finding> = []
    const visit = (node: ts.Node): void => {
      const problem = problemOf(node, source.path)
      if (problem !== undefined) found.push({ line: lineOf(file, node), problem })
      ts.forEachChild(node, visit)
    }
    visit(file)
    return found
  }
})

const docstrings: Rule = {
  name: "every export has a docstring",
  judges: (path) => isMachine(path) || isSource(path),
  findings: (source) => {
    const file = parse(source)
    const listed = new Set(file.statements.flatMap(namesListedForExport))
    return file.statements
      .flatMap((statement, index) => {
        const exported = isExported(statement)
        const names = namesOf(statement).filter((name) => exported || listed.has(name))
        // A file opens with the comment of its module, which documents none of its exports.
        const comments = docCommentsOf(source.text, statement).slice(index === 0 ? 1 : 0)
        return comments.some(saysSomething) ? [] : names.map((name) => ({ statement, name }))
      })
      .map(({ statement, name }) => ({ line: lineOf(file, statement), problem: `exports ${name} without a docstring` }))
  }
}

const writtenOut = onNodes(
  "the signature of an exported function is written out",
  (path) => isMachine(path) || isSource(path),
  (node) => {
    if (ts.isFunctionDeclaration(node)) {
      return isExported(node) && node.type === undefined
        ? `exports ${node.name?.text} without its return type`
        : undefined
    }
    if (!ts.isVariableDeclaration(node) || !isExported(node.parent.parent)) return undefined
    const { initializer, type } = node
    if (initializer === undefined || type !== undefined) return undefined
    return isInferred(initializer) ? `exports ${node.name.getText()} without its return type` : undefined
  }
)

/** Whether a function leaves its answer to inference; one that answers with a written-out function does not. */
const isInferred = (node: ts.Node): boolean =>
  (ts.isArrowFunction(node) || ts.isFunctionExpression(node)) &&
  node.type === undefined &&
  (ts.isArrowFunction(node.body) ? isInferred(node.body) : true)

const actorWords = new Set(["invoke", "spawnChild", "sendTo", "sendParent", "emit", "enqueueActions", "createActor"])

/** `machines/xstate/step.ts` runs the machines: it needs an actor to stand in as `self`, and an `emit` that does nothing. */
const allowedInStep = new Set(["createActor", "emit"])

const pureMachines = onNodes("a machine decides, it never does", isMachine, (node, path) => {
  const word = nameOf(node)
  // It has what machines of a host consist of.
  const isOfHosts = path.startsWith("machines/chart/")
  if (word !== undefined && actorWords.has(word)) {
    if (isOfHosts) return undefined
    return path === "machines/xstate/step.ts" && allowedInStep.has(word) ? undefined : `uses ${word}`
  }
  if (ts.isPropertyAssignment(node) && keyOf(node.name) === "after" && !isOfHosts) return "uses after"
  return impureCallOf(node)
})

/** What an editor shows of a state as it is written; what moves it may be composed of named parts. */
const writtenAsText = new Set(["id", "initial", "type", "description"])

/** An editor reads a file and runs nothing: spreads, computed names and what another file has are not there for it. */
const openStates = onNodes("an editor finds the states of a machine in its file", isMachine, (node) => {
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return undefined
  if (node.expression.name.text !== "createMachine") return undefined
  return hiddenIn(node.arguments[0], "the machine")
})

/** What an editor could not find in a state, or in one below it. */
const hiddenIn = (state: ts.Expression | undefined, name: string): string | undefined => {
  if (state === undefined || !ts.isObjectLiteralExpression(state)) return `${name} is not written out`
  for (const property of state.properties) {
    const key = plainKeyOf(property)
    if (key === undefined || !ts.isPropertyAssignment(property)) return `${name} is composed of other parts`
    const value = property.initializer
    if (writtenAsText.has(key) && !ts.isStringLiteral(value)) return `${key} of ${name} is no plain text`
    if (key !== "states") continue
    if (!ts.isObjectLiteralExpression(value)) return `the states of ${name} are not written out`
    for (const inner of value.properties) {
      const innerName = plainKeyOf(inner)
      if (innerName === undefined) return `a state of ${name} has no plain name`
      const problem = hiddenIn(ts.isPropertyAssignment(inner) ? inner.initializer : undefined, innerName)
      if (problem !== undefined) return problem
    }
  }
  return undefined
}

const plainKeyOf = ({ name }: ts.ObjectLiteralElementLike): string | undefined =>
  name !== undefined && (ts.isIdentifier(name) || ts.isStringLiteral(name)) ? name.text : undefined

const ownedFibers = onNodes(
  "fibers, time and randomness come from Effect",
  (path) => isSource(path) && path !== "src/host/embed/createHost.ts" && !isPage(path),
  (node) => {
    if (ts.isPropertyAccessExpression(node) && node.name.text === "runFork") return "uses runFork"
    return impureCallOf(node)
  }
)

/**
 * A body and the effect of a step are interrupted by what runs them, and only when that loses nothing. What a test gives up may hang
 * where nothing interrupts it.
 */
const ownInterruption = new Set([
  "src/runtime/body/step.ts",
  "src/runtime/worker/ActivationActor.ts",
  "src/testing/bodies/Time.ts"
])

const daemons = onNodes(
  "only bodies and steps are daemons",
  (path) => isSource(path) && path !== "src/host/embed/createHost.ts" && !isPage(path) && !ownInterruption.has(path),
  (node) => (nameOf(node) === "forkDaemon" ? "uses forkDaemon" : undefined)
)

const noAny = onNodes(
  "any is for what XState does not document",
  (path) => isScript(path) && path !== "machines/xstate/step.ts" && path !== "machines/chart/scope.ts",
  (node) => (node.kind === ts.SyntaxKind.AnyKeyword ? "uses any" : undefined)
)

/** From here on a time is a bound of what should have ended, and no length that a test is about. Units: milliseconds. */
const leastBoundMs = 1_000

/**
 * `timeout(20_000)`, `timeout("10 seconds")` and `{ timeout: 20_000 }` fail on a machine that is slower than it was thought. Text as a
 * property may be a time limit that a body has.
 */
const scaledBounds = onNodes(
  "the bound of a wait in a test grows with the machine",
  (path) => isTest(path) && !path.startsWith("test/bench/"),
  (node) => {
    if (ts.isPropertyAssignment(node)) {
      return keyOf(node.name) === "timeout" && isLong(node.initializer) ? fixed(node.initializer) : undefined
    }
    const [bound] = ts.isCallExpression(node) && /\btimeout$/.test(node.expression.getText()) ? node.arguments : []
    return bound !== undefined && (isLong(bound) || ts.isStringLiteral(bound)) ? fixed(bound) : undefined
  }
)

/** A long time that is written out, alone or as a part of a sum or a product in which nothing grows with the machine. */
const isLong = (node: ts.Node): boolean => {
  if (ts.isParenthesizedExpression(node)) return isLong(node.expression)
  if (ts.isNumericLiteral(node)) return Number(node.text) >= leastBoundMs
  return ts.isBinaryExpression(node) && !/\bpatienceMs\b/.test(node.getText()) && [node.left, node.right].some(isLong)
}

const fixed = (bound: ts.Node): string => `waits for ${bound.getText()} on any machine`

/** A key that is written in place is in no space that is refused to others. What stores are tested with may say what it likes. */
const madeKeys = onNodes(
  "a replay key is made by a function of src/model/ids.ts",
  (path) => isSource(path) && path !== "src/model/ids.ts" && !path.startsWith("src/testing/"),
  (node) => {
    if (!ts.isPropertyAssignment(node) && !ts.isVariableDeclaration(node)) return undefined
    const { name, initializer } = node
    const isText = initializer !== undefined && (ts.isTemplateLiteral(initializer) || ts.isStringLiteral(initializer))
    return isText && name.getText() === "replayKey" ? `writes the replay key ${initializer.getText()}` : undefined
  }
)

const barrels: Rule = {
  name: "there are two barrels",
  judges: (path) => /(^|\/)index\.ts$/.test(path) && path !== "machines/index.ts" && path !== "src/index.ts",
  findings: () => [{ line: 1, problem: "is a third barrel" }]
}

const extensions = onNodes("relative imports end in .ts", isScript, (node) => {
  const target = importedBy(node)
  // What the build packs has no source.
  const isBuilt = target !== undefined && /\/packed\/\w+\.js$/.test(target)
  return target?.startsWith(".") === true && !/\.tsx?$/.test(target) && !isBuilt
    ? `imports ${target} without .ts`
    : undefined
})

const effectByModule = onNodes("Effect is imported by module", isScript, (node) => {
  const target = importedBy(node)
  const isWhole = target === "effect" || (target !== undefined && /^@effect\/[^/]+$/.test(target))
  // The test runner's package has no modules to choose from.
  return isWhole && target !== "@effect/vitest" ? `imports the whole of ${target}` : undefined
})

const machinePath = /(?:^|[^\w.])(\/(?:work|root)\/|\/(?:home|Users)\/\w|[A-Z]:\\\w)/
const registryHost =
  /(registry\.[\w-]+\.(?:com|org|net|io|dev)|npm\.pkg\.github\.com|\/\/[\w.-]*(?:registry|nexus|artifactory|verdaccio)[\w.-]*)/i

const portableText: Rule = {
  name: "no text names a place on one machine, or a registry",
  judges: (path) => /\.(tsx?|md|json)$/.test(path) && path !== "package-lock.json",
  findings: ({ text }) =>
    text.split("\n").flatMap((line, index) => {
      const path = machinePath.exec(line)?.[1]
      const host = registryHost.exec(line)?.[1]
      return [
        ...(path === undefined ? [] : [{ line: index + 1, problem: `names the machine path ${path}` }]),
        ...(host === undefined ? [] : [{ line: index + 1, problem: `names the registry ${host}` }])
      ]
    })
}

/**
 * Words that name no actor or no action: what is left of a sentence says who does what.
 *
 * `for ever` and the other pairs count across a line break, in a comment too.
 */
const unnamed = /\b(whoever|somebody|nobody|for[\s*]+ever|all[\s*]+the[\s*]+same|comes[\s*]+to|stands|told)\b/gi

/** Where prose is judged; a place is a file, or a folder with all that is in it. Generated pages follow `machines/`. */
const prosePlaces: ReadonlyArray<string> = ["README.md", "docs/", "machines/", "src/"]

const plainProse: Rule = {
  name: "prose names the actor",
  judges: (path) => /\.(tsx?|md)$/.test(path) && prosePlaces.some((place) => path.startsWith(place)),
  findings: ({ text }) =>
    [...text.matchAll(unnamed)].map(({ index, 0: words }) => ({
      line: text.slice(0, index).split("\n").length,
      problem: `says "${words.replace(/[\s*]+/g, " ")}"`
    }))
}

/** The folders with more files beside each other than `most`; folders below them do not count. */
export const crowded = (
  paths: ReadonlyArray<string>,
  { most, exempt = [] }: { readonly most: number; readonly exempt?: ReadonlyArray<string> }
): ReadonlyArray<string> => {
  const counts = new Map<string, number>()
  for (const path of paths.filter((each) => /^(src|machines)\//.test(each))) {
    const folder = path.slice(0, path.lastIndexOf("/"))
    counts.set(folder, (counts.get(folder) ?? 0) + 1)
  }
  return [...counts]
    .filter(([folder, count]) => count > most && !exempt.includes(folder))
    .map(([folder, count]) => `${folder} has ${count} files, at most ${most} are allowed`)
}

/** Every rule. */
export const rules: ReadonlyArray<Rule> = [
  size("a machine fits 250 lines", isMachine, 250),
  size("a source file fits 400 lines", isSource, 400),
  size("a test fits 500 lines", isTest, 500),
  docstrings,
  writtenOut,
  pureMachines,
  openStates,
  ownedFibers,
  daemons,
  noAny,
  scaledBounds,
  madeKeys,
  barrels,
  extensions,
  effectByModule,
  portableText,
  plainProse
]

/** The last file that was read: all rules look at one before the next. */
let parsed: { readonly source: Source; readonly file: ts.SourceFile } | undefined

const parse = (source: Source): ts.SourceFile => {
  if (parsed?.source !== source) {
    parsed = { source, file: ts.createSourceFile(source.path, source.text, ts.ScriptTarget.Latest, true) }
  }
  return parsed.file
}

const lineOf = (file: ts.SourceFile, node: ts.Node): number =>
  file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1

const isExported = (node: ts.Node): boolean =>
  ts.canHaveModifiers(node) &&
  (ts.getModifiers(node) ?? []).some((modifier) => modifier.kind === ts.SyntaxKind.ExportKeyword)

/** The names a statement declares; a re-export declares none, and is documented where it comes from. */
const namesOf = (statement: ts.Statement): ReadonlyArray<string> => {
  if (ts.isVariableStatement(statement)) return statement.declarationList.declarations.map(({ name }) => name.getText())
  if (
    ts.isFunctionDeclaration(statement) ||
    ts.isClassDeclaration(statement) ||
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement) ||
    ts.isEnumDeclaration(statement) ||
    ts.isModuleDeclaration(statement)
  ) {
    return [statement.name?.text ?? "default"]
  }
  return ts.isExportAssignment(statement) ? ["default"] : []
}

/** The local names of `export { a, b }`. */
const namesListedForExport = (statement: ts.Statement): ReadonlyArray<string> => {
  if (ts.isExportAssignment(statement)) return ["default"]
  if (!ts.isExportDeclaration(statement) || statement.moduleSpecifier !== undefined) return []
  const { exportClause } = statement
  return exportClause !== undefined && ts.isNamedExports(exportClause)
    ? exportClause.elements.map(({ name, propertyName }) => (propertyName ?? name).text)
    : []
}

const docCommentsOf = (text: string, node: ts.Node): ReadonlyArray<string> =>
  (ts.getLeadingCommentRanges(text, node.getFullStart()) ?? [])
    .map(({ pos, end }) => text.slice(pos, end))
    .filter((comment) => comment.startsWith("/**"))

const saysSomething = (comment: string): boolean => /\p{L}/u.test(comment)

/** The name a node is, or a quoted key stands for. */
const nameOf = (node: ts.Node): string | undefined => {
  if (ts.isIdentifier(node)) return node.text
  return ts.isStringLiteral(node) && ts.isPropertyAssignment(node.parent) && node.parent.name === node
    ? node.text
    : undefined
}

const keyOf = (name: ts.PropertyName): string | undefined =>
  ts.isIdentifier(name) || ts.isStringLiteral(name) ? name.text : undefined

const impure = new Set(["Date.now", "Math.random", "setTimeout", "setInterval"])

/** The clock, the dice or the timer that a node calls or hands on. */
const impureCallOf = (node: ts.Node): string | undefined => {
  if (ts.isPropertyAccessExpression(node) || ts.isIdentifier(node)) {
    const isName = "name" in node.parent && node.parent.name === node
    const word = node.getText()
    return impure.has(word) && !isName ? `uses ${word}` : undefined
  }
  return ts.isNewExpression(node) && node.expression.getText() === "Date" && (node.arguments ?? []).length === 0
    ? "uses new Date()"
    : undefined
}

/** What an import, a re-export, a dynamic import or an import type names. */
const importedBy = (node: ts.Node): string | undefined => {
  const named =
    ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
      ? node.moduleSpecifier
      : ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword
        ? node.arguments[0]
        : ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)
          ? node.argument.literal
          : undefined
  return named !== undefined && ts.isStringLiteralLike(named) ? named.text : undefined
}
