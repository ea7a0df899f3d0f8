import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { output } from './process.ts'

/** test/interop. */
export const folder = fileURLToPath(new URL('..', import.meta.url))
export const clientVersions = ['5.3.3', '5.5.0'] as const
export const brokerVersions = ['5.3.3', '5.5.1'] as const
const target = join(folder, 'java/target')

/** Class path of the driver with one version of the official client, its tools and what they need. */
export const clientClassPath = (version: string): string => `${target}/classes:${target}/client-${version}/*`
/** Class path of a real name server and broker. */
export const brokerClassPath = (version: string): string => `${target}/apache-${version}/*`
export const goBinary = join(folder, 'go/bin/interop')

/** '' when it can be used, else why not. */
export interface Available {
  java: string
  go: string
}

/** Builds and downloads what is missing; nothing is done when the sources are those of the last time. */
export async function build(): Promise<Available> {
  const [java, go] = await Promise.all([attempt(buildJava), attempt(buildGo)])
  return { java, go }
}

async function attempt(step: () => Promise<void>): Promise<string> {
  try {
    await step()
    return ''
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

async function buildJava(): Promise<void> {
  const version = await present('java', ['-version'])
  if (version !== '') throw new Error(`Java 17 is not there: ${version}`)
  const stamp = stampOf([
    'java/pom.xml',
    'apache/pom.xml',
    ...readdirSync(join(folder, 'java/src/main/java/interop')).map(f => `java/src/main/java/interop/${f}`),
  ])
  const stampFile = join(target, 'built')
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return
  const maven = await present('mvn', ['--version'])
  if (maven !== '') throw new Error(`Maven is not there: ${maven}`)
  await mvn('java/pom.xml', ['compile'])
  for (const client of clientVersions) await copy('java/pom.xml', `client-${client}`, [`-Drocketmq.version=${client}`])
  for (const broker of brokerVersions) {
    const rest = broker === '5.5.1' ? '5.5.0' : broker
    await copy('apache/pom.xml', `apache-${broker}`, [`-Drocketmq.version=${broker}`, `-Drocketmq.rest.version=${rest}`])
  }
  writeFileSync(stampFile, stamp)
}

const copy = (pom: string, into: string, flags: string[]): Promise<string> =>
  mvn(pom, ['dependency:copy-dependencies', `-DoutputDirectory=${target}/${into}`, '-DincludeScope=runtime', ...flags])

const mvn = (pom: string, args: string[]): Promise<string> =>
  output('mvn', ['-q', '-B', '-f', join(folder, pom), ...args], { timeoutMs: 600_000 })

async function buildGo(): Promise<void> {
  const missing = await present('go', ['version'])
  if (missing !== '') throw new Error(`Go is not there: ${missing}`)
  await output('go', ['build', '-o', goBinary, '.'], { cwd: join(folder, 'go') })
}

const present = (command: string, args: string[]): Promise<string> => attempt(async () => void (await output(command, args)))

const stampOf = (files: string[]): string => {
  const hash = createHash('sha256')
  for (const file of files.sort()) hash.update(file).update(readFileSync(join(folder, file)))
  return hash.digest('hex')
}
