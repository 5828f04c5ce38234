import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import type { Credential } from '../../../src/auth/credentials/credential.ts'
import { basic } from '../../../src/auth/methods/basic.ts'
import { hashPassword, PasswordChecks } from '../../../src/auth/methods/password-checks.ts'
import { directoryOf, ENCODER, now, presenting } from '../presenting.ts'

/** A hash that ends when the test says so, and the order in which hashes start. */
function hashing() {
  const started: string[] = []
  const ends = new Map<string, () => void>()
  const hash = (name: string) => () =>
    new Promise<void>((resolve) => {
      started.push(name)
      ends.set(name, resolve)
    })
  const end = async (name: string): Promise<void> => {
    ends.get(name)?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { started, hash, end }
}

describe('PasswordChecks', () => {
  test('lets lanes take turns: wrong passwords of one caller delay another by one hash', async () => {
    const checks = new PasswordChecks({ atOnce: 1, maxWaiting: 64 })
    const { started, hash, end } = hashing()
    const run = (lane: string, name: string) => void checks.run({ lane, isKnown: true }, hash(name))
    for (const name of ['a1', 'a2', 'a3', 'a4']) run('a', name)
    run('b', 'b1')
    await new Promise((resolve) => setImmediate(resolve))
    for (const name of ['a1', 'a2']) await end(name)
    assert.deepEqual(started, ['a1', 'a2', 'b1'])
  })

  test('keeps one of the running hashes, and half of the queue, for users that exist', async () => {
    const checks = new PasswordChecks({ atOnce: 2, maxWaiting: 8 })
    const { started, hash } = hashing()
    const stranger = (i: number) => checks.run({ lane: `192.0.2.${i}`, isKnown: false }, hash(`s${i}`))
    const strangers = Array.from({ length: 80 }, (_, i) => stranger(i).catch((error: { code?: string }) => error.code))
    void checks.run({ lane: 'encoder', isKnown: true }, hash('known'))
    await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(started, ['s0', 'known'])
    const rejected = await Promise.all(strangers.slice(5))
    assert.ok(rejected.every((code) => code === 'ERR_OVERLOADED'))
  })

  test('rejects a caller whose own lane is full, and no other', async () => {
    const checks = new PasswordChecks({ atOnce: 1, maxWaiting: 64 })
    const { hash } = hashing()
    const run = (lane: string) => checks.run({ lane, isKnown: true }, hash(lane))
    for (let i = 0; i < 9; i++) void run('a')
    await assert.rejects(run('a'), { code: 'ERR_OVERLOADED' })
    void run('b')
  })
})

describe('wrong passwords', async () => {
  const credential: Credential = {
    method: 'basic',
    id: 'encoder',
    passwordHash: await hashPassword('open sesame', randomBytes),
  }
  const make = (failures = { perSecond: 1, burst: 2 }) =>
    basic({ clients: directoryOf(credential), now, randomBytes, realm: 'keyspring', failures })
  const by = (user: string, password: string, address = '192.0.2.1') =>
    presenting({ authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` }, { address })

  test('of 80 connections at once do not keep the right user out', async () => {
    const method = make({ perSecond: 1, burst: 20 })
    const wrong = Array.from({ length: 80 }, (_, i) =>
      Promise.resolve(method.verify(by(`guess-${i}`, 'x'))).catch(() => undefined),
    )
    assert.equal(await method.verify(by('encoder', 'open sesame')), ENCODER)
    await Promise.all(wrong)
  })

  test('cost no hash after a few failures of one user from one address, and do not touch other addresses', async () => {
    const method = make()
    for (let i = 0; i < 2; i++) {
      await assert.rejects(async () => method.verify(by('encoder', `x${i}`)), { code: 'ERR_UNAUTHENTICATED' })
    }
    await assert.rejects(async () => method.verify(by('encoder', 'x')), { code: 'ERR_RATE_LIMITED' })
    assert.equal(await method.verify(by('encoder', 'open sesame', '192.0.2.2')), ENCODER)
    await assert.rejects(async () => method.verify(by('nobody', 'x')), { code: 'ERR_UNAUTHENTICATED' })
  })

  test('do not affect a password that was proven before', async () => {
    const method = make()
    await method.verify(by('encoder', 'open sesame'))
    for (let i = 0; i < 4; i++) await Promise.resolve(method.verify(by('encoder', `x${i}`))).catch(() => undefined)
    assert.equal(await method.verify(by('encoder', 'open sesame')), ENCODER)
  })
})
