import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { clientVersions } from './support/build.ts'
import { type Held, hold } from './support/hold.ts'
import { Mqadmin, values } from './support/mqadmin.ts'
import { type Server, startServer } from './support/server.ts'

const why = inject('available').java

describe.skipIf(why !== '')('mqadmin', () => {
  let server: Server
  beforeAll(async () => {
    server = await startServer()
  })
  afterAll(() => server.stop('SIGTERM'))

  for (const version of clientVersions) {
    describe(version, () => {
      const run = version.replaceAll('.', '')
      const topic = `T_admin_${run}`
      const group = `G_admin_${run}`
      let admin: Mqadmin
      let held: Held
      beforeAll(async () => {
        admin = new Mqadmin(server, version)
        held = await hold(server, version, run)
      })
      afterAll(async () => {
        await admin.close()
        await held.release()
      })

      it('updateTopic creates, topicList and topicRoute show it', async () => {
        const out = await admin.run(
          'updateTopic',
          '-c',
          server.cluster,
          '-t',
          topic,
          '-r',
          '4',
          '-w',
          '4',
          '-a',
          '+message.type=NORMAL',
        )
        expect(out).toContain(`create topic to ${server.broker} success`)
        expect((await admin.run('topicList')).split('\n')).toContain(topic)
        const route = await admin.run('topicRoute', '-t', topic)
        expect(route.replace(/\s/g, '')).toContain(`"brokerAddrs":{0:"${server.broker}"}`)
        expect(values(route.replaceAll(/[",]/g, '')).get('readQueueNums')).toBe('4')
        expect((await admin.run('topicClusterList', '-t', topic)).trim()).toBe(server.cluster)
      })

      it('clusterList', async () => {
        const [row] = await admin.table('clusterList')
        expect(row!.slice(0, 4)).toEqual([server.cluster, server.brokerName, '0', server.broker])
        expect(row![4]).toMatch(/^V5_/)
        expect(row!.at(-1)).toBe('true')
      })

      it('brokerStatus', async () => {
        const status = values(await admin.run('brokerStatus', '-b', server.broker))
        expect(status.get('brokerActive')).toBe('true')
        expect(status.get('brokerVersionDesc')).toMatch(/^V5_/)
        expect(Number(status.get('msgPutTotalTodayNow'))).toBeGreaterThanOrEqual(6)
        expect(Number(status.get('msgGetTotalTodayNow'))).toBeGreaterThanOrEqual(6)
        expect(Number(status.get('commitLogMaxOffset'))).toBeGreaterThan(1000)
        expect(Math.abs(Number(status.get('earliestMessageTimeStamp')) - Date.now())).toBeLessThan(600_000)
      })

      it('topicStatus', async () => {
        const rows = await admin.table('topicStatus', '-t', held.topic)
        expect(rows.map(row => row.slice(0, 4))).toEqual([
          [server.brokerName, '0', '0', '3'],
          [server.brokerName, '1', '0', '3'],
        ])
        expect(rows[0]![4]).toBe(new Date().toISOString().slice(0, 10))
      })

      it('consumerProgress of a group and of all', async () => {
        const rows = await admin.table('consumerProgress', '-g', held.group)
        expect(rows.map(row => row.slice(0, 7)).filter(row => row[0] === held.topic)).toEqual([
          [held.topic, server.brokerName, '0', '3', '3', '0', '0'],
          [held.topic, server.brokerName, '1', '3', '3', '0', '0'],
        ])
        expect(await admin.run('consumerProgress', '-g', held.group)).toContain('Consume Diff Total: 0')
        const all = await admin.table('consumerProgress')
        const own = all.find(row => row[0] === held.group)
        expect(own?.slice(0, 2)).toEqual([held.group, '1'])
        expect(own?.slice(3, 5)).toEqual(['PUSH', 'CLUSTERING'])
        expect(own?.at(-1)).toBe('0')
      })

      it('consumerConnection, consumerStatus, producerConnection, producer', async () => {
        const out = await admin.run('consumerConnection', '-g', held.group)
        expect(out).toMatch(new RegExp(`^${held.clientId}\\s+127\\.0\\.0\\.1:\\d+\\s+JAVA\\s+V\\d`, 'm'))
        expect(out).toMatch(new RegExp(`^${held.topic}\\s+TagA \\|\\| TagB$`, 'm'))
        expect(out).toContain('ConsumeType: CONSUME_PASSIVELY')
        expect(out).toContain('MessageModel: CLUSTERING')
        const status = await admin.run('consumerStatus', '-g', held.group)
        expect(status).toContain('Same subscription in the same group of consumer')
        expect(status).toContain('Rebalance OK')
        const producers = await admin.run('producerConnection', '-g', held.producerGroup, '-t', held.topic)
        expect(producers).toMatch(/127\.0\.0\.1:\d+\s+JAVA\s+V\d/)
        expect(await admin.run('producer', '-b', server.broker)).toContain(
          `producer group (${held.producerGroup}) instance : clientId=`,
        )
      })

      it('queryMsgById, queryMsgByUniqueKey, queryMsgByKey, queryMsgByOffset', async () => {
        const message = held.messages[3]!
        const expected = {
          Topic: held.topic,
          Tags: '[TagA]',
          Keys: '[key-3 all]',
          'Queue ID': '1',
          'Queue Offset': '1',
        }
        const views = [
          await admin.run('queryMsgById', '-i', message.offsetId, '-t', held.topic),
          await admin.run('queryMsgByUniqueKey', '-i', message.uniqueId, '-t', held.topic),
          await admin.run('queryMsgByOffset', '-t', held.topic, '-b', server.brokerName, '-i', '1', '-o', '1'),
        ]
        for (const view of views) {
          for (const [name, value] of Object.entries(expected))
            expect(view).toMatch(new RegExp(`^${name}:\\s+${value.replace(/[[\]]/g, '\\$&')}$`, 'm'))
          expect(view).toContain('color=grün 你好')
        }
        for (const view of [views[0], views[2]]) expect(view).toMatch(new RegExp(`^OffsetID:\\s+${message.offsetId}$`, 'm'))
        expect(views[0]).toContain(`consumerGroup=${held.group}, trackType=CONSUMED`)
        const found = await admin.table('queryMsgByKey', '-t', held.topic, '-k', 'key-3')
        expect(found.map(row => row.slice(0, 3))).toEqual([[message.uniqueId, '1', '1']])
        expect((await admin.table('queryMsgByKey', '-t', held.topic, '-k', 'all')).length).toBe(6)
      })

      it('printMsg and consumeMessage show every message with its body', async () => {
        for (const out of [
          await admin.run('printMsg', '-t', held.topic),
          await admin.run('consumeMessage', '-t', held.topic, '-g', group),
        ]) {
          const ids = [...out.matchAll(/^MSGID: (\w+)/gm)].map(match => match[1])
          expect(ids.sort()).toEqual(held.messages.map(message => message.uniqueId).sort())
          for (let n = 0; n < 6; n++) expect(out).toContain(`BODY: message ${n} größe`)
        }
      })

      it('sendMessage', async () => {
        const [row] = await admin.table(
          'sendMessage',
          '-t',
          topic,
          '-p',
          'hello',
          '-k',
          'k1',
          '-c',
          'TagX',
          '-b',
          server.brokerName,
          '-i',
          '2',
        )
        expect(row!.slice(0, 3)).toEqual([server.brokerName, '2', 'SEND_OK'])
        const found = await admin.table('queryMsgByKey', '-t', topic, '-k', 'k1')
        expect(found.map(columns => columns.slice(0, 3))).toEqual([[row![3], '2', '0']])
      })

      it('queryCq', async () => {
        const out = await admin.run('queryCq', '-t', held.topic, '-q', '0', '-i', '0', '-c', '3', '-b', server.broker)
        expect(out).toContain('max: 3, min: 0')
        const positions = [...out.matchAll(/physicOffset=(\d+), physicSize=\d+, tagsCode=(\d+)/g)]
        const hex = [0, 2, 4].map(n => Number.parseInt(held.messages[n]!.offsetId.slice(-16), 16))
        expect(positions.map(match => Number(match[1]))).toEqual(hex)
        expect(positions.map(match => Number(match[2]))).toEqual([2598919, 2598919, 2598920]) // Java hash codes of TagA and TagB
      })

      it('statsAll, brokerConsumeStats', async () => {
        const rows = await admin.table('statsAll', '-t', held.topic)
        const own = rows.find(row => row[1] === held.group)
        expect(own?.slice(0, 3)).toEqual([held.topic, held.group, '0'])
        const consumed = await admin.table('brokerConsumeStats', '-b', server.broker)
        expect(consumed.filter(row => row[1] === held.group && row[0] === held.topic).map(row => row.slice(2, 7))).toEqual([
          [server.brokerName, '0', '3', '3', '0'],
          [server.brokerName, '1', '3', '3', '0'],
        ])
      })

      it('getBrokerConfig, updateBrokerConfig, getNamesrvConfig', async () => {
        const config = values(await admin.run('getBrokerConfig', '-b', server.broker))
        expect(config.get('brokerName')).toBe(server.brokerName)
        expect(config.get('listenPort')).toBe(server.broker.split(':')[1])
        expect(await admin.run('updateBrokerConfig', '-b', server.broker, '-k', 'fileReservedTime', '-v', '49')).toContain(
          'success',
        )
        expect(values(await admin.run('getBrokerConfig', '-b', server.broker)).get('fileReservedTime')).toBe('49')
        expect(await admin.run('getNamesrvConfig')).toContain(server.nameServer)
      })

      it('updateSubGroup, getConsumerConfig, deleteSubGroup', async () => {
        const created = `G_config_${run}`
        expect(await admin.run('updateSubGroup', '-c', server.cluster, '-g', created, '-r', '7')).toContain(
          `create subscription group to ${server.broker} success`,
        )
        const config = values(await admin.run('getConsumerConfig', '-g', created))
        expect([config.get('groupName'), config.get('retryMaxTimes'), config.get('consumeEnable')]).toEqual([
          created,
          '7',
          'true',
        ])
        expect(await admin.run('deleteSubGroup', '-c', server.cluster, '-g', created, '-r', 'true')).toContain('success')
        expect(await admin.print('getConsumerConfig', '-g', created)).not.toContain(`=  ${created}`)
      })

      it('cloneGroupOffset', async () => {
        const copy = `G_copy_${run}`
        await admin.run('updateSubGroup', '-c', server.cluster, '-g', copy)
        expect(await admin.run('cloneGroupOffset', '-s', held.group, '-d', copy, '-t', held.topic, '-o', 'true')).toContain(
          'clone group offset success',
        )
        const consumed = await admin.table('brokerConsumeStats', '-b', server.broker)
        expect(consumed.filter(row => row[1] === copy && row[0] === held.topic).map(row => row[5])).toEqual(['3', '3'])
      })

      it('resetOffsetByTime of a running group answers the new offsets', async () => {
        const rows = await admin.table('resetOffsetByTime', '-g', held.group, '-t', held.topic, '-s', '0')
        expect(rows.map(row => row.slice(0, 3)).sort()).toEqual([
          [server.brokerName, '0', '0'],
          [server.brokerName, '1', '0'],
        ])
      })

      it('updateTopicPerm', async () => {
        expect(await admin.run('updateTopicPerm', '-t', topic, '-p', '4', '-b', server.broker)).toContain(
          'update topic perm from 6 to 4',
        )
        expect(values((await admin.run('topicRoute', '-t', topic)).replaceAll(/[",]/g, '')).get('perm')).toBe('4')
      })

      it('wipeWritePerm, addWritePerm', async () => {
        expect(await admin.run('wipeWritePerm', '-b', server.brokerName)).toMatch(/OK, [1-9]/)
        expect(values((await admin.run('topicRoute', '-t', held.topic)).replaceAll(/[",]/g, '')).get('perm')).toBe('4')
        expect(await admin.run('addWritePerm', '-b', server.brokerName)).toMatch(/OK, [1-9]/)
        expect(values((await admin.run('topicRoute', '-t', held.topic)).replaceAll(/[",]/g, '')).get('perm')).toBe('6')
      })

      it('updateKvConfig, deleteKvConfig, updateOrderConf', async () => {
        expect(await admin.run('updateKvConfig', '-s', 'NS', '-k', 'a', '-v', '1')).toContain('success')
        expect(await admin.run('deleteKvConfig', '-s', 'NS', '-k', 'a')).toContain('success')
        await admin.run('updateOrderConf', '-m', 'put', '-t', topic, '-v', `${server.brokerName}:4`)
        expect(await admin.run('updateOrderConf', '-m', 'get', '-t', topic)).toContain(`orderConf=[${server.brokerName}:4]`)
        await admin.run('updateOrderConf', '-m', 'delete', '-t', topic)
      })

      it('haStatus, cleanUnusedTopic, cleanExpiredCQ', async () => {
        expect(await admin.run('haStatus', '-b', server.broker)).toMatch(/MasterCommitLogMaxOffset\s+[1-9]/)
        expect(await admin.run('cleanUnusedTopic', '-b', server.broker)).toContain('success')
        expect(await admin.run('cleanExpiredCQ', '-b', server.broker)).toContain('success')
        expect((await admin.run('topicList')).split('\n')).toContain(held.topic)
      })

      it('deleteTopic', async () => {
        const out = await admin.run('deleteTopic', '-c', server.cluster, '-t', topic)
        expect(out).toContain(`delete topic [${topic}] from cluster [${server.cluster}] success`)
        expect((await admin.run('topicList')).split('\n')).not.toContain(topic)
        expect(await admin.print('topicRoute', '-t', topic)).toContain('CODE: 17')
      })
    })
  }
})
