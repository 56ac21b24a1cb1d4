/**
 * What the Effect language service finds in the whole project, as a program: one look at one program.
 *
 * The tool's own command reads the project anew for every 50 files, which takes most of its time.
 *
 * usage: node dist/test/support/effectDiagnostics.js; exit code 1 where it finds an error or a warning
 */
import { createRequire } from "node:module"
import { join } from "node:path"
import ts from "typescript"
import { projectRoot } from "./projectRoot.ts"

/** The plugin, as TypeScript's server starts it. */
type Plugin = (modules: { readonly typescript: typeof ts }) => {
  readonly create: (info: {
    readonly languageService: ts.LanguageService
    readonly languageServiceHost: ts.LanguageServiceHost
    readonly config: unknown
    readonly project: { readonly log: (line: string) => void }
  }) => ts.LanguageService
}

const name = "@effect/language-service"
const { config, error } = ts.readConfigFile(join(projectRoot, "tsconfig.json"), ts.sys.readFile)
if (error !== undefined) throw new Error(ts.flattenDiagnosticMessageText(error.messageText, "\n"))
const { options, fileNames } = ts.parseJsonConfigFileContent(config, ts.sys, projectRoot)
const plugins = (config.compilerOptions?.plugins ?? []) as ReadonlyArray<{ readonly name: string }> // as the file has it
const entry = plugins.find((plugin) => plugin.name === name)
if (entry === undefined) throw new Error(`tsconfig.json has no plugin ${name}: nothing would be checked`)

const host: ts.LanguageServiceHost = {
  getCompilationSettings: () => options,
  getScriptFileNames: () => fileNames,
  getScriptVersion: () => "1",
  getScriptSnapshot: (path) => {
    const text = ts.sys.readFile(path)
    return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text)
  },
  getCurrentDirectory: () => projectRoot,
  getDefaultLibFileName: ts.getDefaultLibFilePath,
  fileExists: ts.sys.fileExists,
  readFile: ts.sys.readFile,
  readDirectory: ts.sys.readDirectory,
  directoryExists: ts.sys.directoryExists,
  getDirectories: ts.sys.getDirectories,
  ...(ts.sys.realpath === undefined ? {} : { realpath: ts.sys.realpath })
}
const plain = ts.createLanguageService(host)
const init = createRequire(import.meta.url)(`${name}/index.js`) as Plugin // as TypeScript's server loads it
const service = init({ typescript: ts }).create({
  // What the compiler itself finds, `tsc` has said.
  languageService: { ...plain, getSemanticDiagnostics: () => [] },
  languageServiceHost: host,
  config: entry,
  project: { log: () => {} }
})

const all = fileNames.flatMap((file) => service.getSemanticDiagnostics(file))
const found = all.filter(({ category }) => category <= ts.DiagnosticCategory.Error)
for (const { file, start = 0, messageText } of found) {
  const place = file === undefined ? "" : `${file.fileName.slice(projectRoot.length + 1)}:${lineOf(file, start)}: `
  console.error(place + ts.flattenDiagnosticMessageText(messageText, "\n"))
}
console.log(
  `${fileNames.length} files: ${found.length} findings of the Effect language service, ${all.length - found.length} remarks`
)
process.exitCode = found.length === 0 ? 0 : 1

function lineOf(file: ts.SourceFile, at: number): number {
  return file.getLineAndCharacterOfPosition(at).line + 1
}
