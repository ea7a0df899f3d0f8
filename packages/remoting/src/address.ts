import { isIPv4, isIPv6 } from 'node:net'

const MAPPED_IPV4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i

/** `ip:port`, with brackets around an IPv6 address; an IPv4 address mapped into IPv6 is shown as IPv4. */
export function formatAddress(ip: string, port: number): string {
  const plain = MAPPED_IPV4.exec(ip)?.[1] ?? ip
  return plain.includes(':') ? `[${plain}]:${port}` : `${plain}:${port}`
}

/** Splits `host:port` or `[ipv6]:port`. Throws RangeError. */
export function parseAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':')
  const host = address.slice(0, Math.max(colon, 0)).replace(/^\[(.*)\]$/, '$1')
  const port = Number(address.slice(colon + 1))
  if (host === '' || colon === address.length - 1 || !Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new RangeError(`'${address}' is no address; write host:port, for example 127.0.0.1:9876`)
  }
  return { host, port }
}

/** 4 or 16 bytes of IP and an int32 port, as message records hold hosts. An address that is none counts as 0.0.0.0. */
export function hostBytes(ip: string, port: number): Buffer {
  const plain = MAPPED_IPV4.exec(ip)?.[1] ?? ip
  const address = isIPv6(plain) ? ipv6Bytes(plain) : (isIPv4(plain) ? plain : '0.0.0.0').split('.').map(Number)
  const bytes = Buffer.alloc(address.length + 4)
  bytes.set(address, 0)
  bytes.writeInt32BE(port, address.length)
  return bytes
}

function ipv6Bytes(text: string): number[] {
  const [head = '', tail] = (text.split('%')[0] ?? '').split('::')
  const before = groupBytes(head)
  const after = groupBytes(tail ?? '')
  return [...before, ...new Array<number>(16 - before.length - after.length).fill(0), ...after]
}

function groupBytes(groups: string): number[] {
  if (groups === '') return []
  return groups.split(':').flatMap(group => {
    if (group.includes('.')) return group.split('.').map(Number)
    const value = parseInt(group, 16)
    return [value >> 8, value & 0xff]
  })
}
