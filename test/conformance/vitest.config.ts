import { defineConfig } from 'vitest/config'

// One suite of cases in five runtimes over two engines: `npm test conformance`, or
// CONFORMANCE_FILTER='resume:' npx vitest run -c test/conformance/vitest.config.ts -t 'chromium, ws'
export default defineConfig({
  resolve: { conditions: ['cometmq-source'] },
  ssr: { resolve: { conditions: ['cometmq-source'] } },
  test: { include: ['test/conformance/*.test.ts'], pool: 'forks', testTimeout: 30_000, hookTimeout: 300_000 },
})
