import { type Clock, createUniqueIdGenerator } from '@cometmq/remoting'
import { randomBytes, randomInt } from 'node:crypto'
import { networkInterfaces } from 'node:os'

/** First non-internal IPv4 address of this machine, else the loopback address. */
function localAddress(): string {
  for (const addresses of Object.values(networkInterfaces()))
    for (const address of addresses ?? []) if (address.family === 'IPv4' && !address.internal) return address.address
  return '127.0.0.1'
}

/** `ip@pid#random` (spec remoting 3.3.3): two clients in one process differ by the random part. */
export const newClientId = (): string => `${localAddress()}@${process.pid}#${randomBytes(6).toString('hex')}`

/** A generator of message ids of this process; two generators differ by a random part. */
export const uniqueIds = (clock: Clock): (() => string) =>
  createUniqueIdGenerator(clock, {
    address: Uint8Array.from(localAddress().split('.').map(Number)),
    processId: process.pid,
    seed: randomInt(0x1_0000_0000) | 0,
  })
