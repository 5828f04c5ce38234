import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { readClientCert, subjectAltNames } from '../../../src/auth/certificate.ts'
import { createClientDirectory } from '../../../src/auth/clients/directory.ts'
import type { Credential } from '../../../src/auth/credentials/credential.ts'
import { mtls } from '../../../src/auth/methods/mtls.ts'
import { certificateOf, directoryOf, ENCODER, flips, now, presenting, refuses, verified } from '../presenting.ts'

interface Vector {
  readonly name: string
  readonly origin: string
  readonly header: string
  readonly subjectAltNames: readonly string[]
}

const vectors = JSON.parse(readFileSync(new URL('../../vectors/client-cert.json', import.meta.url), 'utf8')) as Vector[]
const example = vectors[0]?.header ?? assert.fail('no vector')
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const derOf = (header: string): Buffer => Buffer.from(header.slice(1, -1), 'base64')

for (const { name, origin, header, subjectAltNames: names } of vectors) {
  describe(`Client-Cert vector: ${name} (${origin})`, () => {
    test('is read', () => {
      const read = readClientCert(header)
      assert.deepEqual([read?.fingerprint256, read?.subjectAltNames], [sha256(derOf(header)), names])
      assert.deepEqual([read?.isVerified, read?.issuers, read?.raw], [true, [], undefined])
    })
    test('no truncation of the certificate is', () => {
      const der = derOf(header)
      for (let length = 0; length < der.length; length++) {
        assert.equal(readClientCert(`:${der.subarray(0, length).toString('base64')}:`), undefined)
      }
    })
    test('nor a byte more', () => {
      assert.equal(readClientCert(`:${Buffer.concat([derOf(header), Buffer.of(0)]).toString('base64')}:`), undefined)
    })
    test('nor what is no byte sequence', () => {
      for (const value of [
        '',
        ':',
        '::',
        header.slice(1),
        header.slice(0, -1),
        `${header}, ${header}`,
        `${header};a=1`,
      ]) {
        assert.equal(readClientCert(value), undefined)
      }
    })
  })
}

const credentialOf = (id: string): Credential => ({ method: 'certificate', id })
const fingerprint = sha256(derOf(example))
const BEHIND_PROXY = { isFromTrustedProxy: true }
const method = mtls({ clients: directoryOf(credentialOf(fingerprint)), now })

describe('mtls', () => {
  const colons = fingerprint.toUpperCase().match(/../g)?.join(':') ?? ''

  test('finds the client by the fingerprint of the connection, spelled in any way', async () => {
    for (const fingerprint256 of [fingerprint, colons]) {
      const clientCertificate = certificateOf({ fingerprint256 })
      assert.equal(await verified(method, presenting({}, { clientCertificate })), ENCODER)
    }
  })

  test('rejects a fingerprint with any character changed', async () => {
    for (const changed of flips(fingerprint)) {
      const clientCertificate = certificateOf({ fingerprint256: changed })
      await refuses(method, presenting({}, { clientCertificate }), 'unknown')
    }
  })

  test('finds the client by a subjectAltName', async () => {
    const clientCertificate = readClientCert(vectors[1]?.header ?? '') ?? assert.fail('not read')
    const named = mtls({ clients: directoryOf(credentialOf('URI:spiffe://studio/encoder')), now })
    assert.equal(await verified(named, presenting({}, { clientCertificate })), ENCODER)
  })

  test('rejects a certificate whose names are of two clients', async () => {
    const clients = createClientDirectory([
      { client: ENCODER, credentials: [credentialOf('DNS:a')] },
      { client: { ...ENCODER, name: 'other' }, credentials: [credentialOf('DNS:b')] },
    ])
    const clientCertificate = certificateOf({ fingerprint256: 'ff', subjectAltNames: ['DNS:a', 'DNS:b'] })
    await refuses(mtls({ clients, now }), presenting({}, { clientCertificate }), 'ambiguous')
  })

  test('accepts Client-Cert from a trusted proxy, and goes by it rather than by the proxy’s own certificate', async () => {
    const clientCertificate = certificateOf({ fingerprint256: 'ff' })
    const given = presenting({ 'client-cert': example }, { ...BEHIND_PROXY, clientCertificate })
    for (const _ of [1, 2]) assert.equal(await verified(method, given), ENCODER)
  })

  test('ignores Client-Cert from anybody else', () => {
    assert.equal(method.recognizes(presenting({ 'client-cert': example })), false)
  })

  test('rejects a Client-Cert that is malformed or comes twice', async () => {
    await refuses(method, presenting({ 'client-cert': ':AAAA:' }, BEHIND_PROXY), 'malformed')
    const rawHeaders = ['Client-Cert', example, 'Client-Cert', example]
    await refuses(method, presenting({ 'client-cert': example }, { ...BEHIND_PROXY, rawHeaders }), 'ambiguous')
  })
})

test('a name in quotes can feign no other', () => {
  assert.deepEqual(subjectAltNames('DNS:"evil, DNS:encoder.example", DNS:own.example'), ['DNS:own.example'])
  assert.deepEqual(subjectAltNames('IP Address:10.0.0.1, URI:a:b'), ['IP Address:10.0.0.1', 'URI:a:b'])
  assert.deepEqual(subjectAltNames(undefined), [])
})
