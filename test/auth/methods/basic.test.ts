import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { createClientDirectory } from '../../../src/auth/clients/directory.ts'
import type { Credential } from '../../../src/auth/credentials/credential.ts'
import { basic, readBasic } from '../../../src/auth/methods/basic.ts'
import { hashPassword } from '../../../src/auth/methods/password-checks.ts'
import { directoryOf, ENCODER, flips, now, presenting, refuses, verified } from '../presenting.ts'

const passwordHash = await hashPassword('open sesame', randomBytes)
const credential: Credential = { method: 'basic', id: 'Aladdin', passwordHash }
const realm = 'keyspring'
const make = () => basic({ clients: directoryOf(credential), now, randomBytes, realm })
const ALADDIN = 'QWxhZGRpbjpvcGVuIHNlc2FtZQ=='

for (const [origin, credentials, user, password] of [
  ['RFC 7617, 2', ALADDIN, 'Aladdin', 'open sesame'],
  ['RFC 7617, 2.1', 'dGVzdDoxMjPCow==', 'test', '123£'],
] as const) {
  test(`reads the credentials of ${origin}`, () => assert.deepEqual(readBasic(credentials), { user, password }))
}

test('reads a password with colons', () => {
  assert.deepEqual(readBasic(Buffer.from('a:b:c').toString('base64')), { user: 'a', password: 'b:c' })
})

describe('basic', () => {
  test('accepts the right password, and again without another hash', async () => {
    const method = make()
    const presented = presenting({ authorization: `Basic ${ALADDIN}` })
    assert.equal(await verified(method, presented), ENCODER)
    const full = basic({ clients: directoryOf(credential), now, randomBytes, realm, maxHashing: 1, maxWaiting: 0 })
    await full.verify(presented)
    const stranger = full.verify(presenting({ authorization: `Basic ${encoded('nobody', 'at all')}` }))
    // The only hash that may run is under way, so this one can only come from memory.
    assert.equal(await full.verify(presented), ENCODER)
    await assert.rejects(async () => stranger, { code: 'ERR_UNAUTHENTICATED' })
  })

  test('hashes a credential once for all requests that bring it at the same time', async () => {
    const method = basic({ clients: directoryOf(credential), now, randomBytes, realm, maxHashing: 1, maxWaiting: 0 })
    const presented = presenting({ authorization: `Basic ${ALADDIN}` })
    const all = await Promise.all(Array.from({ length: 20 }, () => method.verify(presented)))
    assert.ok(all.every((client) => client === ENCODER))
  })

  test('says that it is busy rather than hash too many passwords at once', async () => {
    const method = basic({ clients: directoryOf(credential), now, randomBytes, realm, maxHashing: 1, maxWaiting: 0 })
    const first = method.verify(presenting({ authorization: `Basic ${ALADDIN}` }))
    const second = async () => method.verify(presenting({ authorization: `Basic ${encoded('Aladdin', 'x')}` }))
    await assert.rejects(second, { code: 'ERR_OVERLOADED' })
    assert.equal(await first, ENCODER)
  })

  test('lets the encryptors that come together after a restart wait for their turn', async () => {
    const users = ['a', 'b', 'c'].map((id) => ({ ...credential, id }))
    const method = basic({
      clients: createClientDirectory(users.map(registered)),
      now,
      randomBytes,
      realm,
      maxHashing: 1,
    })
    const all = users.map(async ({ id }) =>
      method.verify(presenting({ authorization: `Basic ${encoded(id, 'open sesame')}` })),
    )
    assert.deepEqual(
      (await Promise.all(all)).map(({ name }) => name),
      ['a', 'b', 'c'],
    )
  })

  test('forgets a password that was changed', async () => {
    const other: Credential = { ...credential, passwordHash: await hashPassword('closed', randomBytes) }
    let clients = directoryOf(credential)
    const directory = { find: ((method, id) => clients.find(method, id)) as typeof clients.find }
    const method = basic({ clients: directory, now, randomBytes, realm })
    const presented = presenting({ authorization: `Basic ${ALADDIN}` })
    await verified(method, presented)
    clients = directoryOf(other)
    await refuses(method, presented, 'mismatch')
  })

  test('rejects a wrong password and an unknown user alike', async () => {
    const method = make()
    await refuses(method, presenting({ authorization: `Basic ${encoded('Aladdin', 'open')}` }), 'mismatch')
    await refuses(method, presenting({ authorization: `Basic ${encoded('Jafar', 'open sesame')}` }), 'unknown')
  })

  test('rejects the credential with any character changed', async () => {
    const method = make()
    for (const changed of flips(ALADDIN)) {
      await refuses(method, presenting({ authorization: `Basic ${changed}` }), 'mismatch', 'unknown', 'malformed')
    }
  })

  test('rejects control characters: with a NUL behind it a password has the same hash', async () => {
    const method = make()
    for (const password of ['open sesame\u0000', 'open sesame\n', '\u0085open sesame']) {
      await refuses(method, presenting({ authorization: `Basic ${encoded('Aladdin', password)}` }), 'malformed')
    }
  })

  test('is neither taken nor offered in the clear', async () => {
    const method = make()
    const clear = presenting({ authorization: `Basic ${ALADDIN}` }, { secure: false })
    await refuses(method, clear, 'insecure')
    assert.deepEqual(method.challenges?.(clear), [])
    assert.deepEqual(method.challenges?.(presenting()), ['Basic realm="keyspring", charset="UTF-8"'])
  })

  test('rejects a password hash that it did not write, without showing it', async () => {
    const method = basic({ clients: directoryOf({ ...credential, passwordHash: 'hunter2' }), now, randomBytes, realm })
    await assert.rejects(
      async () => method.verify(presenting({ authorization: `Basic ${ALADDIN}` })),
      (error: Error) => !error.message.includes('hunter2') && 'code' in error && error.code === 'ERR_CONFIG_INVALID',
    )
  })
})

test('rejects a realm that would break out of its quotes', () => {
  for (const bad of ['', 'a"b', 'a\\b', 'a\r\nb', 'é']) {
    assert.throws(() => basic({ clients: directoryOf(), now, randomBytes, realm: bad }), { code: 'ERR_CONFIG_INVALID' })
  }
})

function registered(one: Credential) {
  return { client: { ...ENCODER, name: one.id }, credentials: [one] }
}

function encoded(user: string, password: string): string {
  return Buffer.from(`${user}:${password}`).toString('base64')
}
