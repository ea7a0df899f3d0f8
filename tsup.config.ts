import { defineConfig, type Options } from 'tsup'

/** What all packages share: ES modules for the oldest Node.js we support, resolved from the sources of the workspace. */
const shared: Options = {
  format: 'esm',
  target: 'node20',
  platform: 'node',
  outExtension: () => ({ js: '.js' }),
  splitting: true,
  sourcemap: true,
  clean: true,
  dts: false,
  silent: true,
  tsconfig: 'tsconfig.json',
  esbuildOptions(options) {
    options.conditions = ['cometmq-source', 'node', 'import']
  },
}

/** A library: imports of other packages stay imports. */
const library = (folder: string, entry: Record<string, string>): Options => ({
  ...shared,
  name: folder,
  entry,
  outDir: `${folder}/dist`,
  skipNodeModulesBundle: true,
  external: [/^@cometmq\//],
})

export default defineConfig([
  library('packages/remoting', { index: 'packages/remoting/src/index.ts' }),
  library('packages/cluster', { index: 'packages/cluster/src/index.ts' }),
  library('broker', { index: 'broker/src/index.ts', 'store/index': 'broker/src/store/index.ts' }),
  {
    ...shared,
    name: 'packages/cli',
    // The workspace goes into the bundle, so that the command starts from a handful of files.
    entry: { main: 'packages/cli/src/main.ts', version: 'packages/cli/src/version.ts' },
    outDir: 'packages/cli/dist',
    noExternal: [/^@cometmq\//],
    // Native modules and those that are seldom needed, loaded on first use.
    external: ['commander', 'lz4-napi', 'fzstd', 'jose', 'prom-client', 'uWebSockets.js', 'ws'],
  },
])
