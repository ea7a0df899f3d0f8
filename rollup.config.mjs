import { nodeResolve } from '@rollup/plugin-node-resolve'
import { transform } from 'esbuild'

const banner = '/*! CometMQ for browsers, Apache-2.0 */\n'

/** `format` esm: names of top level may be shortened, too. */
const minified = format => ({
  name: 'minified',
  async renderChunk(code) {
    const { code: small } = await transform(code, { minify: true, target: 'es2022', format, legalComments: 'none' })
    return { code: banner + small, map: null }
  },
})

/** Made from the packages as they are published (dist), so tsup comes first. */
export const bundleOptions = {
  plugins: [nodeResolve({ browser: true })],
  // A bundle for browsers has no imports left: what cannot be found is an error.
  onwarn(warning) {
    throw new Error(warning.message)
  },
}

/** For `<script type=module>` and `import`: no imports of its own. */
export const moduleOutput = { format: 'es', plugins: [minified('esm')] }

/** For `<script>`: one global, CometMQ. */
const scriptOutput = { format: 'iife', name: 'CometMQ', plugins: [minified()] }

export default {
  ...bundleOptions,
  input: 'sdk-web/dist/index.js',
  output: [
    { ...moduleOutput, file: 'sdk-web/dist/cometmq.min.js' },
    { ...scriptOutput, file: 'sdk-web/dist/cometmq.global.js' },
  ],
}
