// Declarations of all libraries: folder/src/x.ts → folder/dist/x.d.ts, as far as they can be reached from what the package exports.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import ts from 'typescript'
import { entriesOf, libraries, root } from './packages.mjs'

const specifier = /(\bfrom |\bimport\()(["'])(\.[^"'\n]*)\.ts\2/g
/** TypeScript leaves `./x.ts` as it is; outside of this workspace it is `./x.js`. */
const renamed = text => text.replace(specifier, '$1$2$3.js$2')

/** Projects of users have no names for explicit resource management unless they ask for them. */
const withLibrary = text =>
  /\b(?:Async)?Disposable\b|\bSymbol\.(?:asyncDispose|dispose)\b/.test(text)
    ? `/// <reference lib="esnext.disposable" />\n${text}`
    : text

/** @returns {Map<string, string>} path of the declaration from the root, beside its source → text */
function emit(files) {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.base.json'), path => readFileSync(path, 'utf8'))
  const { options, errors } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root)
  if (errors.length > 0) throw new Error(errors[0].messageText.toString())
  const declared = new Map()
  const program = ts.createProgram(files, {
    ...options,
    noEmit: false,
    declaration: true,
    emitDeclarationOnly: true,
    // Whether the sources are right is what `npm run types` finds out.
    noCheck: true,
    rootDir: root,
    outDir: root,
  })
  const { diagnostics } = program.emit(undefined, (path, text) => declared.set(relative(root, path), withLibrary(renamed(text))))
  const [first] = diagnostics
  if (first) throw new Error(`${first.file?.fileName}: ${ts.flattenDiagnosticMessageText(first.messageText, '\n')}`)
  return declared
}

/** Paths of the declarations that those of `entries` need. */
function reachable(declared, entries) {
  const found = new Set(entries)
  for (const path of found) {
    const text = declared.get(path)
    if (text === undefined) throw new Error(`no declarations were made for ${path}`)
    for (const [, , , target] of text.matchAll(/(\bfrom |\bimport\()(["'])(\.[^"'\n]*)\.js\2/g))
      found.add(`${join(dirname(path), target)}.d.ts`)
  }
  return found
}

export function writeTypes() {
  const entries = libraries.flatMap(({ folder }) => Object.values(entriesOf(folder)))
  const declared = emit(entries.map(path => join(root, path)))
  for (const { folder } of libraries) removeOld(join(root, folder, 'dist'))
  for (const path of reachable(
    declared,
    entries.map(entry => entry.replace(/\.ts$/, '.d.ts')),
  )) {
    const target = join(root, path.replace(/(^|\/)src\//, '$1dist/'))
    mkdirSync(dirname(target), { recursive: true })
    writeFileSync(target, declared.get(path))
  }
}

function removeOld(dist) {
  mkdirSync(dist, { recursive: true })
  for (const name of readdirSync(dist, { recursive: true })) if (name.endsWith('.d.ts')) rmSync(join(dist, name))
}
