import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/usr/bin/google-chrome-stable']

export const findChromium = () => [process.env.COMETMQ_CHROMIUM, ...places].find(path => path && existsSync(path))

/** Browser tests need a Chromium. On Debian and as root (a CI machine) it is installed; else the tests skip and say so. */
export function ensureChromium() {
  if (findChromium() || process.platform !== 'linux' || process.getuid() !== 0 || !existsSync('/usr/bin/apt-get')) return
  console.error('installing Chromium for the browser tests (apt-get install chromium) …')
  const run = args =>
    spawnSync('apt-get', args, { stdio: ['ignore', 2, 2], env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } })
  run(['update', '-q'])
  run(['install', '-q', '-y', '--no-install-recommends', 'chromium'])
}
