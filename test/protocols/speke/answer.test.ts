import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { KeyProviderError } from '../../../src/core/errors.ts'
import type { LedgerEntry } from '../../../src/keys/ledger/ledger.ts'
import { type IssuedAnswer, SpekeAnswerer, type SpekeRequest } from '../../../src/protocols/speke/answer.ts'
import { DEFAULT_POLICY, DEFAULT_PROFILE } from '../../../src/protocols/speke/profile.ts'
import { PlayerUrls } from '../../../src/protocols/speke/urls.ts'
import { findBuiltIn, NOW, openContentOf, testKey } from './answering.ts'
import { KID, requestFor, WIDEVINE } from './documents.ts'

const REQUEST: SpekeRequest = {
  versionHeader: '2.0',
  bytes: Buffer.from(requestFor({ systems: [WIDEVINE] })),
  tenant: 'studio',
  client: 'encoder',
}

/** An answerer, and the order of its steps. */
function answererWith(steps: string[]) {
  const records: LedgerEntry[][] = []
  const content = openContentOf({
    async issue(wanted) {
      steps.push('issue')
      return { keys: wanted.map(testKey), first: true }
    },
  })
  const answerer = new SpekeAnswerer({
    contentKeys: {
      async open() {
        steps.push('open')
        return content
      },
    },
    findDrmSystem: findBuiltIn,
    profileFor: () => DEFAULT_PROFILE,
    policy: DEFAULT_POLICY,
    xmlLimits: {},
    urls: new PlayerUrls('https://keys.example.com'),
    record(entries) {
      steps.push('record')
      records.push([...entries])
    },
    warn: () => assert.fail('nothing to warn of'),
    now: () => NOW,
    randomBytes,
  })
  return { answerer, records }
}

describe('a SPEKE request', () => {
  test('is authorized, issued, audited and recorded, in this order, also when it is repeated', async () => {
    const steps: string[] = []
    const { answerer } = answererWith(steps)
    const request: SpekeRequest = {
      ...REQUEST,
      authorize: () => void steps.push('authorize'),
      audit: async () => void steps.push('audit'),
    }
    const inOrder = ['authorize', 'open', 'issue', 'audit', 'record']
    for (let times = 0; times < 3; times++) await answerer.answer(request)
    assert.deepEqual(steps, [...inOrder, ...inOrder, ...inOrder])
  })

  test('opens nothing if the caller has no permission', async () => {
    const steps: string[] = []
    const { answerer } = answererWith(steps)
    const forbidden = new KeyProviderError('ERR_FORBIDDEN', 'no permission')
    const authorize = (): never => {
      throw forbidden
    }
    await assert.rejects(answerer.answer({ ...REQUEST, authorize }), (error) => error === forbidden)
    assert.deepEqual(steps, [])
  })

  test('is neither answered nor recorded if the audit log rejects it', async () => {
    const steps: string[] = []
    const { answerer } = answererWith(steps)
    const unavailable = new KeyProviderError('ERR_AUDIT_UNAVAILABLE', 'the disk is full')
    const audit = (): Promise<void> => Promise.reject(unavailable)
    await assert.rejects(answerer.answer({ ...REQUEST, audit }), (error) => error === unavailable)
    assert.ok(!steps.includes('record'))
  })

  test('passes the issued keys to the audit log: caller, content, number of keys and ledger entries', async () => {
    const audited: IssuedAnswer[] = []
    const { answerer, records } = answererWith([])
    const { body, spekeVersion, emptySystems, ...issued } = await answerer.answer({
      ...REQUEST,
      audit: async (one) => void audited.push(one),
    })
    assert.ok(body.length > 0)
    assert.deepEqual([spekeVersion, emptySystems], ['2.0', 0])
    assert.deepEqual(audited, [issued])
    assert.deepEqual(issued.records, records[0])
    assert.deepEqual(
      [issued.tenant, issued.client, issued.keys, issued.first, issued.records[0]?.keys[0]?.kid],
      ['studio', 'encoder', 1, true, KID],
    )
  })
})
