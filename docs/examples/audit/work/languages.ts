/**
 * The language of a file, by its name alone.
 */
import { basename, extname } from "node:path"

/** The language of a text file with an unknown name. */
export const otherText = "Other text"

/** Names the language of a file; {@link otherText} if its name is unknown. */
export const languageOf = (path: string): string => {
  const name = basename(path).toLowerCase()
  return byName.get(name) ?? byExtension.get(extname(name).slice(1)) ?? otherText
}

const extensions: Readonly<Record<string, ReadonlyArray<string>>> = {
  "C / C++": ["c", "h", "cc", "cpp", "cxx", "hh", "hpp", "hxx"],
  "C#": ["cs"],
  Clojure: ["clj", "cljs", "cljc", "edn"],
  CSS: ["css", "scss", "sass", "less"],
  Dart: ["dart"],
  Elixir: ["ex", "exs"],
  Erlang: ["erl", "hrl"],
  "F#": ["fs", "fsx"],
  Go: ["go"],
  GraphQL: ["graphql", "gql"],
  Groovy: ["groovy", "gradle"],
  Haskell: ["hs"],
  HTML: ["html", "htm", "xhtml"],
  Java: ["java"],
  JavaScript: ["js", "jsx", "mjs", "cjs"],
  JSON: ["json", "jsonc", "json5", "jsonl", "map"],
  Julia: ["jl"],
  Kotlin: ["kt", "kts"],
  Lua: ["lua"],
  Markdown: ["md", "mdx", "markdown"],
  "Objective-C": ["m", "mm"],
  OCaml: ["ml", "mli"],
  Perl: ["pl", "pm"],
  PHP: ["php"],
  PowerShell: ["ps1", "psm1"],
  Properties: ["ini", "cfg", "conf", "properties", "env", "editorconfig"],
  "Protocol Buffers": ["proto"],
  Python: ["py", "pyi"],
  R: ["r", "rmd"],
  Ruby: ["rb", "rake", "gemspec"],
  Rust: ["rs"],
  Scala: ["scala", "sc"],
  Shell: ["sh", "bash", "zsh", "fish"],
  SQL: ["sql"],
  Svelte: ["svelte"],
  SVG: ["svg"],
  Swift: ["swift"],
  "Tabular text": ["csv", "tsv"],
  TeX: ["tex", "bib", "sty"],
  Terraform: ["tf", "tfvars", "hcl"],
  Text: ["txt", "text", "rst", "adoc", "log"],
  TOML: ["toml"],
  TypeScript: ["ts", "tsx", "mts", "cts"],
  Vue: ["vue"],
  XML: ["xml", "xsd", "xsl", "xslt", "plist"],
  YAML: ["yml", "yaml"],
  Zig: ["zig"]
}

const names: Readonly<Record<string, ReadonlyArray<string>>> = {
  CMake: ["cmakelists.txt"],
  Dockerfile: ["dockerfile", "containerfile"],
  "Ignore list": [".gitignore", ".dockerignore", ".npmignore", ".gitattributes"],
  JSON: [".prettierrc", ".eslintrc", ".babelrc"],
  Makefile: ["makefile", "gnumakefile"],
  Properties: [".env", ".npmrc", ".editorconfig", ".gitconfig"],
  Ruby: ["gemfile", "rakefile"],
  Text: ["license", "licence", "notice", "authors", "copying", "changelog", "readme"]
}

const inverted = (table: Readonly<Record<string, ReadonlyArray<string>>>): ReadonlyMap<string, string> =>
  new Map(Object.entries(table).flatMap(([language, keys]) => keys.map((key) => [key, language] as const)))

const byExtension = inverted(extensions)
const byName = inverted(names)
