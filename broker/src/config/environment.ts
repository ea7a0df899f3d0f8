import { homedir, hostname, networkInterfaces } from 'node:os'
import type { Environment } from './keys.ts'

/** The machine this process runs on. */
export function systemEnvironment(): Environment {
  return { hostName: nameOf(hostname()), address: firstAddress(), home: homedir(), variables: process.env }
}

/** A host name as a broker name: it becomes a topic and a folder. */
const nameOf = (host: string): string => host.replace(/[^a-zA-Z0-9_.-]/g, '-').slice(0, 100) || 'DEFAULT_BROKER'

/** First IPv4 address that is not loopback, else the first such IPv6 address, else 127.0.0.1. */
function firstAddress(): string {
  const addresses = Object.values(networkInterfaces()).flatMap(list => list ?? [])
  const usable = addresses.filter(address => !address.internal && !address.address.startsWith('fe80'))
  return (usable.find(address => address.family === 'IPv4') ?? usable[0])?.address ?? '127.0.0.1'
}
