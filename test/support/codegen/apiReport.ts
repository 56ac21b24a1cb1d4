/**
 * Writes the API report: every name that the package exports, with its signature, so that a change of it shows in a diff.
 *
 * Declarations are the compiler's own, without comments. Private members of a module are left out.
 */
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import ts from "typescript"

/** The report of a package: one section for each entry of its `exports`, one block for each module in it. */
export const apiReport = (root: string): string => {
  const entries = entriesOf(root)
  const declarationOf = declarationsIn(root)
  const shown = new Map<string, string>()
  const sections = entries.map(({ name, source }) => {
    const blocks = modulesOf(declarationOf, source).map(({ heading, text }) => {
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
    readonly exports: Readonly<Record<string, string | { readonly types: string }>>
  }
  return Object.entries(exports).flatMap(([path, target]) =>
    typeof target === "string"
      ? []
      : [{ name: `holdfast${path.slice(1)}`, source: target.types.replace("./dist/", "").replace(/\.d\.ts$/, ".ts") }]
  )
}

/** What the compiler declared of a file when the package was built, by its path from the root. */
const declarationsIn = (root: string): ((source: string) => ts.SourceFile | undefined) => {
  const files = new Map<string, ts.SourceFile | undefined>()
  const read = (source: string): ts.SourceFile | undefined => {
    const path = join(root, "dist", source.replace(/\.ts$/, ".d.ts"))
    return existsSync(path)
      ? ts.createSourceFile(path, readFileSync(path, "utf8"), ts.ScriptTarget.Latest, true)
      : undefined
  }
  return (source) => {
    if (!files.has(source)) files.set(source, read(source))
    return files.get(source)
  }
}

interface Module {
  readonly heading: string
  readonly text: string
}

const modulesOf = (
  declarationOf: (source: string) => ts.SourceFile | undefined,
  source: string
): ReadonlyArray<Module> => {
  const file = declarationOf(source)
  if (file === undefined) throw new Error(`package.json exports ${source}, which the compiler has not built`)
  const own = exportedText(file)
  const listed = file.statements.filter(ts.isExportDeclaration).flatMap((statement) => {
    const { exportClause, moduleSpecifier } = statement
    const target = moduleSpecifier === undefined ? undefined : pathOf(source, moduleSpecifier)
    const module = target === undefined ? undefined : declarationOf(target)
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
      const [sorted = statement] = ts.transform(statement, [inOrder(file)]).transformed
      const text = printer.printNode(ts.EmitHint.Unspecified, sorted, file).replaceAll(/^export (declare )?/g, "")
      // A schema's inferred type is long, and a function's signature is one line: a change of either shows as one line.
      return ts.isVariableStatement(statement) || ts.isTypeAliasDeclaration(statement)
        ? text.replaceAll(/\s+/g, " ")
        : text
    })
    .join("\n")

/**
 * Sorts the members of inferred objects and unions: the compiler writes them in the order in which it met them, which depends on
 * what it compiled before.
 */
const inOrder =
  (file: ts.SourceFile): ts.TransformerFactory<ts.Statement> =>
  (context) => {
    const textOf = (node: ts.Node): string => printer.printNode(ts.EmitHint.Unspecified, node, file)
    const sorted = <N extends ts.Node>(nodes: ReadonlyArray<N>): ReadonlyArray<N> =>
      nodes.toSorted((one, other) => (textOf(one) < textOf(other) ? -1 : 1))
    const visit = (node: ts.Node): ts.Node => {
      const visited = ts.visitEachChild(node, visit, context)
      if (ts.isTypeLiteralNode(visited)) return ts.factory.createTypeLiteralNode(sorted(visited.members))
      return ts.isUnionTypeNode(visited) ? ts.factory.createUnionTypeNode(sorted(visited.types)) : visited
    }
    return (statement) => ts.visitEachChild(statement, visit, context)
  }

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
