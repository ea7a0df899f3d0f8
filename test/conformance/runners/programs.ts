import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { CaseResult, Target } from '@cometmq/testkit/conformance'
import { bundle } from './bundle.ts'
import type { Runner } from './types.ts'

const bin = (name: string): string => fileURLToPath(new URL(`../../../node_modules/.bin/${name}`, import.meta.url))

function program(name: string, before: readonly string[]): Runner {
  return {
    name,
    missing: () => (existsSync(bin(name)) ? undefined : `the package \`${name}\` is not installed`),
    async run(target: Target, folder: string): Promise<CaseResult[]> {
      const script = await bundle('program', `${folder}/${name}.mjs`)
      const output = await outputOf(bin(name), [...before, script, JSON.stringify(target)])
      const line = output.split('\n').find(text => text.startsWith('RESULTS '))
      if (line === undefined) throw new Error(`${name} printed no results:\n${output.slice(-4000)}`)
      return JSON.parse(line.slice('RESULTS '.length)) as CaseResult[]
    },
  }
}

function outputOf(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let text = ''
    child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part))
    child.stderr.setEncoding('utf8').on('data', (part: string) => (text += part))
    child.on('error', reject)
    child.on('close', () => resolve(text))
  })
}

export const denoRunner = program('deno', ['run', '--allow-net', '--no-config', '--no-lock'])
export const bunRunner = program('bun', ['run'])
