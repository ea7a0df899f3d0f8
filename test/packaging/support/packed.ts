import { createPackageFromTarballData, type Package } from '@arethetypeswrong/core'
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { manifestOf, published, root } from '../../../scripts/packages.mjs'
import { run, runNode } from './run.ts'

export interface Manifest {
  readonly name: string
  readonly version: string
  readonly private?: boolean
  readonly exports?: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>
  readonly bin?: Readonly<Record<string, string>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

/** One package as `npm publish` would send it. */
export interface Packed {
  /** From the root. */
  readonly folder: string
  readonly manifest: Manifest
  readonly tarball: string
  readonly bytes: Uint8Array
  readonly content: Package
  /** Paths inside of the package. */
  readonly files: readonly string[]
  /** Text of a file by its path inside of the package. */
  readonly text: (path: string) => string
}

/** Builds what is stale and packs everything into a folder. Package name → package. */
export async function packAll(folder: string): Promise<ReadonlyMap<string, Packed>> {
  await runNode(root, 'scripts/build.mjs', '--if-stale')
  await runNode(root, 'scripts/build.mjs', '--types', '--if-stale')
  const workspaces = published.flatMap(found => ['-w', found.folder])
  const output = await run(root, 'npm', ['pack', '--json', '--pack-destination', folder, ...workspaces])
  const names = fileNames(JSON.parse(output))
  const packed = published.map(({ folder: source }) => {
    const manifest = manifestOf(source) as unknown as Manifest
    const tarball = join(folder, names.get(manifest.name)!)
    return [manifest.name, read(source, tarball)] as const
  })
  return new Map(packed)
}

/** npm 11.14 and later give an object by name, others a list. */
const fileNames = (output: unknown): ReadonlyMap<string, string> => {
  const items = Object.values(output as object) as { name: string; filename: string }[]
  return new Map(items.map(({ name, filename }) => [name, filename]))
}

function read(folder: string, tarball: string): Packed {
  const bytes = readFileSync(tarball)
  const content = createPackageFromTarballData(bytes)
  const base = `/node_modules/${content.packageName}/`
  const text = (path: string): string => content.readFile(base + path)
  const files = content.listFiles().map(path => path.slice(base.length))
  return { folder, manifest: JSON.parse(text('package.json')) as Manifest, tarball, bytes, content, files, text }
}

/** The packages that `name` needs, itself included. */
export function closure(packages: ReadonlyMap<string, Packed>, name: string): Packed[] {
  const found = new Set([name])
  for (const next of found)
    for (const needed of Object.keys(packages.get(next)!.manifest.dependencies ?? {})) if (packages.has(needed)) found.add(needed)
  return [...found].map(one => packages.get(one)!)
}

/** Declarations and manifests of all packages below node_modules of a folder, and what they depend on, for a compiler. */
export function unpackTypes(packages: ReadonlyMap<string, Packed>, folder: string): void {
  for (const { manifest, files, text } of packages.values()) {
    for (const path of files.filter(name => name === 'package.json' || name.endsWith('.d.ts'))) {
      const target = join(folder, 'node_modules', manifest.name, path)
      mkdirSync(dirname(target), { recursive: true })
      writeFileSync(target, text(path))
    }
    const others = Object.keys(manifest.dependencies ?? {}).filter(name => !packages.has(name))
    for (const name of others) {
      const target = join(folder, 'node_modules', name)
      if (!existsSync(target)) symlinkSync(join(root, 'node_modules', name), target, 'junction')
    }
  }
}
