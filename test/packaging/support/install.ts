import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../../../scripts/packages.mjs'
import { closure, type Packed } from './packed.ts'
import { run } from './run.ts'

interface Locked {
  readonly version?: string
  readonly dev?: boolean
  readonly link?: boolean
}

/** Other people's packages are taken in the versions of this workspace: they are in npm's cache, and tomorrow's release changes nothing. */
function overrides(): Record<string, string> {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as { packages: Record<string, Locked> }
  const top = Object.entries(packages).filter(
    ([path, { dev, link }]) =>
      /^node_modules\/(@[^/]+\/)?[^/]+$/.test(path) && !dev && !link && path !== 'node_modules/uWebSockets.js',
  )
  return Object.fromEntries(top.map(([path, { version }]) => [path.slice('node_modules/'.length), version!]))
}

/** A project that depends on `name` and what that needs of ours, from tarballs; returns why it could not be installed when no registry answers. */
export async function installInto(
  folder: string,
  packages: ReadonlyMap<string, Packed>,
  name: string,
): Promise<string | undefined> {
  mkdirSync(folder, { recursive: true })
  const needed = closure(packages, name)
  const dependencies = Object.fromEntries(needed.map(({ manifest, tarball }) => [manifest.name, `file:${tarball}`]))
  const manifest = { name: 'consumer', version: '1.0.0', private: true, type: 'module', dependencies, overrides: overrides() }
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest, null, 2))
  const flags = ['install', '--no-audit', '--no-fund', '--omit=dev']
  try {
    // npm's cache has everything where this workspace was installed with the same one.
    await run(folder, 'npm', [...flags, '--offline'])
    return undefined
  } catch {
    rmSync(join(folder, 'node_modules'), { recursive: true, force: true })
  }
  try {
    await run(folder, 'npm', [...flags, '--prefer-offline', '--fetch-retries=1', '--fetch-retry-mintimeout=500'])
    return undefined
  } catch (error) {
    const { message } = error as Error
    const network =
      /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ENOTCACHED|ERR_SOCKET_TIMEOUT)\b/
    const why = network.exec(message)?.[0]
    if (why === undefined) throw error
    return `no package registry can be reached (${why}), and npm's cache does not have everything`
  }
}
