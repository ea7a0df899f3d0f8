import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { formatAddress } from '@cometmq/remoting'

/**
 * How clients reach this broker: brokerIP1 and the port that is listened on. Records hold an IP address, so a host name in brokerIP1
 * is looked up once; routes keep the name. Rejects when it cannot be resolved.
 */
export async function advertised(
  config: { readonly brokerIP1: string },
  port: number,
): Promise<{ ip: string; port: number; address: string }> {
  const host = config.brokerIP1
  const ip = isIP(host) !== 0 ? host : (await lookup(host)).address
  return { ip, port, address: formatAddress(host, port) }
}
