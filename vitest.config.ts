import { defineConfig } from 'vitest/config'

// Tests run on the sources: the condition below makes every workspace import resolve to its src folder.
export default defineConfig({
  resolve: { conditions: ['cometmq-source'] },
  ssr: { resolve: { conditions: ['cometmq-source'] } },
  test: {
    include: [
      'packages/*/test/**/*.test.ts',
      'broker/test/**/*.test.ts',
      '{bridge,sdk-node,sdk-web}/test/**/*.test.ts',
      'test/*.test.ts',
      'test/{crash,golden,examples,docs,browser,packaging}/**/*.test.ts',
    ],
    pool: 'forks',
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
})
