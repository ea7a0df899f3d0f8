import type { Control } from './types.ts'

/** Speaks to the control server of the test host: `POST /METHOD` with the arguments as a JSON array. */
export function createControl(address: string): Control {
  const ask = async <T>(method: string, args: readonly unknown[]): Promise<T> => {
    const response = await fetch(`${address}/${method}`, { method: 'POST', body: JSON.stringify(args) })
    const text = await response.text()
    if (!response.ok) throw new Error(`control ${method}: ${text}`)
    return (text === '' ? undefined : JSON.parse(text)) as T
  }
  return {
    createTopic: (...args) => ask('createTopic', args),
    token: (...args) => ask('token', args),
    send: (...args) => ask('send', args),
    stored: (...args) => ask('stored', args),
    proxy: (...args) => ask('proxy', args),
    cut: (...args) => ask('cut', args),
    freeze: (...args) => ask('freeze', args),
    refuse: (...args) => ask('refuse', args),
    bridge: (...args) => ask('bridge', args),
    goaway: (...args) => ask('goaway', args),
  }
}
