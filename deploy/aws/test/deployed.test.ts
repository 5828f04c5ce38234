import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { openDynamoDbStore } from '../../../src/adapters/store/dynamodb/store.ts'
import { startFakeKms } from '../../../test/adapters/root-keys/fake-kms.ts'
import { startDynamoDb } from '../../../test/adapters/store/dynamodb/server.ts'
import { recordOf } from '../../../test/adapters/store/ledger-store-contract.ts'
import { AES_128, KIDS, requestFor } from '../../../test/protocols/speke/documents.ts'
import { eventOf, readResult, recorded } from '../../../test/server/lambda/events.ts'
import { bundle, type Instance, startInstance } from '../../../test/server/lambda/instance.ts'
import { SIGNED } from './answers.ts'
import { type IamProxy, startIamProxy } from './iam-proxy.ts'
import { ACCOUNT, deploy, type Plain, REGION, resource } from './resolve.ts'
import { createTable } from './table.ts'
import { scratch, templateOf } from './templates.ts'

const deployed = deploy(templateOf('keyspring-serverless'), {
  ...SIGNED,
  LiveContentIds: 'live-*',
  LiveRetentionDays: 7,
  EventBusName: 'media',
})
const [built, dynamoDb, kms] = await Promise.all([bundle(), startDynamoDb(), startFakeKms()])
await createTable(dynamoDb.client, 'Table', resource(deployed, 'Table').properties)
const started: { readonly instance: Instance; readonly iam: IamProxy }[] = []
after(async () => {
  await Promise.all(started.map(({ instance }) => instance.stop()))
  await Promise.all(started.map(({ iam }) => iam.close()))
  built.remove()
  await Promise.all([dynamoDb.remove(), kms.close()])
})

/** A directory that nobody makes: on Lambda nobody can. */
const DATA = join(scratch(), 'data')

/** A function as the template makes it: its settings, and what the policies of a role let it do. */
async function start(id: string, role = `${id}Role`) {
  const iam = await startIamProxy(deployed, role, { dynamodb: dynamoDb.endpoint, kms: kms.url })
  const instance = startInstance(built.file, {
    ...resource(deployed, id).properties.Environment.Variables,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_REGION: REGION,
    AWS_LAMBDA_FUNCTION_NAME: id,
    AWS_ENDPOINT_URL_EVENTBRIDGE: iam.url,
    KEYSPRING_DATA: DATA,
    KEYSPRING_DYNAMODB_ENDPOINT: iam.url,
    KEYSPRING_ROOT_KEY_AWS_KMS_ENDPOINT: iam.url,
  })
  started.push({ instance, iam })
  return { instance, iam }
}

const [KID = ''] = KIDS
/** What API Gateway sends for MediaPackage, in the role of the stack or of another account's. */
function askFor(contentId: string, accountId = ACCOUNT): Plain {
  const event: Plain = eventOf('rest-api', {
    method: 'POST',
    path: '/copyProtection',
    headers: { 'Content-Type': 'application/xml', 'X-Speke-Version': '2.0' },
    body: requestFor({ contentId, kids: [KID], scheme: 'cbc1', systems: [AES_128] }),
    caller: `arn:aws:sts::${accountId}:assumed-role/MediaPackageInvokeSPEKERole/MediaPackage`,
  })
  const { requestContext } = event
  return { ...event, requestContext: { ...requestContext, identity: { ...requestContext.identity, accountId } } }
}
const fetchKey = (contentId: string) =>
  eventOf('rest-api', { method: 'GET', path: `/keys/default/${contentId}/${KID}`, headers: {} })
const keyIn = (xml: string): Buffer => Buffer.from(/PlainValue>([^<]+)</.exec(xml)?.[1] ?? '', 'base64')

describe('the functions with the settings, the table and the rights of the template', () => {
  test('an encryptor gets a key, a player the same one; neither function tries what it may not', async () => {
    const issuer = await start('Issuer')
    const answer = readResult(await issuer.instance.invoke(askFor('live-1')))
    assert.equal(answer.status, 200, answer.bytes.toString())
    const key = keyIn(answer.bytes.toString())
    assert.equal(key.length, 16)
    assert.deepEqual([...issuer.iam.refused], [])
    assert.ok(issuer.iam.done.has('kms:GenerateDataKey'))

    const player = await start('Player')
    const delivered = readResult(await player.instance.invoke(fetchKey('live-1')))
    assert.equal(delivered.status, 200, delivered.bytes.toString())
    assert.deepEqual(Buffer.from(delivered.bytes), key)
    assert.equal(delivered.headers['cache-control'], 'no-store')
    assert.deepEqual([...player.iam.refused], [])
    assert.ok(![...player.iam.done].some((action) => /Put|Update|Delete|Generate/.test(action)))
  })

  test('the answer of an encryptor names the domain of players', async () => {
    const { instance } = await start('Issuer')
    const text = readResult(await instance.invoke(askFor('live-2'))).bytes.toString()
    const signaling = [...text.matchAll(/HLSSignalingData[^>]*>([^<]+)</g)].map(([, one = '']) =>
      Buffer.from(one, 'base64').toString(),
    )
    assert.ok(signaling.length > 0)
    for (const line of signaling) assert.match(line, /https:\/\/keys\.example\.com\/keys\/default\/live-2\//)
  })

  test('what sweeps looks through the table with its own rights', async () => {
    const { instance, iam } = await start('Sweeper')
    assert.deepEqual(await instance.invoke(recorded('schedule').event), { statusCode: 200 })
    assert.ok(iam.done.has('dynamodb:Scan'))
    assert.deepEqual([...iam.refused], [])
  })

  test('what watches finds a channel that stopped, with its own rights, and tells of it once', async () => {
    const store = await openDynamoDbStore({
      table: 'Table',
      endpoint: dynamoDb.endpoint,
      region: REGION,
      now: () => Date.now(),
      graceMs: 0,
    })
    const begin = Date.now() - 15 * 60_000
    await store.record(
      Array.from({ length: 6 }, (_, i) => {
        const at = begin + i * 60_000
        return recordOf({
          contentId: 'stopped',
          periodId: `p${i}`,
          periodIndex: i,
          firstAt: at,
          lastAt: at,
          keepUntil: undefined,
        })
      }),
    )
    await store.close()
    const event: Plain = JSON.parse(resource(deployed, 'WatcherSchedule').properties.Targets[0].Input)
    const { instance, iam } = await start('Watcher')
    assert.deepEqual(await instance.invoke(event), { statusCode: 200 })
    assert.deepEqual([...iam.refused], [])
    assert.deepEqual(
      iam.published.map(({ DetailType, Detail }) => [DetailType, JSON.parse(Detail).subject]),
      Array.from({ length: 3 }, () => ['rotation.missed', 'stopped']),
    )
    assert.match(instance.output(), /"keyspring_rotations_missed_total":3/)
    const again = await start('Watcher')
    await again.instance.invoke(event)
    assert.deepEqual([...again.iam.published, ...again.iam.refused], [])
  })

  test('with the rights of players nobody makes a key: an error, never another key', async () => {
    const { instance, iam } = await start('Issuer', 'PlayerRole')
    const { status, bytes } = readResult(await instance.invoke(askFor('live-3')))
    assert.equal(status, 503)
    assert.equal(keyIn(bytes.toString()).length, 0)
    assert.ok(iam.refused.size > 0)
  })

  test('events are on the bus when the answer is given', async () => {
    const { instance, iam } = await start('Issuer')
    await instance.invoke(askFor('live-5'))
    const [event, second] = iam.published
    assert.equal(second, undefined)
    assert.deepEqual([event?.EventBusName, event?.Source, event?.DetailType], ['media', 'keyspring', 'key.issued'])
    assert.equal(JSON.parse(event?.Detail ?? '').subject, 'live-5')
    assert.deepEqual([...iam.refused], [])
  })

  test('nothing is written on a disk, and no line says that something could not be', async () => {
    const { instance } = await start('Issuer')
    await instance.invoke(askFor('live-4'))
    const { instance: sweeper } = await start('Sweeper')
    await sweeper.invoke(recorded('schedule').event)
    assert.equal(existsSync(DATA), false)
    for (const one of [instance, sweeper]) assert.doesNotMatch(one.output(), /"level":"(?:warn|error)"/)
  })

  test('a caller of another account is refused', async () => {
    const { instance } = await start('Issuer')
    assert.equal(readResult(await instance.invoke(askFor('live-1', '999999999999'))).status, 401)
  })
})
