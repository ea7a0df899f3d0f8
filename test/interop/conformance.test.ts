import { rmSync } from 'node:fs'
import { describe, inject, it } from 'vitest'
import { describeConformance } from '../conformance/suite.ts'
import { chromiumRunner } from '../conformance/runners/chromium.ts'
import { nodeRunner } from '../conformance/runners/node.ts'
import { startApache } from './support/apache.ts'
import { brokerVersions } from './support/build.ts'
import { temporaryFolder } from './support/java.ts'

const why = inject('available').java
const runners = { '5.3.3': nodeRunner, '5.5.1': chromiumRunner } as const

// The suite of the SDKs with our bridge in front of the real Apache RocketMQ.
if (why !== '') describe('conformance in front of Apache RocketMQ', () => it.skip(`skipped: ${why}`, () => {}))
else
  for (const version of brokerVersions)
    describeConformance(
      runners[version],
      { engine: 'uws', backend: version.startsWith('5.3') ? 'apache-5.3' : 'apache-5.5' },
      {
        async cluster() {
          const folder = temporaryFolder('conformance')
          const server = await startApache({ version, folder, settings: { autoCreateTopicEnable: 'false' } })
          return {
            nameServer: server.nameServer,
            async stop() {
              await server.stop('SIGTERM')
              rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
            },
          }
        },
      },
    )
