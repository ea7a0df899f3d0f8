import { silentLogger, systemClock } from '@cometmq/remoting'
import { type BridgeOptions, type RunningBridge, startBridge } from '@cometmq/bridge'
import { type Authenticate, everything, RefusedError } from '@cometmq/session'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildDemos } from '../../scripts/demos.mjs'
import { type OwnBroker, startOwnBroker } from '../../bridge/test/own-broker.ts'

/** A broker with a bridge that serves the demos, built from the sources. */
export interface DemoHost {
  readonly base: string
  readonly own: OwnBroker
  /** Another bridge for the same pages. */
  bridge(more?: Partial<BridgeOptions>): Promise<RunningBridge>
  close(): Promise<void>
}

export async function startDemos(): Promise<DemoHost> {
  const folder = await mkdtemp(join(tmpdir(), 'comet-pages-'))
  const pages = join(folder, 'pages')
  await buildDemos({ out: pages })
  const own = await startOwnBroker()
  const bridges: RunningBridge[] = []
  const bridge = async (more: Partial<BridgeOptions> = {}): Promise<RunningBridge> => {
    const started = await startBridge({
      cluster: own.cluster,
      clock: systemClock,
      logger: silentLogger,
      authenticate: () => everything,
      resumeKey: new Uint8Array(32).fill(1),
      port: 0,
      pages,
      ...more,
    })
    bridges.push(started)
    return started
  }
  const { address } = await bridge()
  return {
    base: `http://${address}`,
    own,
    bridge,
    close: async () => {
      for (const started of bridges) await started.close()
      await own.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Lets in who has this token. */
export const onlyWith =
  (right: string): Authenticate =>
  token => {
    if (token === right) return everything
    throw token === undefined ? new RefusedError(40190, 'a token is needed') : new RefusedError(40193, 'this token is not known')
  }

interface Looks {
  readonly width?: number
  readonly colorScheme?: 'light' | 'dark'
}

/** One person with a browser of their own. What the console complains about, and what the content policy refuses, is collected. */
export class Visitor {
  readonly complaints: string[] = []
  readonly #context: BrowserContext
  readonly #base: string

  private constructor(context: BrowserContext, base: string) {
    this.#context = context
    this.#base = base
  }

  static async come(browser: Browser, base: string, { width = 1280, colorScheme = 'light' }: Looks = {}): Promise<Visitor> {
    const context = await browser.newContext({ viewport: { width, height: 860 }, colorScheme })
    context.setDefaultTimeout(15_000)
    return new Visitor(context, base)
  }

  async visit(path: string): Promise<Page> {
    const page = await this.#context.newPage()
    page.on('console', message => {
      if (message.type() === 'error' || message.type() === 'warning') this.complaints.push(`${path}: ${message.text()}`)
    })
    page.on('pageerror', error => this.complaints.push(`${path}: ${error.message}`))
    page.on('response', response => {
      if (response.status() >= 400) this.complaints.push(`${path}: ${response.status()} for ${response.url()}`)
    })
    await page.goto(this.#base + path)
    return page
  }

  leave(): Promise<void> {
    return this.#context.close()
  }
}
