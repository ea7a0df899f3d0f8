import { afterEach, describe, expect, it, vi } from 'vitest'
import { runtimeName } from '../src/runtime.ts'
import { wakeHooks } from '../src/wake.ts'

afterEach(() => vi.unstubAllGlobals())

class Page extends EventTarget {
  visibilityState = 'visible'
}

describe('waking up', () => {
  it('a page: shown, resumed, back from the cache, online again; nothing after it was stopped', () => {
    const page = new Page()
    const window = new EventTarget()
    vi.stubGlobal('document', page)
    vi.stubGlobal('addEventListener', window.addEventListener.bind(window))
    vi.stubGlobal('removeEventListener', window.removeEventListener.bind(window))
    let woke = 0
    const stop = wakeHooks.onWake(() => woke++)
    for (const type of ['pageshow', 'online']) window.dispatchEvent(new Event(type))
    for (const type of ['visibilitychange', 'resume']) page.dispatchEvent(new Event(type))
    expect(woke).toBe(4)
    page.visibilityState = 'hidden'
    page.dispatchEvent(new Event('visibilitychange'))
    expect(woke).toBe(4)
    stop()
    for (const type of ['pageshow', 'online']) window.dispatchEvent(new Event(type))
    page.visibilityState = 'visible'
    page.dispatchEvent(new Event('visibilitychange'))
    expect(woke).toBe(4)
  })

  it('a runtime that has none of it', () => {
    vi.stubGlobal('document', undefined)
    vi.stubGlobal('addEventListener', undefined)
    vi.stubGlobal('navigator', undefined)
    expect(() => wakeHooks.onWake(() => undefined)()).not.toThrow()
    expect(wakeHooks.online()).toBe(true)
    expect(wakeHooks.slow()).toBe(false)
  })

  it('knows a missing network and a slow link', () => {
    vi.stubGlobal('navigator', { onLine: false, connection: { effectiveType: 'slow-2g' } })
    expect(wakeHooks.online()).toBe(false)
    expect(wakeHooks.slow()).toBe(true)
  })
})

describe('the name of the runtime', () => {
  it.each([
    ['Cloudflare-Workers', 'workerd'],
    ['Deno/2.9.6', 'deno'],
    ['Bun/1.4.5', 'bun'],
    ['Node.js/22', 'node'],
    ['Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36', 'chromium'],
    ['Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0', 'firefox'],
    ['Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Safari/605.1.15', 'safari'],
    ['', 'unknown'],
  ])('%s', (userAgent, name) => {
    vi.stubGlobal('navigator', { userAgent })
    expect(runtimeName()).toBe(name)
  })
})

describe('the module', () => {
  it('does nothing when it is imported, and connects to nothing when a connection is made', async () => {
    const timers = vi.spyOn(globalThis, 'setTimeout')
    const { connect, topic } = await import('../src/index.ts')
    const before = timers.mock.calls.length
    const connection = connect({ url: 'ws://127.0.0.1:1', topics: [topic('orders')] })
    expect(connection.state).toEqual({ type: 'idle' })
    expect(timers.mock.calls.length).toBe(before)
    await connection.close()
    timers.mockRestore()
  })

  it('says so when the runtime has no WebSocket', async () => {
    vi.stubGlobal('WebSocket', undefined)
    const { connect, topic } = await import('../src/index.ts')
    const connection = connect({ url: 'ws://127.0.0.1:1', topics: [topic('orders')] })
    await expect(connection.ready()).rejects.toMatchObject({ code: 'COMET_UNSUPPORTED_RUNTIME' })
  })
})
