import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { type Browser, type Page } from 'playwright-core'
import { createViteServer } from 'vitest/node'
import { expect } from 'vitest'
import { root, type Sample } from './extract.ts'
import { write } from './processes.ts'
import { startServer } from './server.ts'

/** Clicks on the button when it may, and gives what is in the list then. */
async function used(page: Page, url: string): Promise<string> {
  const problems: string[] = []
  await page.route('**/favicon.ico', route => route.fulfill({ status: 204 }))
  page.on('pageerror', error => problems.push(String(error)))
  page.on('console', message => message.type() === 'error' && problems.push(message.text()))
  page.on('requestfailed', request => problems.push(`${request.url()} failed`))
  await page.goto(url)
  try {
    await page.click('button:enabled', { timeout: 10_000 })
    await page.waitForSelector('li', { timeout: 10_000 })
  } catch (error) {
    throw new Error(`${String(error)}\n${problems.join('\n')}\n${await page.content()}`, { cause: error })
  }
  expect(problems).toEqual([])
  return (await page.locator('li').allTextContents()).join('\n')
}

/** Served by the bridge itself (`--pages`), next to the bundle for script tags, made from the sources. */
export async function runPages(sample: Sample, folder: string, doc: string, browser: Browser): Promise<string> {
  mkdirSync(folder, { recursive: true })
  const server = await startServer(doc, { public: folder })
  const page = await browser.newPage()
  try {
    write(folder, sample, server)
    await scriptBundles(folder)
    return await used(page, `${server.httpUrl}/`)
  } finally {
    await page.close()
    await server.stop()
  }
}

/** cometmq.global.js and cometmq.min.js, as packaging makes them (it has tests of its own). */
async function scriptBundles(folder: string): Promise<void> {
  const common = { bundle: true, minify: true, target: 'es2022', conditions: ['cometmq-source'], absWorkingDir: root }
  const entryPoints = ['sdk-web/src/index.ts']
  await build({ ...common, entryPoints, format: 'iife', globalName: 'CometMQ', outfile: join(folder, 'cometmq.global.js') })
  await build({ ...common, entryPoints, format: 'esm', outfile: join(folder, 'cometmq.min.js') })
}

/** In the development server of the Vite that vitest brings along. */
export async function runVite(sample: Sample, folder: string, doc: string, browser: Browser): Promise<string> {
  mkdirSync(folder, { recursive: true })
  const vite = await createViteServer({
    root: folder,
    configFile: false,
    logLevel: 'silent',
    cacheDir: join(folder, '.vite'),
    resolve: { conditions: ['cometmq-source'] },
    server: { host: 'localhost', port: 0, hmr: false, watch: null, fs: { strict: false } },
    optimizeDeps: { noDiscovery: true },
  })
  await vite.listen()
  const address = vite.httpServer!.address() as { port: number }
  const origin = `http://localhost:${address.port}`
  const server = await startServer(doc, { 'http://localhost:5173': origin })
  const page = await browser.newPage()
  try {
    write(folder, sample, server)
    return await used(page, `${origin}/`)
  } finally {
    await page.close()
    await vite.close()
    await server.stop()
  }
}
