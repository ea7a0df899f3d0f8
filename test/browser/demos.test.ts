import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type DemoHost, onlyWith, startDemos, Visitor } from './support.ts'
import { chromiumPath, launchChromium } from '../conformance/runners/chromium.ts'

const demos = ['/chat.html', '/orders.html', '/telemetry.html', '/filter.html']
const others = ['/', '/source.html?file=chat.js', '/docs/protocol.html', '/docs/errors.html', '/docs/architecture.html']

/** The page's own text, once it is there. */
const appears = (page: Page, text: string): Promise<void> => page.getByText(text, { exact: true }).first().waitFor()
const textOf = (page: Page, selector: string): Promise<string> => page.locator(selector).innerText()
const numberIn = async (page: Page, selector: string): Promise<number> =>
  Number((await textOf(page, selector)).replace(/\D/g, ''))
const patience = { timeout: 20_000 }
const textBecomes = (page: Page, selector: string, text: string): Promise<void> =>
  expect.poll(() => textOf(page, selector), patience).toBe(text)
const numberExceeds = (page: Page, selector: string, number: number): Promise<void> =>
  expect.poll(() => numberIn(page, selector), patience).toBeGreaterThan(number)

/** All orders are done or dead. */
const nothingLeft = (page: Page): Promise<void> =>
  expect.poll(async () => [await textOf(page, '#open'), await textOf(page, '#busy')], { timeout: 40_000 }).toEqual(['0', '0'])

describe.skipIf(chromiumPath() === undefined)('demo pages in Chromium', () => {
  let host: DemoHost
  let browser: Browser
  let ann: Visitor
  let bob: Visitor

  beforeAll(async () => {
    ;[host, browser] = await Promise.all([startDemos(), launchChromium()])
  }, 60_000)
  afterAll(async () => {
    await browser.close()
    await host.close()
  })
  beforeEach(async () => {
    ann = await Visitor.come(browser, host.base)
    bob = await Visitor.come(browser, host.base)
  })
  afterEach(async () => {
    const complaints = [...ann.complaints, ...bob.complaints]
    await Promise.all([ann.leave(), bob.leave()])
    expect(complaints).toEqual([])
  })

  it('chat: two see each other, a third has the history', async () => {
    const [first, second] = [await ann.visit('/chat.html'), await bob.visit('/chat.html')]
    await first.fill('#name', 'Ann')
    await second.fill('#name', 'Bob')
    await Promise.all([first, second].map(page => page.locator('.joined').last().waitFor()))
    await first.fill('#text', 'Anybody there?')
    await first.keyboard.press('Enter')
    await appears(second, 'Anybody there?')
    await second.fill('#text', 'Yes: <b>me</b>')
    await second.getByRole('button', { name: 'Send' }).click()
    await appears(first, 'Yes: <b>me</b>')
    const late = await bob.visit('/chat.html')
    await late.selectOption('#since', 'earliest')
    await appears(late, 'Anybody there?')
    await appears(late, 'Yes: <b>me</b>')
    expect(await late.locator('.line .who b').allInnerTexts()).toEqual(['Ann', 'Bob'])
    // One day, so one line between days.
    expect(await late.locator('.day').count()).toBe(1)
  })

  it('chat: what is written without a connection goes out once when it is back', async () => {
    const [first, second] = [await ann.visit('/chat.html'), await bob.visit('/chat.html')]
    await Promise.all([first, second].map(page => page.locator('.joined').last().waitFor()))
    await first.getByRole('button', { name: 'Unplug' }).click()
    await first.locator('#banner').getByText('No connection').waitFor()
    await first.fill('#text', 'written in the dark')
    await first.keyboard.press('Enter')
    await first.locator('.line.waiting').waitFor()
    await second.fill('#text', 'said meanwhile')
    await second.keyboard.press('Enter')
    await appears(second, 'said meanwhile')
    await first.getByRole('button', { name: 'Plug in' }).click()
    await first.locator('#banner').getByText('hot resume').waitFor()
    await appears(first, 'said meanwhile')
    await appears(second, 'written in the dark')
    await textBecomes(first, '#waiting', '0')
    for (const page of [first, second]) expect(await page.getByText('written in the dark', { exact: true }).count()).toBe(1)
  })

  it('orders: shared by the workers of two tabs, retried, and dead after three attempts', async () => {
    const [first, second] = [await ann.visit('/orders.html'), await bob.visit('/orders.html')]
    await Promise.all([first, second].map(page => page.locator('.worker.ready').waitFor()))
    await first.getByRole('button', { name: 'Place ten' }).click()
    // Each holds one of the ten, and not the same.
    await Promise.all([first, second].map(page => page.locator('.worker.busy').waitFor()))
    const taken = await Promise.all([first, second].map(page => page.locator('.worker .job .soft').innerText()))
    expect(taken[0]).not.toBe(taken[1])
    await Promise.all([first, second].map(page => page.check('#robots')))
    for (const page of [first, second]) await nothingLeft(page)
    await Promise.all([first, second].map(page => page.uncheck('#robots')))

    await first.locator('.worker').getByRole('button', { name: 'Remove' }).click()
    await first.selectOption('#what', 'Lemonade')
    await first.fill('#cups', '42')
    await first.getByRole('button', { name: 'Place', exact: true }).click()
    const card = second.locator('.worker', { hasText: '42 × Lemonade' })
    for (const attempt of [1, 2, 3]) {
      await card.getByText(`attempt ${attempt} of 3`).waitFor()
      await card.getByRole('button', { name: 'Fail' }).click()
    }
    for (const page of [first, second]) {
      const letter = page.locator('#dead-letters li', { hasText: '42 × Lemonade' })
      await letter.getByText('failed 3 times').waitFor()
    }
  }, 60_000)

  it('orders: what a removed worker has in hand goes to another', async () => {
    const [first, second] = [await ann.visit('/orders.html'), await bob.visit('/orders.html')]
    await Promise.all([first, second].map(page => page.locator('.worker.ready').waitFor()))
    await first.fill('#cups', '17')
    await first.getByRole('button', { name: 'Place', exact: true }).click()
    const held = [first, second].map(page => page.locator('.worker', { hasText: '17 × Espresso' }))
    const holder = await Promise.race(held.map((card, index) => card.waitFor().then(() => index)))
    await held[holder]!.getByRole('button', { name: 'Remove' }).click()
    const other = held[1 - holder]!
    await other.getByText('attempt 2 of 3').waitFor()
    await other.getByRole('button', { name: 'Accept' }).click()
    await first.locator('#orders li', { hasText: '17 × Espresso' }).getByText('done').waitFor()
  })

  it('telemetry: one sends, the other draws; a frozen reader is told what it missed', async () => {
    const [first, second] = [await ann.visit('/telemetry.html'), await bob.visit('/telemetry.html')]
    await second.locator('#rate').fill('0')
    await first.locator('#rate').fill('4000')
    await numberExceeds(first, '#stored', 500)
    await numberExceeds(second, '#read', 500)
    await second.getByRole('button', { name: 'Freeze the reader' }).click()
    // Its window (2,048; raised by halves) fills up, and more is stored than the bridge keeps for it.
    await numberExceeds(second, '#buffered', 1_000)
    await numberExceeds(second, '#lag', 10_000)
    await second.getByRole('button', { name: 'Go on reading' }).click()
    await numberExceeds(second, '#gaps', 0)
    await numberExceeds(second, '#read', 500)
    expect(await numberIn(second, '#dropped')).toBeGreaterThan(0)
    await first.locator('#rate').fill('0')
  }, 60_000)

  it('filter: each subscription gets what it chose', async () => {
    const [first, second] = [await ann.visit('/filter.html'), await bob.visit('/filter.html')]
    const areReady = (page: Page): Promise<void> =>
      expect.poll(() => page.locator('.sub[data-ready=yes]').count(), patience).toBe(3)
    await Promise.all([first, second].map(areReady))
    for (const name of ['amber circle', 'teal square', 'rose triangle', 'rose circle'])
      await first.getByRole('button', { name, exact: true }).click()
    // Everything, circles, what is rose.
    for (const page of [first, second])
      await expect.poll(() => page.locator('.sub .number').allInnerTexts(), patience).toEqual(['4', '2', '2'])
    const circles = second.getByRole('region', { name: 'Subscription 2' })
    await circles.getByLabel('circle').uncheck()
    await circles.getByLabel('square').check()
    await areReady(second)
    await first.getByRole('button', { name: 'teal square', exact: true }).click()
    await circles.locator('.shape.teal.square').first().waitFor()
    expect(await circles.locator('.number').innerText()).toBe('3')
  })

  it('start page: connected, and a way to each demo and its source', async () => {
    const page = await ann.visit('/')
    await appears(page, 'connected')
    await expect.poll(() => textOf(page, '#size'), patience).toContain('kB')
    for (const demo of ['Chat room', 'Order desk', 'Telemetry wall', 'Filter playground']) {
      const card = page.locator('.card', { hasText: demo })
      await card.getByRole('link', { name: 'View source' }).click()
      await page.locator('#code .l').nth(60).waitFor()
      await page.goBack()
      await card.getByRole('link', { name: demo }).click()
      await page.getByRole('heading', { level: 1, name: demo }).waitFor()
      await page.goBack()
    }
  })

  it('the source page shows nothing but the demos', async () => {
    const page = await ann.visit('/source.html?file=https://example.com/x.js')
    await textBecomes(page, '#title', 'shared.js')
    await page.locator('#code .l').nth(20).waitFor()
  })

  it.each([...demos, ...others])('%s fits 390 px and 1280 px, light and dark, and has names for what can be used', async path => {
    const narrow = await Visitor.come(browser, host.base, { width: 390, colorScheme: 'dark' })
    for (const visitor of [narrow, ann]) {
      const page = await visitor.visit(path)
      if (!path.includes('docs')) await page.locator('main').waitFor()
      if (demos.includes(path)) await appears(page, 'connected')
      expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0)
      const nameless = `[...document.querySelectorAll('button, a, input, select')].filter(element => {
        const text = element.textContent.trim() || element.getAttribute('aria-label') || element.labels?.[0]?.textContent.trim()
        return !text
      }).map(element => element.outerHTML)`
      expect(await page.evaluate(nameless)).toEqual([])
    }
    await narrow.leave()
    expect(narrow.complaints).toEqual([])
  })

  it('a bridge that needs a token asks for it, and says in plain words what is wrong', async () => {
    const { address } = await host.bridge({ authenticate: onlyWith('the-right-one') })
    const visitor = await Visitor.come(browser, `http://${address}`)
    const page = await visitor.visit('/chat.html')
    await page.locator('#banner').getByText('Give the client a token').waitFor()
    await page.getByLabel('Token').fill('the-right-one')
    await page.getByRole('button', { name: 'Connect' }).click()
    await appears(page, 'connected')
    await visitor.leave()
  })
})
