import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('../../..', import.meta.url))

/** The suite and an SDK as one ES module without imports, for a runtime that has no file system or no packages. */
export async function bundle(entry: string, out: string): Promise<string> {
  await build({
    entryPoints: [fileURLToPath(new URL(`./entries/${entry}.ts`, import.meta.url))],
    outfile: out,
    bundle: true,
    format: 'esm',
    target: 'es2022',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    conditions: ['cometmq-source'],
    absWorkingDir: root,
    sourcemap: 'inline',
    logLevel: 'silent',
  })
  return out
}
