/**
 * Writes the API report: every name that the package exports, with its signature, so that a change of it shows in a diff.
 *
 * Declarations are the compiler's own, without comments. Private members of a module are left out.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import ts from "typescript"

/** The report of a package: one section for each entry of its `exports`, one block for each module in it. */
export const apiReport = (root: string): string => {
  const entries = entriesOf(root)
  const declarations = declarationsOf(
    root,
    entries.map(({ source }) => source)
  )
  const shown = new Map<string, string>()
  const sections = entries.map(({ name, source }) => {
    const blocks = modulesOf(declarations, source).map(({ heading, text }) => {
      const before = shown.get(text)
      if (before !== undefined) return `### ${heading}\n\nAs in \`${before}\`.\n`
      shown.set(text, name)
      return `### ${heading}\n\n\`\`\`ts\n${text}\n\`\`\`\n`
    })
    return `## ${name}\n\n${blocks.join("\n")}`
  })
  return `${intro}\n${sections.join("\n")}`
}

const intro = `# API report

Every name that the package exports, with its signature. \`npm run codegen\` writes this page; a test compares it.
`

interface Entry {
  readonly name: string
  readonly source: string
}

const entriesOf = (root: string): ReadonlyArray<Entry> => {
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    readonly exports: Readonly<Record<string, string | { readonly default: string }>>
  }
  return Object.entries(exports).flatMap(([path, target]) =>
    typeof target === "string"
      ? []
      : [{ name: `holdfast${path.slice(1)}`, source: target.default.replace("./dist/", "").replace(/\.js$/, ".ts") }]
  )
}

/** What the compiler declares of each file that the entries reach, by its path from the root. */
const declarationsOf = (root: string, sources: ReadonlyArray<string>): ReadonlyMap<string, ts.SourceFile> => {
  const { config } = ts.readConfigFile(join(root, "tsconfig.json"), (path) => ts.sys.readFile(path))
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root)
  const program = ts.createProgram(
    sources.map((source) => join(root, source)),
    { ...options, noEmit: false, declaration: true, emitDeclarationOnly: true, removeComments: true, sourceMap: false }
  )
  const files = new Map<string, ts.SourceFile>()
  program.emit(undefined, (path, text, _mark, _error, from) => {
    const [file] = from ?? []
    if (file === undefined || !path.endsWith(".d.ts")) return
    const source = file.fileName.slice(root.length).replace(/^\//, "")
    files.set(source, ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true))
  })
  return files
}

interface Module {
  readonly heading: string
  readonly text: string
}

const modulesOf = (files: ReadonlyMap<string, ts.SourceFile>, source: string): ReadonlyArray<Module> => {
  const file = files.get(source)
  if (file === undefined) throw new Error(`package.json exports ${source}, which the compiler does not reach`)
  const own = exportedText(file)
  const listed = file.statements.filter(ts.isExportDeclaration).flatMap((statement) => {
    const { exportClause, moduleSpecifier } = statement
    const target = moduleSpecifier === undefined ? undefined : pathOf(source, moduleSpecifier)
    const module = target === undefined ? undefined : files.get(target)
    if (module === undefined || exportClause === undefined) return []
    if (ts.isNamespaceExport(exportClause)) return [{ heading: exportClause.name.text, text: exportedText(module) }]
    const names = exportClause.elements.map(({ name, propertyName }) => (propertyName ?? name).text)
    return [
      { heading: exportClause.elements.map(({ name }) => name.text).join(", "), text: exportedText(module, names) }
    ]
  })
  return [...(own === "" ? [] : [{ heading: source, text: own }]), ...listed]
}

const pathOf = (source: string, specifier: ts.Expression): string =>
  join(source, "..", (specifier as ts.StringLiteral).text.replace(/\.js$/, ".ts")) // an export is from a literal

const printer = ts.createPrinter({ removeComments: true })

const exportedText = (file: ts.SourceFile, only?: ReadonlyArray<string>): string =>
  file.statements
    .filter(
      (statement) => isExported(statement) && (only === undefined || namesOf(statement).some((n) => only.includes(n)))
    )
    .map((statement) => {
      const text = printer.printNode(ts.EmitHint.Unspecified, statement, file).replaceAll(/^export (declare )?/g, "")
      // A schema's inferred type is long, and a function's signature is one line: a change of either shows as one line.
      return ts.isVariableStatement(statement) || ts.isTypeAliasDeclaration(statement)
        ? text.replaceAll(/\s+/g, " ")
        : text
    })
    .join("\n")

const isExported = (statement: ts.Statement): boolean =>
  ts.canHaveModifiers(statement) &&
  (ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) ?? false)

const namesOf = (statement: ts.Statement): ReadonlyArray<string> => {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.map(({ name }) => name.getText())
  }
  const { name } = statement as ts.DeclarationStatement // what else is exported declares one name
  return name === undefined ? [] : [name.getText()]
}
