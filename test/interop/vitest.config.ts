import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

// The official clients and tools against our broker. INTEROP_SERVER=apache:5.3.3 (or apache:5.5.1) runs the same suite against the real one.
export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  resolve: { conditions: ['cometmq-source'] },
  ssr: { resolve: { conditions: ['cometmq-source'] } },
  test: {
    include: ['test/interop/**/*.test.ts'],
    globalSetup: ['test/interop/support/global-setup.ts'],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 180_000,
    hookTimeout: 240_000,
  },
})
