import { exchange } from './exchange.ts'

Object.assign(globalThis, { exchange })
