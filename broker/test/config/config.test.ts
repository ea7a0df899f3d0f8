import { CommandError } from '@cometmq/remoting'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { brokerConfigKeys, ConfigError, loadConfig, loadNameServerConfig, type ConfigSources } from '../../src/config.ts'
import { parseProperties, propertyLine } from '../../src/config/properties.ts'

const environment = { hostName: 'box', address: '10.0.0.1', home: '/home/user', variables: { NAMESRV_ADDR: 'ns1:9876' } }
const load = (sources: Omit<ConfigSources, 'environment'> = {}) => loadConfig({ ...sources, environment })
const file = (text: string) => ({ name: 'broker.conf', text })

function problemsOf(sources: Omit<ConfigSources, 'environment'>): readonly string[] {
  try {
    load(sources)
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    return (error as ConfigError).problems
  }
  return []
}

function refusalOf(run: () => unknown): CommandError {
  try {
    run()
  } catch (error) {
    expect(error).toBeInstanceOf(CommandError)
    return error as CommandError
  }
  throw new Error('was not refused')
}

describe('properties texts', () => {
  it('are read as Java reads them', () => {
    const text = [
      '# comment',
      ' ! another',
      'a=1',
      'b : 2',
      'c 3',
      'd\\ e = f\\=g',
      'long = x\\',
      '   y\\',
      '  z',
      'u=\\u00e9\\t.',
      'path=C\\:\\\\x',
      'empty',
      'a = 4 ',
      'odd\\\\=5',
    ].join('\n')
    expect(parseProperties(text).map(({ key, value, firstLine, lastLine }) => [key, value, firstLine, lastLine])).toEqual([
      ['a', '1', 3, 3],
      ['b', '2', 4, 4],
      ['c', '3', 5, 5],
      ['d e', 'f=g', 6, 6],
      ['long', 'xyz', 7, 9],
      ['u', 'é\t.', 10, 10],
      ['path', 'C:\\x', 11, 11],
      ['empty', '', 12, 12],
      ['a', '4', 13, 13],
      ['odd\\', '5', 14, 14],
    ])
  })

  it('are written so that they are read back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), value => {
        const [read] = parseProperties(propertyLine('key', value))
        expect(read).toMatchObject({ key: 'key', value: value.trim() })
      }),
    )
  })

  it('never fail on any text but for a broken \\u, and keep line numbers in range', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', '=', ':', ' ', '\\', '\n', '\r', '#', '!', '\t') }), text => {
        const lines = text.split(/\r\n|\r|\n/).length
        let last = 0
        for (const { firstLine, lastLine } of parseProperties(text)) {
          expect(firstLine).toBeGreaterThan(last)
          expect(lastLine).toBeLessThanOrEqual(lines)
          last = lastLine
        }
      }),
    )
    expect(() => parseProperties('a=1\nb=\\u12')).toThrow('line 2')
  })
})

describe('loading', () => {
  it('has defaults that follow each other and the machine', () => {
    expect(load()).toMatchObject({
      brokerName: 'box',
      brokerIP1: '10.0.0.1',
      namesrvAddr: 'ns1:9876',
      storePathRootDir: '/home/user/store',
      storePathCommitLog: '/home/user/store/commitlog',
      haListenPort: 10_912,
      flushDiskType: 'SYNC_FLUSH',
      warnings: [],
    })
    expect(load({ sets: ['storePathRootDir=/data', 'listenPort=20000'] })).toMatchObject({
      storePathCommitLog: '/data/commitlog',
      haListenPort: 20_001,
    })
  })

  it('takes the command line over the file and the last of two lines', () => {
    const config = load({ file: file('listenPort=1\nlistenPort = 2\nbrokerName: b\n'), sets: ['brokerName=c', 'brokerName=d'] })
    expect([config.listenPort, config.brokerName]).toEqual([2, 'd'])
  })

  it('says all that is wrong at once: where, the value, what is allowed, the nearest key', () => {
    expect(
      problemsOf({
        file: file('# x\nlistnPort=1\nlistenPort=70000\nFLUSHDISKTYPE=x\nflushDiskType=ASYNC\nzzzzzzzzzzzz=1'),
        sets: ['traceOn=yes', 'nonsense'],
      }),
    ).toEqual([
      '--set nonsense: write key=value',
      'broker.conf:2: listnPort is not a configuration key; did you mean listenPort? (value: 1)',
      'broker.conf:3: listenPort=70000: a whole number from 0 to 65535 is allowed',
      'broker.conf:4: FLUSHDISKTYPE is not a configuration key; did you mean flushDiskType? (value: x)',
      'broker.conf:5: flushDiskType=ASYNC: SYNC_FLUSH or ASYNC_FLUSH is allowed',
      'broker.conf:6: zzzzzzzzzzzz is not a configuration key (value: 1)',
      '--set: traceOn=yes: true or false is allowed',
    ])
    expect(problemsOf({ sets: ['namesrvAddr=ns1', 'brokerIP1='] })).toHaveLength(2)
    expect(load({ sets: ['namesrvAddr=ns1:9876;[::1]:9877;'] }).namesrvAddr).toBe('ns1:9876;[::1]:9877;')
    expect(problemsOf({ file: file('__proto__=1\nconstructor=2') })).toHaveLength(2)
  })

  it('accepts RocketMQ keys without effect here, with a warning each', () => {
    const config = load({
      file: file('sendMessageThreadPoolNums=16\nuseEpollNativeSelector=true\naclEnable=false\nstoreType=default\n'),
    })
    expect(config.warnings).toEqual([
      expect.stringContaining('sendMessageThreadPoolNums'),
      expect.stringContaining('useEpollNativeSelector'),
    ])
    expect(config.configText()).toContain('sendMessageThreadPoolNums=16\n')
  })

  it.each([
    'aclEnable=true',
    'authenticationEnabled=true',
    'authorizationEnabled=TRUE',
    'enableControllerMode=true',
    'enableDLegerCommitLog=true',
    'brokerRole=SLAVE',
    'brokerRole=SYNC_MASTER',
    'brokerId=1',
    'inSyncReplicas=2',
    'storeType=defaultRocksDB',
    'storePathCommitLog=/a,/b',
    'useTLS=true',
  ])('refuses %s, which would weaken what was asked for', line => {
    const problems = problemsOf({ file: file(line) })
    expect(problems).toHaveLength(1)
    expect(problems[0]).toMatch(/^broker\.conf:1: .*(this release|not supported|lists of folders)/)
  })

  it('has a default of the right kind, a meaning and a place for every key', () => {
    const config = load() as unknown as Record<string, string | number | boolean>
    for (const [name, row] of Object.entries(brokerConfigKeys)) {
      expect(row.kind.parse(String(config[name])), name).toBe(config[name])
      expect(row.meaning, name).not.toBe('')
    }
  })

  it('loads a name server configuration', () => {
    const config = loadNameServerConfig({
      file: { name: 'namesrv.conf', text: 'listenPort=1234\ndefaultThreadPoolNums=4' },
      environment,
    })
    expect(config).toMatchObject({
      listenPort: 1234,
      kvConfigPath: '',
      scanNotActiveBrokerInterval: 5000,
    })
    expect(config.warnings).toHaveLength(1)
    expect(() => loadNameServerConfig({ sets: ['enableControllerInNamesrv=true'], environment })).toThrow(/no controller/)
  })
})

describe('while it runs', () => {
  it('shows all keys, sorted, as a text that loads again', () => {
    const text = load({ sets: ['regionId= a\\b'] }).configText()
    const names = text
      .trimEnd()
      .split('\n')
      .map(line => line.slice(0, line.indexOf('=')))
    expect(names).toEqual([...names].sort())
    expect(names).toEqual(expect.arrayContaining(Object.keys(brokerConfigKeys)))
    expect(load({ file: file(text) })).toEqual(load({ sets: ['regionId=a\\b'] }))
  })

  it('changes runtime keys in place, tells listeners, and edits the file', () => {
    const config = load({ file: file('# mine\r\ntraceOn = true\nbrokerPermission=2\nbrokerPermission=\\\n  4\n') })
    const heard: (readonly string[])[] = []
    config.onChange(keys => heard.push(keys))
    expect(
      config.update('traceOn=false\nbrokerPermission=6\nregionId=DefaultRegion\nautoCreateSubscriptionGroup=false\n'),
    ).toEqual(['traceOn', 'brokerPermission', 'autoCreateSubscriptionGroup'])
    expect(config).toMatchObject({ traceOn: false, brokerPermission: 6, autoCreateSubscriptionGroup: false })
    expect(config.fileText()).toBe(
      '# mine\ntraceOn=false\nbrokerPermission=2\nbrokerPermission=6\nautoCreateSubscriptionGroup=false\n',
    )
    expect(config.update('traceOn=false')).toEqual([])
    expect(heard).toHaveLength(1)
  })

  it.each([
    ['brokerPermission=6\ntraceOn=maybe', 1, /nothing was changed: traceOn=maybe: true or false/],
    ['traceOn=false\nlistenPort=1', 1, /listenPort cannot change while the server runs/],
    ['traceOn=false\nnoSuchKey=1', 1, /noSuchKey is not a configuration key/],
    ['traceOn=false\naclEnable=true', 1, /no access control/],
    ['traceOn=false\nconfigBlackList=x', 16, /configBlackList/],
    ['traceOn=false\nbrokerConfigPath=/x', 16, /brokerConfigPath is in configBlackList/],
    ['traceOn=\\u1', 1, /hexadecimal/],
  ])('refuses %j whole, with code %i', (text, code, message) => {
    const config = load()
    const refusal = refusalOf(() => config.update(text))
    expect(refusal.code).toBe(code)
    expect(refusal.message).toMatch(message)
    expect(config.traceOn).toBe(true)
  })

  it('takes a restart key whose value stays', () => {
    expect(load().update('listenPort=10911\ntraceOn=false')).toEqual(['traceOn'])
  })
})
