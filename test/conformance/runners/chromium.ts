import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { chromium, type Browser, type Page } from 'playwright-core'
import type { CaseResult, Target } from '@cometmq/testkit/conformance'
import { bundle } from './bundle.ts'
import type { Runner } from './types.ts'

const places = [process.env['COMETMQ_CHROMIUM'], '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
export const chromiumPath = (): string | undefined => places.find(path => path !== undefined && existsSync(path))

/** Without these, Chromium as root does not start, and calls home. */
export const chromiumArguments = [
  '--no-sandbox',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

export const launchChromium = (): Promise<Browser> =>
  chromium.launch({ executablePath: chromiumPath()!, args: chromiumArguments })

/** A page with `default-src 'self'` on a web server of its own, with the bundle of an entry; ends when `work` has. */
export async function inPage<X>(entry: string, port: number, folder: string, work: (page: Page) => Promise<X>): Promise<X> {
  const script = readFileSync(await bundle(entry, `${folder}/${entry}.js`))
  const server = createServer((request, response) => {
    response.setHeader('content-security-policy', "default-src 'self'; connect-src ws://127.0.0.1:* http://127.0.0.1:*")
    if (request.url === '/page.js') response.setHeader('content-type', 'text/javascript').end(script)
    else
      response
        .setHeader('content-type', 'text/html')
        .end('<!doctype html><title>suite</title><script type="module" src="/page.js"></script>')
  })
  await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
  const browser = await launchChromium()
  try {
    const page = await browser.newPage()
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
    return await work(page)
  } finally {
    await browser.close()
    server.close()
  }
}

export const chromiumRunner: Runner = {
  name: 'chromium',
  missing: () =>
    chromiumPath() === undefined ? 'no Chromium found: install the package `chromium` or set COMETMQ_CHROMIUM' : undefined,
  run: (target: Target, folder: string): Promise<CaseResult[]> =>
    inPage('page', target.pagePort, folder, async page => {
      await page.waitForFunction(() => 'runConformance' in globalThis)
      return page.evaluate(
        given => (globalThis as unknown as { runConformance(target: Target): Promise<CaseResult[]> }).runConformance(given),
        target,
      )
    }),
}
