import { defineConfig, type Options } from 'tsup'
import { cli, entriesOf, libraries, type Library } from './scripts/packages.mjs'

/** What all packages share: ES modules for the oldest Node.js we support, resolved from the sources of the workspace. */
const shared: Options = {
  format: 'esm',
  target: 'node20',
  platform: 'node',
  outExtension: () => ({ js: '.js' }),
  splitting: true,
  sourcemap: true,
  // What other steps put there stays.
  clean: ['!**/*.d.ts', '!pages/**', '!cometmq.*.js'],
  // Declarations are a step of their own: scripts/package-types.mjs.
  dts: false,
  silent: true,
  removeNodeProtocol: false,
  tsconfig: 'tsconfig.json',
  esbuildOptions(options) {
    options.conditions = ['cometmq-source', 'node', 'import']
  },
}

/** Imports of other packages stay imports; the sources that the maps speak of are in the package. */
const library = ({ folder }: Library): Options => ({
  ...shared,
  name: folder,
  entry: entriesOf(folder),
  outDir: `${folder}/dist`,
  skipNodeModulesBundle: true,
  external: [/^@cometmq\//],
  esbuildOptions(options) {
    options.conditions = ['cometmq-source', 'import']
    options.sourcesContent = false
  },
})

/** `from "./x.ts"` → `from "./x.js"`. */
const renamed = (code: string): string => code.replace(/(\bfrom |\bimport )(["'])(\.[^"'\n]*)\.ts\2/g, '$1$2$3.js$2')

/**
 * For every runtime: `using` is down-levelled, nothing of Node.js is added. File by file, because esbuild's form of `export * as Kind` in a
 * bundle is something that no other bundler can leave out again.
 */
const portable = ({ folder }: Library): Options => ({
  ...library({ folder }),
  entry: [`${folder}/src/**/*.ts`],
  bundle: false,
  platform: 'neutral',
  target: 'es2022',
  plugins: [{ name: 'renamed', renderChunk: (code, { map }) => ({ code: renamed(code), map: map ?? null }) }],
})

export default defineConfig([
  ...libraries.map(found => (found.portable ? portable(found) : library(found))),
  {
    ...shared,
    name: cli.folder,
    // The workspace goes into the bundle, so that the command starts from a handful of files.
    entry: { main: `${cli.folder}/src/main.ts`, version: `${cli.folder}/src/version.ts` },
    outDir: `${cli.folder}/dist`,
    noExternal: [/^@cometmq\//],
    // Native modules and those that are seldom needed, loaded on first use.
    external: ['commander', 'lz4-napi', 'fzstd', 'jose', 'prom-client', 'uWebSockets.js', 'ws'],
  },
])
