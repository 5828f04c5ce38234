import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { diffCpix } from '../../../src/toolkit/inspect/diff.ts'
import { renderDiff } from '../../../src/toolkit/inspect/render.ts'
import { certificateOf, rsaKeys } from '../../formats/cpix/certificates.ts'
import { answering, VECTOR_KEY, VECTOR_KID } from '../../protocols/speke/answering.ts'
import { KIDS, PLAYREADY, requestFor, WIDEVINE } from '../../protocols/speke/documents.ts'

const { publicKey, privateKey } = rsaKeys(2048)
const certificate = certificateOf({ publicKey }).toString('base64')
const deliveryData = `<cpix:DeliveryData><cpix:DeliveryKey><ds:X509Data xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Certificate>${certificate}</ds:X509Certificate></ds:X509Data></cpix:DeliveryKey></cpix:DeliveryData>`
const wish = { kids: [VECTOR_KID, KIDS[1] ?? ''], systems: [WIDEVINE, PLAYREADY], scheme: 'cenc' }
const answer = answering()
const clear = (await answer('2.0', requestFor(wish))).xml
const encrypted = (await answer('2.0', requestFor(wish, { deliveryData }))).xml
const again = (await answer('2.0', requestFor(wish, { deliveryData }))).xml

describe('documents that say the same', () => {
  const same: readonly (readonly [title: string, document: string])[] = [
    ['with another prefix', clear.replaceAll('cpix:', 'c:').replace('xmlns:cpix', 'xmlns:c')],
    ['with kids in capitals', clear.replaceAll(VECTOR_KID, VECTOR_KID.toUpperCase())],
    ['with white space and comments', clear.replaceAll('><', '>\n <!-- here --><')],
    [
      'with keys in another order',
      clear.replace(/(<cpix:ContentKey .*?<\/cpix:ContentKey>)(<cpix:ContentKey .*?<\/cpix:ContentKey>)/, '$2$1'),
    ],
    [
      'with systems in another order',
      clear.replace(/(<cpix:DRMSystem .*?<\/cpix:DRMSystem>)(.*)(<cpix:DRMSystem .*?<\/cpix:DRMSystem>)/, '$3$2$1'),
    ],
    ['with base64 in lines', clear.replace(/(?<=<cpix:PSSH>)(.{20})/g, '$1\n  ')],
  ]
  for (const [title, document] of same) {
    test(title, () => {
      assert.notEqual(document, clear)
      assert.deepEqual(diffCpix(clear, document), { differences: [], notCompared: [] })
    })
  }

  test('encrypted twice, with the private key', () => {
    assert.notEqual(encrypted, again)
    assert.deepEqual(diffCpix(encrypted, again, { privateKey }), { differences: [], notCompared: [] })
  })
})

describe('documents that differ', () => {
  test('in a key say so and do not show it', () => {
    const other = clear.replace(VECTOR_KEY.toString('base64'), Buffer.alloc(16, 3).toString('base64'))
    const { differences } = diffCpix(clear, other)
    const [key] = differences.filter(({ path }) => path.at(-1) === 'content key')
    assert.deepEqual(key, {
      path: [`ContentKey ${VECTOR_KID}`, 'content key'],
      kind: 'changed',
      first: 'hidden',
      second: 'hidden',
    })
    assert.doesNotMatch(JSON.stringify(differences), /166634c6|03030303/)
    const shown = JSON.stringify(diffCpix(clear, other, { showKeys: true }))
    assert.match(shown, /166634c675823c235a4a9446fad52e4d/)
  })

  test('in the scheme say what each has', () => {
    const other = clear.replace('commonEncryptionScheme="cenc"', 'commonEncryptionScheme="cens"')
    assert.deepEqual(diffCpix(clear, other).differences, [
      { path: [`ContentKey ${VECTOR_KID}`, 'commonEncryptionScheme'], kind: 'changed', first: 'cenc', second: 'cens' },
    ])
  })

  test('inside signalling say in which field', async () => {
    const cbcs = (await answer('2.0', requestFor({ ...wish, scheme: 'cbcs' }))).xml
    const paths = diffCpix(clear, cbcs).differences.map(({ path }) => path.join(' › '))
    assert.ok(
      paths.some((path) => path.includes('PSSH › pssh › Data › protection_scheme')),
      paths.join('\n'),
    )
  })

  test('by a whole key or system say so once', () => {
    const without = clear.replace(/<cpix:DRMSystem [^>]*9a04f079.*?<\/cpix:DRMSystem>/, '')
    const { differences } = diffCpix(clear, without)
    assert.deepEqual(
      differences.map(({ kind }) => kind),
      ['only in first'],
    )
    assert.match(
      renderDiff({ differences, notCompared: [] }),
      /DRMSystem 9a04f079-9840-4286-ab92-e65be0885f95: only in first/,
    )
  })
})

test('does not compare keys that are encrypted for another recipient', () => {
  assert.deepEqual(diffCpix(encrypted, again).notCompared, ['content keys: they are encrypted, and were not opened'])
})

test('rejects documents that are damaged or not CPIX', () => {
  assert.throws(() => diffCpix('<MPD/>', clear), {
    code: 'ERR_CPIX_INVALID',
    message: 'the first document is not CPIX, but: DASH MPD',
  })
  assert.throws(() => diffCpix(clear, clear.slice(0, -20)), {
    code: 'ERR_CPIX_INVALID',
    message: /the second document breaks at line/,
  })
})
