import { spawn } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { build } from 'esbuild'
import { root, type Sample } from './extract.ts'
import { type Server } from './server.ts'

/** Everything that a program printed; rejects when it failed. SIGTERM: it told itself to stop. */
export function output(
  command: string,
  args: readonly string[],
  { env = {}, cwd }: { env?: Record<string, string>; cwd?: string } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1', ...env },
      ...(cwd !== undefined && { cwd }),
    })
    let text = ''
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (part: string) => (text += part))
    child.on('error', reject)
    child.on('close', (code, signal) => {
      if (code === 0 || signal === 'SIGTERM') resolve(text)
      else reject(new Error(`${command} ended with ${signal ?? code}:\n${text.slice(-4_000)}`))
    })
  })
}

/** Writes the files of a sample into a folder where the names of packages mean those of the workspace. */
export function write(folder: string, { files, file, code }: Sample, server: Server): string {
  mkdirSync(folder, { recursive: true })
  for (const [name, content] of [...files, [file, code] as const]) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), server.here(content))
  }
  if (!files.has('package.json')) writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  return join(folder, file)
}

/** One ES module of the sample and the sources of the SDK. */
export async function bundle(entry: string, platform: 'node' | 'neutral'): Promise<string> {
  const outfile = entry.replace(/\.\w+$/, '.bundle.mjs')
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    format: 'esm',
    target: 'es2022',
    platform,
    ...(platform === 'neutral' && { mainFields: ['module', 'main'] }),
    conditions: ['cometmq-source'],
    external: ['ws', 'isomorphic-ws', 'fzstd', 'lz4-napi', 'lz4js', '@bokuweb/zstd-wasm'],
    logLevel: 'silent',
  })
  return outfile
}

const bin = (name: string): string => join(root, 'node_modules/.bin', name)

/** Node.js, Deno or Bun, in the folder of the server. */
export async function runProgram(sample: Sample, folder: string, server: Server): Promise<string> {
  const script = await bundle(write(folder, sample, server), sample.run === 'node' ? 'node' : 'neutral')
  const cwd = server.folder
  if (sample.run === 'deno') return output(bin('deno'), ['run', '--allow-net', '--no-config', '--no-lock', script], { cwd })
  return output(sample.run === 'bun' ? bin('bun') : process.execPath, [script], { cwd })
}
