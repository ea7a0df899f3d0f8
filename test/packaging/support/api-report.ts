import { Extractor, ExtractorConfig, ExtractorLogLevel } from '@microsoft/api-extractor'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../../../scripts/packages.mjs'

/** The exported declarations of one entry of a package, sorted, as API Extractor writes them. `entry`: path in dist without ending. */
export function apiReport(folder: string, entry: string, workFolder: string): string {
  const declarations = join(root, folder, 'dist', `${entry}.d.ts`)
  const none = { logLevel: ExtractorLogLevel.None }
  const config = ExtractorConfig.prepare({
    configObject: {
      projectFolder: join(root, folder),
      mainEntryPointFilePath: declarations,
      compiler: { overrideTsconfig: { compilerOptions, files: [declarations] } },
      apiReport: { enabled: true, reportFileName: 'report', reportFolder: workFolder, reportTempFolder: workFolder },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      newlineKind: 'lf',
      messages: {
        compilerMessageReporting: { default: { logLevel: ExtractorLogLevel.Error } },
        extractorMessageReporting: { default: none },
        tsdocMessageReporting: { default: none },
      },
    },
    configObjectFullPath: undefined,
    packageJsonFullPath: join(root, folder, 'package.json'),
  })
  const faults: string[] = []
  Extractor.invoke(config, {
    localBuild: true,
    messageCallback(message) {
      if (message.logLevel === ExtractorLogLevel.Error) faults.push(message.text)
      message.handled = true
    },
  })
  if (faults.length > 0) throw new Error(faults.join('\n'))
  return readFileSync(join(workFolder, 'report.api.md'), 'utf8')
}

const compilerOptions = {
  target: 'es2022',
  lib: ['es2022', 'esnext.disposable', 'dom'],
  module: 'nodenext',
  moduleResolution: 'nodenext',
  strict: true,
  skipLibCheck: true,
  types: ['node'],
  typeRoots: [join(root, 'node_modules/@types')],
}
