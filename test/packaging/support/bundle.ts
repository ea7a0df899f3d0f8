import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { rollup } from 'rollup'
import { gzipSync } from 'node:zlib'
import { bundleOptions, moduleOutput } from '../../../rollup.config.mjs'
import { root } from '../../../scripts/packages.mjs'

/** Bytes after gzip -9, as budgets are given. */
export const gzipBytes = (code: string): number => gzipSync(code, { level: 9 }).length

export const builtBundle = (name: string): string => readFileSync(join(root, 'sdk-web/dist', name), 'utf8')

/** A file of an application with what it imports of ours: left out what it does not need, minified. */
export async function bundleOf(file: string): Promise<string> {
  const bundle = await rollup({ ...bundleOptions, input: file })
  const { output } = await bundle.generate(moduleOutput)
  await bundle.close()
  return output[0].code
}
