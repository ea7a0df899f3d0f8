import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

// Real processes that are cut off, killed and flooded. COMETMQ_NIGHTLY=1 runs the full numbers of rounds; COMET_SEED repeats a run.
export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  resolve: { conditions: ['cometmq-source'] },
  ssr: { resolve: { conditions: ['cometmq-source'] } },
  test: {
    include: ['test/chaos/**/*.test.ts'],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 60_000,
  },
})
