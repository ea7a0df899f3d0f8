import { realpathSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { root } from '../../../scripts/packages.mjs'

/** What a project of our users has: the strictest settings, and declarations of libraries are checked, too. */
const consumer: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: false,
  noEmit: true,
}

export const resolutions = {
  nodenext: { module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext },
  bundler: { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler },
} satisfies Record<string, ts.CompilerOptions>

export const platforms = {
  browser: { lib: ['lib.es2022.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts', 'lib.dom.asynciterable.d.ts'], types: [] },
  node: { lib: ['lib.es2022.d.ts'], types: ['node'], typeRoots: [join(root, 'node_modules/@types')] },
} satisfies Record<string, ts.CompilerOptions>

/** Complaints of the compiler about these files and what they import, as far as it is below `folder`, as text. */
export async function complaints(files: readonly string[], folder: string, options: ts.CompilerOptions): Promise<string[]> {
  const program = ts.createProgram([...files], { ...consumer, ...options })
  const found = [...program.getOptionsDiagnostics(), ...program.getGlobalDiagnostics()]
  const own = realpathSync.native(folder).replaceAll('\\', '/')
  for (const file of program.getSourceFiles()) {
    if (!realpathSync.native(file.fileName).replaceAll('\\', '/').startsWith(own)) continue
    found.push(...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file))
    await turn()
  }
  return found.map(({ file, start, messageText }) => {
    const line = file && start !== undefined ? file.getLineAndCharacterOfPosition(start).line + 1 : 0
    return `${file?.fileName ?? ''}:${line} ${ts.flattenDiagnosticMessageText(messageText, ' ')}`
  })
}

/** Lets the event loop turn: a worker of the test runner that does not answer for long is given up. */
export const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))
