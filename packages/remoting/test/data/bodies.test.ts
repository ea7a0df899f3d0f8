import { inflateSync, deflateSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import * as data from '../../src/data.ts'
import { JsonError } from '../../src/index.ts'

const queue = { topic: 'T', brokerName: 'b', queueId: 0 }

describe('topic and group configs', () => {
  it('take the defaults of Java for absent members', () => {
    expect(data.decodeTopicConfig(Buffer.from('{"topicName":"T"}'))).toEqual(data.defaultTopicConfig('T'))
    expect(data.decodeSubscriptionGroup(Buffer.from('{"groupName":"G"}'))).toEqual(data.defaultSubscriptionGroup('G'))
    expect(data.defaultTopicConfig('T')).toMatchObject({ readQueueNums: 16, writeQueueNums: 16, perm: 6 })
    expect(data.defaultSubscriptionGroup('G')).toMatchObject({ retryMaxTimes: 16, retryQueueNums: 1, consumeTimeoutMinute: 15 })
  })

  it('keep what was sent', () => {
    const config = { ...data.defaultTopicConfig('T'), order: true, perm: 4, attributes: { 'message.type': 'FIFO' } }
    expect(data.decodeTopicConfig(data.encodeTopicConfig(config))).toEqual(config)
    expect(data.decodeTopicConfigList(data.encodeTopicConfigList([config]))).toEqual([config])
    const group = { ...data.defaultSubscriptionGroup('G'), consumeFromMinEnable: false, retryMaxTimes: 3 }
    expect(data.decodeSubscriptionGroupList(data.encodeSubscriptionGroupList([group]))).toEqual([group])
    const policy = { type: 'EXPONENTIAL', exponentialRetryPolicy: { initial: 5000, max: 7200000, multiplier: 2 } }
    expect(
      data.decodeSubscriptionGroup(data.encodeSubscriptionGroup({ ...group, groupRetryPolicy: policy })).groupRetryPolicy,
    ).toEqual(policy)
  })

  it('take the name from the table when the member lacks it', () => {
    const wrapper = data.decodeTopicConfigWrapper(Buffer.from('{"topicConfigTable":{"T":{"perm":2},"__proto__":{"perm":4}}}'))
    expect(wrapper.topicConfigTable['T']).toMatchObject({ topicName: 'T', perm: 2 })
    expect(Object.keys(wrapper.topicConfigTable)).toEqual(['T', '__proto__'])
    expect('toString' in wrapper.topicConfigTable).toBe(false)
  })

  it('name the member of the wrong kind', () => {
    expect(() => data.decodeTopicConfig(Buffer.from('{"perm":"six"}'))).toThrow(/topicConfig.perm is not a number/)
    expect(() => data.decodeTopicConfigWrapper(Buffer.from('{"topicConfigTable":{"T":{"order":[]}}}'))).toThrow(
      /T.order is not a boolean/,
    )
    expect(() => data.decodeTopicConfig(Buffer.from('[]'))).toThrow(JsonError)
    expect(() => data.decodeSubscriptionGroup(Buffer.from('{"groupName":{}}'))).toThrow(/groupName is not a text/)
  })
})

describe('data versions', () => {
  it('are equal when all three members are', () => {
    const version = { counter: 3, stateVersion: 0, timestamp: 1700000000000 }
    expect(data.dataVersionText(version)).toBe('{"counter":3,"stateVersion":0,"timestamp":1700000000000}')
    expect(data.decodeDataVersion(data.encodeDataVersion(version))).toEqual(version)
    expect(data.sameDataVersion(version, { ...version })).toBe(true)
    for (const member of ['counter', 'stateVersion', 'timestamp'] as const) {
      expect(data.sameDataVersion(version, { ...version, [member]: 9 })).toBe(false)
    }
    expect(data.decodeDataVersion('')).toBeNull()
  })
})

describe('registrations', () => {
  const dataVersion = { counter: 1, stateVersion: 0, timestamp: 1700000000000 }
  const topic = { ...data.defaultTopicConfig('T'), readQueueNums: 4, writeQueueNums: 4 }
  const body: data.RegisterBrokerBody = {
    topicConfigSerializeWrapper: { dataVersion, topicConfigTable: { T: topic } },
    filterServerList: [],
  }
  const dataVersionJson = '{"counter":1,"stateVersion":0,"timestamp":1700000000000}'

  it('round-trip plain', () => {
    expect(data.decodeRegisterBrokerBody(data.encodeRegisterBrokerBody(body), false, 479)).toEqual(body)
    expect(data.decodeRegisterBrokerBody(null, false, 479).topicConfigSerializeWrapper.topicConfigTable).toEqual({})
  })

  it('match the published vector compressed', () => {
    // spec: remoting, section 11
    const vector = Buffer.concat([
      Buffer.from('00000038', 'hex'),
      Buffer.from(dataVersionJson),
      Buffer.from('0000000100000015', 'hex'),
      Buffer.from('T 4 4 6 SINGLE_TAG {}'),
      Buffer.from('000000025b5d00000000', 'hex'),
    ])
    expect(inflateSync(data.encodeCompressedRegisterBrokerBody(body)).equals(vector)).toBe(true)
    expect(data.decodeRegisterBrokerBody(deflateSync(vector), true, 479)).toEqual(body)
    // Before 5.0 the mapping count is missing, and so is the attributes part of a topic.
    expect(data.decodeRegisterBrokerBody(deflateSync(vector.subarray(0, -4)), true, 401)).toEqual(body)
  })

  it('throw only JsonError when damaged', () => {
    const whole = inflateSync(data.encodeCompressedRegisterBrokerBody(body))
    for (let length = 0; length < whole.length - 4; length++) {
      expect(() => data.decodeRegisterBrokerBody(deflateSync(whole.subarray(0, length)), true, 479), `cut to ${length}`).toThrow(
        JsonError,
      )
    }
    for (let at = 0; at < whole.length; at++) {
      const damaged = Buffer.from(whole)
      damaged[at]! ^= 0x80
      try {
        data.decodeRegisterBrokerBody(deflateSync(damaged), true, 479)
      } catch (error) {
        expect(error).toBeInstanceOf(JsonError)
      }
    }
    expect(() => data.decodeRegisterBrokerBody(Buffer.from('no zlib'), true, 479)).toThrow(/no zlib stream/)
  })
})

describe('heartbeats', () => {
  it('of Go are completed', () => {
    const body = Buffer.from(
      '{"clientID":"ip@1","producerDataSet":[],"consumerDataSet":[{"groupName":"G","consumeType":"CONSUME_PASSIVELY","messageModel":"CLUSTERING",' +
        '"consumeFromWhere":"CONSUME_FROM_FIRST_OFFSET","subscriptionDataSet":[{"classFilterMode":false,"topic":"T","subString":"TagA",' +
        '"tagsSet":["TagA"],"codeSet":["2598919","-5"],"subVersion":1795512879000000001,"expressionType":""}],"unitMode":false}]}',
    )
    expect(data.decodeHeartbeat(body)).toEqual({
      clientID: 'ip@1',
      heartbeatFingerprint: 0,
      withoutSub: false,
      producerDataSet: [],
      consumerDataSet: [
        {
          groupName: 'G',
          consumeType: 'CONSUME_PASSIVELY',
          messageModel: 'CLUSTERING',
          consumeFromWhere: 'CONSUME_FROM_FIRST_OFFSET',
          unitMode: false,
          subscriptionDataSet: [
            {
              topic: 'T',
              subString: 'TagA',
              expressionType: 'TAG',
              classFilterMode: false,
              tagsSet: ['TagA'],
              codeSet: [2598919, -5],
              subVersion: 1795512879000000001n,
            },
          ],
        },
      ],
    })
  })

  it('may lack every set', () => {
    expect(data.decodeHeartbeat(Buffer.from('{"clientID":"c"}'))).toMatchObject({ producerDataSet: [], consumerDataSet: [] })
    expect(
      data.decodeHeartbeat(Buffer.from('{"consumerDataSet":[{"groupName":"G"}]}')).consumerDataSet[0]?.subscriptionDataSet,
    ).toEqual([])
  })

  it('write subVersion as a bare number', () => {
    const subscription = data.readSubscriptionData({ topic: 'T', subVersion: 1795512879000000001n })
    const heartbeat = data.decodeHeartbeat(Buffer.from('{"clientID":"c","consumerDataSet":[{"groupName":"G"}]}'))
    heartbeat.consumerDataSet[0]!.subscriptionDataSet.push(subscription)
    const bytes = data.encodeHeartbeat(heartbeat)
    expect(bytes.toString()).toContain('"subVersion":1795512879000000001}')
    expect(data.decodeHeartbeat(bytes)).toEqual(heartbeat)
  })
})

describe('offset bodies', () => {
  it('read fastjson, Go and C++ forms', () => {
    const bodies = [
      data.encodeResetOffsetBody([[queue, 5]]),
      data.encodeResetOffsetListBody([[queue, 5]]),
      Buffer.from('{"offsetTable":[[{"brokerName":"b","queueId":0,"topic":"T"},5]]}'),
      Buffer.from('{"offsetTable":{"{\\"brokerName\\":\\"b\\",\\"queueId\\":0,\\"topic\\":\\"T\\"}":5}}'),
    ]
    for (const body of bodies) expect(data.decodeResetOffsetBody(body)).toEqual([[queue, 5]])
    expect(bodies[0]!.toString()).toBe('{"offsetTable":{{"brokerName":"b","queueId":0,"topic":"T"}:5}}')
  })

  it('resolve the references of consumer status', () => {
    const text =
      '{"consumerTable":{"c@1":{{"brokerName":"b","queueId":0,"topic":"T"}:3},"c@2":{"$ref":"$.consumerTable.c\\\\@1"}},"messageQueueTable":{}}'
    const status = data.decodeConsumerStatus(Buffer.from(text))
    expect(status.consumerTable['c@2']).toEqual([[queue, 3]])
    expect(data.decodeConsumerStatus(data.encodeConsumerStatus(status))).toEqual(status)
  })

  it('read integer keys', () => {
    expect(data.decodeCorrectionOffsets(Buffer.from('{"correctionOffsets":{0:5}}'))).toEqual({ '0': 5 })
    expect(data.decodeDelayOffsets(Buffer.from('{"offsetTable":{3:412,4:90}}')).offsetTable).toEqual({ '3': 412, '4': 90 })
  })
})

describe('running info', () => {
  it('of Go is read: raw newlines, other spellings, raw property values', () => {
    const info = data.decodeConsumerRunningInfo(
      Buffer.from(
        '{"properties":{"PROP_CONSUMEORDERLY":false,"PROP_CONSUMER_START_TIMESTAMP":1700000000000},"mqTable":{{"brokerName":"b","queueId":0,"topic":"T"}:' +
          '{"dropped":true,"commitOffset":5}},"jstack":"goroutine 1\n\tmain()"}',
      ),
    )
    expect(info.properties).toEqual({ PROP_CONSUMEORDERLY: 'false', PROP_CONSUMER_START_TIMESTAMP: '1700000000000' })
    expect(info.mqTable[0]).toMatchObject([queue, { droped: true, commitOffset: 5, locked: false }])
    expect(info.jstack).toBe('goroutine 1\n\tmain()')
    expect(info.subscriptionSet).toEqual([])
    expect(data.decodeConsumerRunningInfo(data.encodeConsumerRunningInfo(info))).toEqual(info)
  })

  it('results may be ordinals', () => {
    expect(data.decodeConsumeMessageDirectlyResult(Buffer.from('{"consumeResult":1}')).consumeResult).toBe('CR_LATER')
    expect(data.decodeConsumeMessageDirectlyResult(Buffer.from('{"consumeResult":"CR_COMMIT"}')).consumeResult).toBe('CR_COMMIT')
    expect(data.decodeConsumeMessageDirectlyResult(Buffer.from('{"consumeResult":99}')).consumeResult).toBe('CR_RETURN_NULL')
  })
})

describe('small bodies', () => {
  it('round-trip', () => {
    const member = { cluster: 'c', brokerName: 'b', brokerAddrs: { '0': '1.2.3.4:5' } }
    expect(data.decodeBrokerMemberGroup(data.encodeBrokerMemberGroup(member))).toEqual(member)
    expect(
      data.decodeBrokerMemberGroup(
        Buffer.from('{"brokerMemberGroup":{"brokerAddrs":{0:"1.2.3.4:5"},"brokerName":"b","cluster":"c"}}'),
      ),
    ).toEqual(member)
    const span = { messageQueue: queue, minTimeStamp: -1, maxTimeStamp: -1, consumeTimeStamp: -1, delayTime: 0 }
    expect(data.decodeConsumeTimeSpan(data.encodeConsumeTimeSpan([span]))).toEqual([span])
    const forbidden = { group: 'G', topic: 'T', readable: false }
    expect(data.decodeGroupForbidden(data.encodeGroupForbidden(forbidden))).toEqual(forbidden)
    const subscription = { group: 'G', topic: 'T', subscriptionData: data.readSubscriptionData({ topic: 'T' }) }
    expect(data.decodeQuerySubscriptionBody(data.encodeQuerySubscriptionBody(subscription))).toEqual(subscription)
    const check = {
      clientId: 'c',
      group: 'G',
      subscriptionData: data.readSubscriptionData({ topic: 'T', expressionType: 'SQL92', subString: 'a > 1' }),
    }
    expect(data.decodeCheckClientBody(data.encodeCheckClientBody(check))).toEqual(check)
    const producers = { PG: [{ clientId: 'c', remoteIP: '/1.2.3.4:5', language: 'JAVA', version: 479, lastUpdateTimestamp: 1 }] }
    expect(data.decodeProducerTable(data.encodeProducerTable(producers))).toEqual(producers)
    const connections = [{ clientId: 'c', clientAddr: '1.2.3.4:5', language: 'GO', version: 317 }]
    expect(data.decodeProducerConnection(data.encodeProducerConnection(connections))).toEqual(connections)
  })

  it('are empty when absent', () => {
    expect(data.decodeTopicList(null)).toEqual({ topicList: [] })
    expect(data.decodeKVTable(null)).toEqual({})
    expect(data.decodeLockedQueues(null)).toEqual([])
    expect(data.decodeTopicRouteData(null)).toEqual({ queueDatas: [], brokerDatas: [] })
  })

  it('of settings take comments, spaces and equals signs in values', () => {
    const text = '# comment\r\nname = value\n\nother=a=b\n=x\nnoValue=\nname=last\n'
    expect([...data.decodePropertiesText(Buffer.from(text))]).toEqual([
      ['name', 'last'],
      ['other', 'a=b'],
      ['noValue', ''],
    ])
    expect(
      data
        .encodePropertiesText([
          ['a', '1'],
          ['b', ''],
        ])
        .toString(),
    ).toBe('a=1\nb=\n')
  })
})
