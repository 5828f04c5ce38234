import { generateKeyPairSync } from 'node:crypto'
import { certificateOf, evenPublicKey, rsaKeys, rsaPublicKey } from '../../test/formats/cpix/certificates.ts'
import type { Attack, Group } from './case.ts'
import { SOUND, withInside, withRecipients } from './documents.ts'

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
const good = certificateOf({ publicKey: rsaKeys(2048).publicKey })
const huge = Buffer.alloc(256, 0xff)

const refused = (name: string, ...certificates: readonly string[]): Attack => ({
  name,
  expected: [422, 413],
  send: (target) => target.post(withRecipients(...certificates)),
})
const answered = (name: string, xml: () => string): Attack => ({
  name,
  expected: [200],
  send: (target) => target.post(xml()),
  problem: ({ text }) => (text.includes('PlainValue') ? 'it holds keys in the clear' : undefined),
})
const document = (name: string, expected: readonly number[], xml: string): Attack => ({
  name,
  expected,
  send: (target) => target.post(xml),
  problem: ({ text }) => (/PlainValue>[^<]/.test(text) ? 'it holds keys in the clear' : undefined),
})

export const RECIPIENTS: Group = {
  name: 'certificates of recipients',
  attacks: [
    refused('RSA 16384', base64(certificateOf({ publicKey: rsaPublicKey(16_384) }))),
    refused('RSA 8192', base64(certificateOf({ publicKey: rsaPublicKey(8_192) }))),
    refused('RSA 1024', base64(certificateOf({ publicKey: rsaPublicKey(1_024) }))),
    refused('RSA 512', base64(certificateOf({ publicKey: rsaPublicKey(512) }))),
    refused('exponent 1', base64(certificateOf({ publicKey: rsaPublicKey(2_048, Buffer.of(1)) }))),
    refused('exponent 2', base64(certificateOf({ publicKey: rsaPublicKey(2_048, Buffer.of(2)) }))),
    refused('exponent of 2048 bits', base64(certificateOf({ publicKey: rsaPublicKey(2_048, huge) }))),
    refused('an even modulus', base64(certificateOf({ publicKey: evenPublicKey() }))),
    refused(
      'EC P-256',
      base64(certificateOf({ publicKey: generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey })),
    ),
    refused('Ed25519', base64(certificateOf({ publicKey: generateKeyPairSync('ed25519').publicKey }))),
    refused('X25519', base64(certificateOf({ publicKey: generateKeyPairSync('x25519').publicKey }))),
    refused('expired', base64(certificateOf({ publicKey: rsaKeys(2048).publicKey, validTo: Date.UTC(2026, 0, 2) }))),
    refused(
      'not yet valid',
      base64(
        certificateOf({
          publicKey: rsaKeys(2048).publicKey,
          validFrom: Date.UTC(2040, 0, 1),
          validTo: Date.UTC(2041, 0, 1),
        }),
      ),
    ),
    refused('PEM', `-----BEGIN CERTIFICATE-----\n${base64(good)}\n-----END CERTIFICATE-----`),
    refused(
      'PEM in base64',
      base64(Buffer.from(`-----BEGIN CERTIFICATE-----\n${base64(good)}\n-----END CERTIFICATE-----\n`)),
    ),
    refused('a byte behind it', base64(Buffer.concat([good, Buffer.of(0)]))),
    refused('two in one', base64(Buffer.concat([good, good]))),
    refused('a byte missing', base64(good.subarray(0, -1))),
    refused('half of it', base64(good.subarray(0, good.length / 2))),
    refused(
      'a flipped length',
      base64(Buffer.concat([Buffer.of(0x30, 0x84, 0x7f, 0xff, 0xff, 0xff), good.subarray(4)])),
    ),
    refused('zeros', base64(Buffer.alloc(1_000))),
    refused('an indefinite length', base64(Buffer.concat([Buffer.of(0x30, 0x80), good.subarray(4)]))),
    refused('DER nested 5 000 deep', base64(Buffer.alloc(10_000, Buffer.of(0x30, 0x80)))),
    refused('nothing', ''),
    refused('no base64', '!!!!'),
    refused('base64url', base64(good).replaceAll('+', '-').replaceAll('/', '_').concat('_')),
    refused('base64 of 500 KB', 'A'.repeat(500_000)),
    refused('base64 with padding inside', `${base64(good).slice(0, 100)}==${base64(good).slice(100)}`),
    refused('a good one and a bad one', base64(good), 'AAAA'),
    refused('a public key alone', base64(rsaKeys(2048).publicKey.export({ type: 'spki', format: 'der' }))),
    refused('a private key', base64(rsaKeys(2048).privateKey.export({ type: 'pkcs8', format: 'der' }))),
    answered('the same 32 times', () => withRecipients(...Array.from({ length: 32 }, () => base64(good)))),
    answered('base64 in lines', () => withRecipients(base64(good).replace(/.{64}/g, '$&\r\n'))),
    document(
      'an empty list',
      [422],
      SOUND.replace('<cpix:ContentKeyList>', '<cpix:DeliveryDataList/><cpix:ContentKeyList>'),
    ),
    document(
      'two lists',
      [422],
      withRecipients(base64(good)).replace(
        /<cpix:DeliveryDataList>.*<\/cpix:DeliveryDataList>/s,
        (list) => list + list,
      ),
    ),
    document('a list of another namespace', [422], withInside('<DeliveryDataList xmlns="urn:other"/>')),
    document('a list of another case', [422], withInside('<cpix:deliverydatalist/>')),
    document('DeliveryData outside of a list', [422], withInside('<cpix:DeliveryData/>')),
    document(
      'a DocumentKey in the request',
      [422],
      withRecipients(base64(good)).replace('</cpix:DeliveryData>', '<cpix:DocumentKey/></cpix:DeliveryData>'),
    ),
    document(
      'a MACMethod in the request',
      [422],
      withRecipients(base64(good)).replace('</cpix:DeliveryData>', '<cpix:MACMethod/></cpix:DeliveryData>'),
    ),
    document('no DeliveryKey', [422], withRecipients(base64(good)).replaceAll('DeliveryKey', 'DeliveryLock')),
  ],
}
