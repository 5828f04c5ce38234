import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { readCpix } from '../../../src/formats/cpix/document.ts'
import { checkSignatures } from '../../../src/formats/cpix/signature.ts'
import { readXml } from '../../../src/formats/xml/reader.ts'
import { documentToSign, newSigner, type SigningOptions, signedXml } from './signing.ts'

const KIDS = ['3f1c9a52-6b0e-4d87-9c34-1e5a70b2d801', '3f1c9a52-6b0e-4d87-9c34-1e5a70b2d802']
const INCLUSIVE = 'http://www.w3.org/TR/2001/REC-xml-c14n-20010315'
const signer = newSigner()
const fingerprint = createHash('sha256').update(signer.certificate).digest('hex')
const plain = documentToSign(KIDS)

const check = async (xml: string) => checkSignatures(readCpix(readXml(Buffer.from(xml))))
async function problemsOf(xml: string): Promise<readonly (string | undefined)[]> {
  return (await check(xml)).map(({ problem }) => problem)
}

describe('the signatures of a CPIX document', () => {
  test('a document without any has none', async () => {
    assert.deepEqual(await check(plain), [])
  })

  const valid: Readonly<Record<string, readonly [SigningOptions, readonly string[]]>> = {
    'of the whole document': [{}, ['CPIX']],
    'of the whole document, in inclusive C14N': [{ c14n: INCLUSIVE }, ['CPIX']],
    'of the key list': [{ ids: ['keys'] }, ['ContentKeyList']],
    'of two lists': [{ ids: ['keys', 'rules'], c14n: INCLUSIVE }, ['ContentKeyList', 'ContentKeyUsageRuleList']],
    'with SHA-256': [
      {
        signatureAlgorithm: 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
        digestAlgorithm: 'http://www.w3.org/2001/04/xmlenc#sha256',
      },
      ['CPIX'],
    ],
  }
  for (const [name, [options, covers]] of Object.entries(valid)) {
    test(`a signature ${name} is valid, and names its certificate`, async () => {
      const [found, ...others] = await check(signedXml(plain, signer, options))
      assert.deepEqual(others, [])
      assert.equal(found?.problem, undefined)
      assert.deepEqual([found?.covers, found?.fingerprint, found?.path], [covers, fingerprint, 'CPIX/Signature'])
    })
  }

  test('two signatures, of a list and then of the document, are both valid', async () => {
    const twice = signedXml(signedXml(plain, signer, { ids: ['keys'] }), newSigner())
    assert.deepEqual(await problemsOf(twice), [undefined, undefined])
  })

  for (const [name, options] of Object.entries({ enveloped: {}, 'of a list': { ids: ['keys'] } })) {
    const signed = signedXml(plain, signer, options)
    test(`a changed key breaks a signature ${name}`, async () => {
      const changed = signed.replace(/<pskc:PlainValue>../, '<pskc:PlainValue>AA')
      assert.notEqual(changed, signed)
      assert.deepEqual(await problemsOf(changed), ['the signed elements were changed after they were signed'])
    })

    test(`a changed signature value breaks a signature ${name}`, async () => {
      const changed = signed.replace(/<SignatureValue>..../, '<SignatureValue>AAAA')
      const [problem] = await problemsOf(changed)
      assert.match(problem ?? '', /does not match|were changed/)
    })

    test(`another certificate breaks a signature ${name}`, async () => {
      const changed = signed.replace(signer.certificate.toString('base64'), newSigner().certificate.toString('base64'))
      assert.match((await problemsOf(changed))[0] ?? '', /does not match|were changed/)
    })
  }

  test('a list that was wrapped into another element does not pass as the signed one', async () => {
    const signed = signedXml(plain, signer, { ids: ['keys'] })
    const original = /<ContentKeyList id="keys">.*<\/ContentKeyList>/.exec(signed)?.[0] ?? assert.fail()
    const forged = original.replace('id="keys"', '').replace(/<pskc:PlainValue>../, '<pskc:PlainValue>AA')
    const wrapped = signed
      .replace(original, forged)
      .replace('</CPIX>', `<x:Extension xmlns:x="urn:x">${original}</x:Extension></CPIX>`)
    await assert.rejects(problemsOf(wrapped), { code: 'ERR_CPIX_INVALID', path: 'CPIX/Extension/ContentKeyList' })
  })

  test('an id that two elements have is not accepted', async () => {
    const signed = signedXml(plain, signer, { ids: ['keys'] })
    const twice = signed.replace('id="rules"', 'id="keys"')
    assert.match((await problemsOf(twice))[0] ?? '', /id of one list of the document/)
  })

  const unsupported: Readonly<Record<string, readonly [xml: string, says: RegExp]>> = {
    'SHA-1': [
      signedXml(plain, signer, { signatureAlgorithm: 'http://www.w3.org/2000/09/xmldsig#rsa-sha1' }),
      /SignatureMethod\/@Algorithm is not supported/,
    ],
    'SHA-1 digests': [
      signedXml(plain, signer, { digestAlgorithm: 'http://www.w3.org/2000/09/xmldsig#sha1' }),
      /DigestMethod\/@Algorithm is not supported/,
    ],
    HMAC: [
      signedXml(plain, signer).replace(
        'http://www.w3.org/2001/04/xmldsig-more#rsa-sha512',
        'http://www.w3.org/2000/09/xmldsig#hmac-sha1',
      ),
      /SignatureMethod/,
    ],
    'an XSLT transform': [
      signedXml(plain, signer).replace(
        'http://www.w3.org/2000/09/xmldsig#enveloped-signature',
        'http://www.w3.org/TR/1999/REC-xslt-19991116',
      ),
      /Transform\/@Algorithm/,
    ],
    'a URL to fetch': [signedXml(plain, signer).replace('URI=""', 'URI="http://127.0.0.1/x"'), /Reference\/@URI/],
    'no certificate': [signedXml(plain, signer).replace(/<KeyInfo>.*<\/KeyInfo>/, ''), /X509Certificate is missing/],
    'a certificate that is none': [
      signedXml(plain, signer).replace(signer.certificate.toString('base64'), 'AAAA'),
      /cannot be read as X.509/,
    ],
    'a weak key': [signedXml(plain, newSigner(1024)), /at least 2048 bits/],
  }
  for (const [name, [xml, says]] of Object.entries(unsupported)) {
    test(`a signature with ${name} is not accepted, and the problem says so`, async () => {
      assert.match((await problemsOf(xml))[0] ?? '', says)
    })
  }

  test('more than eight are not verified', async () => {
    const signature = /<Signature .*<\/Signature>/.exec(signedXml(plain, signer))?.[0] ?? assert.fail()
    const problems = await problemsOf(plain.replace('</CPIX>', `${signature.repeat(9)}</CPIX>`))
    assert.equal(problems.length, 9)
    for (const problem of problems) assert.match(problem ?? '', /at most 8 signatures/)
  })
})

const XMLSEC = ['/usr/bin/xmlsec1', '/usr/local/bin/xmlsec1'].find(existsSync)

test('xmlsec1 accepts the same signatures', { skip: XMLSEC === undefined }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'keyspring-xmlsec-'))
  try {
    const [xml, certificate] = ['signed.xml', 'signer.der'].map((name) => join(directory, name))
    writeFileSync(xml ?? '', signedXml(plain, signer))
    writeFileSync(certificate ?? '', signer.certificate)
    execFileSync(XMLSEC ?? '', ['--verify', '--pubkey-cert-der', certificate ?? '', xml ?? ''])
  } finally {
    rmSync(directory, { recursive: true })
  }
})
