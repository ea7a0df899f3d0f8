import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Java keeps these closed; RocketMQ needs them to unmap files and to read direct buffers. */
const openModules = ['java.nio', 'sun.nio.ch', 'jdk.internal.ref', 'java.lang'].flatMap(name => [
  '--add-opens',
  `java.base/${name}=ALL-UNNAMED`,
])

/** Flags for a JVM. `home` takes the place of user.home, where RocketMQ writes logs and default files. */
export const javaFlags = (home: string): string[] => [
  '-Xms64m',
  '-Xmx512m',
  '-XX:MaxDirectMemorySize=512m',
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-Djava.net.preferIPv4Stack=true',
  ...openModules,
  '--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED',
  '--add-exports=java.base/sun.nio.ch=ALL-UNNAMED',
  `-Duser.home=${home}`,
  `-Drocketmq.home.dir=${home}`,
  `-Drocketmq.client.logRoot=${join(home, 'logs')}`,
]

export const temporaryFolder = (name: string): string => mkdtempSync(join(tmpdir(), `cometmq-${name}-`))
