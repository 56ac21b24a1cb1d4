/**
 * What the build packs: the page and the chart's layout thread, each into a module, the command line into one program, and what is
 * published under `holdfast` and its subpaths into a few modules that share what they have in common.
 *
 * An installed package then needs nothing of what only page and command line use, a bundle of a host has the page in it, and a program
 * that imports the library opens a dozen files instead of two hundred.
 *
 * Invariant: what is packed in is listed in `dist/THIRD-PARTY.txt`, with its licence.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import type { BuildOptions, Metafile, Plugin } from "esbuild"
import { build } from "esbuild"
import { projectRoot } from "../projectRoot.ts"

const dist = join(projectRoot, "dist")
const packed = "src/inspector/packed"

const commandLine = join(dist, "holdfast.js")

/** Where the modules are that a program imports: the declarations and the sources they map to stay where the compiler put them. */
const library = "lib"

/** Packs all of it, after the compiler. */
export const pack = async (): Promise<void> => {
  for (const path of stale(dist)) rmSync(path)
  await packLibrary()
  const page = await text({ entryPoints: [join(dist, "src/inspector/page/main.js")], format: "esm", target: "es2022" })
  const layout = await text({
    entryPoints: [join(dist, "src/inspector/charts/layoutWorker.js")],
    // The thread runs a text, which is no module.
    format: "cjs",
    platform: "node"
  })
  const written = ["index.html", "style.css", "icon.svg"].map(
    (name) => [name, readFileSync(join(projectRoot, "src/inspector/page/files", name), "utf8")] as const
  )
  const files = Object.fromEntries([...written, ["main.js", page.text] as const])
  put(join(dist, packed, "page.js"), `export const files = ${JSON.stringify(files)}\n`)
  put(join(dist, packed, "layout.js"), `export const script = ${JSON.stringify(layout.text)}\n`)

  const main = await text({
    entryPoints: [join(dist, "src/cli/main.js")],
    format: "esm",
    platform: "node",
    target: "node20",
    plugins: [commandsBeside]
  })
  put(commandLine, main.text, 0o755)
  // All but the version, which is answered without it; what only a server needs is in a file of its own.
  const program = await bundled({
    entryPoints: { commands: join(dist, "src/cli/start.js") },
    outdir: dist,
    splitting: true,
    chunkNames: "commands-[hash]",
    format: "esm",
    platform: "node",
    target: "node20",
    external: ["better-sqlite3", "pg-native"],
    plugins: [beside("./")],
    // Packages that are no modules ask for others by `require`. A short name may be that of something packed.
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);'
    }
  })
  // The parts first: a program that starts meanwhile finds those that it names.
  const parts = program.outputFiles.toSorted((one, other) => other.path.length - one.path.length)
  for (const part of parts) put(part.path, part.text)
  for (const name of readdirSync(dist)) {
    const path = join(dist, name)
    if (/^commands-\w+\.js$/.test(name) && !parts.some((part) => part.path === path)) rmSync(path)
  }
  put(join(dist, "THIRD-PARTY.txt"), licencesOf([page.metafile, layout.metafile, program.metafile]))
}

/** The compiled files in a folder whose source is gone: the compiler leaves them there, and the package would have them. */
export const stale = (folder: string): ReadonlyArray<string> =>
  ["src", "machines"].flatMap((part) =>
    readdirSync(join(folder, part), { recursive: true, encoding: "utf8" }).flatMap((name) => {
      const [, source] = /^(.*?)\.(?:d\.ts|js)(?:\.map)?$/.exec(name) ?? []
      const isLeft =
        source !== undefined &&
        !["ts", "tsx", "d.ts"].some((of) => existsSync(join(projectRoot, part, `${source}.${of}`)))
      return isLeft ? [join(folder, part, name)] : []
    })
  )

/** What the command line starts with once it is asked for more than its version. */
const commandsBeside: Plugin = {
  name: "commands are a file of their own",
  setup: ({ onResolve }) => onResolve({ filter: /\/start\.js$/ }, () => ({ path: "./commands.js", external: true }))
}

/** What is packed on its own stays on its own; `toDist` leads there from where it is asked for. */
const beside = (toDist: "./" | "../"): Plugin => ({
  name: "packed modules stay beside the program",
  setup: ({ onResolve }) =>
    onResolve({ filter: /\/packed\/\w+\.js$/ }, ({ path }) => ({
      path: `${toDist}${packed}/${path.slice(path.lastIndexOf("/") + 1)}`,
      external: true
    }))
})

/**
 * Writes a module for each one that package.json publishes. What two of them need is in a third, so that a class or a tag exists once
 * whichever of them a program imports. Packages stay outside, names are kept, and maps lead to the sources.
 */
const packLibrary = async (): Promise<void> => {
  const { exports } = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8")) as {
    readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>
  } // the field is Node's
  const published = Object.values(exports).flatMap((target) => (typeof target === "string" ? [] : [target]))
  const outdir = join(dist, library)
  const { outputFiles } = await build({
    entryPoints: published.map(({ types, default: path }) => ({
      in: join(projectRoot, types.replace(".d.ts", ".js")),
      out: relative(outdir, join(projectRoot, path)).replace(/\.js$/, "")
    })),
    outdir,
    bundle: true,
    splitting: true,
    chunkNames: "shared-[hash]",
    format: "esm",
    platform: "node",
    target: "node20",
    packages: "external",
    plugins: [beside("../")],
    sourcemap: true,
    sourcesContent: false,
    write: false,
    logLevel: "error",
    absWorkingDir: projectRoot
  })
  const written = new Set(outputFiles.map(({ path }) => path))
  // The shared ones first: a program that starts meanwhile finds those that it names.
  const isEntry = (path: string): number => (path.includes("shared-") ? 0 : 1)
  for (const { path, text } of outputFiles.toSorted((one, other) => isEntry(one.path) - isEntry(other.path)))
    put(path, withoutBareImports(text))
  for (const name of readdirSync(outdir)) {
    const path = join(outdir, name)
    if (/^shared-\w+\.js(\.map)?$/.test(name) && !written.has(path)) rmSync(path)
  }
}

/**
 * The bundler names parts for their effects alone, and package.json says that there are none: another bundler warns of that. Lines
 * stay where the map has them.
 */
const withoutBareImports = (module: string): string => module.replaceAll(/^import "\.\/shared-\w+\.js";$/gm, "")

const text = async (options: BuildOptions): Promise<{ readonly text: string; readonly metafile: Metafile }> => {
  const { outputFiles, metafile } = await bundled(options)
  return { text: outputFiles.map((file) => file.text).join(""), metafile }
}

const bundled = (options: BuildOptions) =>
  build({
    ...options,
    bundle: true,
    minify: true,
    keepNames: options.platform === "node",
    legalComments: "inline",
    logLevel: "error",
    write: false,
    metafile: true,
    absWorkingDir: projectRoot
  })

/** A program that starts meanwhile reads the old file or the new one. */
const put = (path: string, content: string, mode = 0o644): void => {
  mkdirSync(dirname(path), { recursive: true })
  const made = `${path}-${process.pid}`
  writeFileSync(made, content, { mode })
  renameSync(made, path)
}

const licencesOf = (metafiles: ReadonlyArray<Metafile>): string => {
  const inputs = metafiles.flatMap((metafile) => Object.keys(metafile.inputs))
  const folders = new Set(inputs.flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []))
  const parts = [...folders].toSorted().map((folder) => {
    const at = join(projectRoot, folder)
    const { name, version, license } = JSON.parse(readFileSync(join(at, "package.json"), "utf8")) as {
      readonly [field: string]: string // npm requires the three of what is published
    }
    const file = readdirSync(at).find((one) => /^licen[cs]e/i.test(one))
    const words = file === undefined ? `Licence: ${license}` : readFileSync(join(at, file), "utf8").trim()
    return `${name} ${version} (${license}), https://www.npmjs.com/package/${name}\n\n${words}\n`
  })
  return `Parts of these packages are inside dist/commands*.js and dist/${packed}.\n\n${parts.join(`\n${"-".repeat(72)}\n\n`)}`
}
