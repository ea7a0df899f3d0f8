import { join } from 'node:path'
import ts from 'typescript'
import { type Sample } from './extract.ts'

/** What the compiler says about TypeScript samples that are in `folder` (with node_modules), under the settings of this repository. */
export function typeProblems(files: readonly string[], environment: 'web' | 'node', folder: string): string[] {
  const web = environment === 'web'
  const program = ts.createProgram([...files], {
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts', ...(web ? ['lib.dom.d.ts', 'lib.dom.iterable.d.ts'] : [])],
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    moduleDetection: ts.ModuleDetectionKind.Force,
    customConditions: ['cometmq-source'],
    allowImportingTsExtensions: true,
    noEmit: true,
    skipLibCheck: true,
    typeRoots: [join(folder, 'node_modules/@types')],
    types: web ? [] : ['node'],
  })
  return files.flatMap(file => {
    const source = program.getSourceFile(file)
    if (!source) return [`${file} was not read`]
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]
    return found.map(({ start = 0, messageText }) => {
      const { line } = source.getLineAndCharacterOfPosition(start)
      return `${file}:${line + 1}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`
    })
  })
}

export const environmentOf = ({ run }: Sample): 'web' | 'node' => (run === 'node' ? 'node' : 'web')
