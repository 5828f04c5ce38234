import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { SaxesParser } from 'saxes'
import { decodePssh } from '../../../src/formats/drm/payloads/pssh.ts'
import { type Running, startProcess } from '../../cli/run.ts'

// What the CPIX client of Shaka Packager (main branch, July 2026) sends, and what it takes of an answer. No build of it is to be
// had for tests, so this reads an answer as that does: local names alone, and refuses what it refuses.
// packager --enable_cpix_encryption --cpix URL --cpix_request_file FILE --cpix_headers 'X-Speke-Version: 2.0'
//   --max_sd_pixels=589824

const REQUEST = readFileSync(new URL('../../../docs/examples/shaka-packager-video-4.xml', import.meta.url))

/** The pixels of each track type, with --max_sd_pixels=589824 and its own defaults for the others. */
const PIXELS: Readonly<Record<string, readonly [min: number, max: number]>> = {
  SD: [0, 589_824],
  HD: [589_825, 2_073_600],
  UHD1: [2_073_601, 8_847_360],
  UHD2: [8_847_361, Number.POSITIVE_INFINITY],
}

interface Element {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly children: Element[]
  text: string
}

describe("Shaka Packager's CPIX client", () => {
  let server: Running
  let answer: Element = { name: '', attributes: {}, children: [], text: '' }
  before(async () => {
    server = startProcess(['serve', '--port', '0'], { environment: { KEYSPRING_STORE: 'memory' } })
    const [, url] = await server.stderr(/listens on (\S+),/)
    const response = await fetch(`${url}/copyProtection`, {
      method: 'POST',
      headers: { 'content-type': 'application/xml', 'x-speke-version': '2.0', accept: '*/*' },
      body: REQUEST,
    })
    assert.equal(response.status, 200)
    answer = treeOf(await response.text())
  })
  after(async () => {
    server.signal('SIGTERM')
    await server.done
  })

  const all = (list: string, name: string): readonly Element[] =>
    (childOf(answer, list)?.children ?? []).filter((child) => child.name === name)
  const kids = (): readonly string[] =>
    all('ContentKeyList', 'ContentKey').map(({ attributes }) => attributes.kid ?? '')

  test('finds content keys of 16 bytes, each kid once', () => {
    assert.equal(kids().length, 5)
    assert.equal(new Set(kids()).size, 5)
    for (const key of all('ContentKeyList', 'ContentKey')) {
      const value = ['Data', 'Secret', 'PlainValue'].reduce<Element | undefined>(
        (element, name) => (element === undefined ? undefined : childOf(element, name)),
        key,
      )
      assert.equal(Buffer.from(value?.text ?? '', 'base64').length, 16)
      assert.equal(key.attributes.explicitIV, undefined)
    }
  })

  test('finds whole pssh boxes of the system that they stand for, of kids that have a key', () => {
    const systems = all('DRMSystemList', 'DRMSystem')
    assert.equal(systems.length, 10)
    for (const system of systems) {
      const { kid = '', systemId } = system.attributes
      assert.ok(kids().includes(kid))
      const box = decodePssh(Buffer.from(childOf(system, 'PSSH')?.text ?? '', 'base64'))
      assert.equal(box.systemId, systemId)
    }
  })

  test('finds a rule for each of its track types, in the filters that it knows', () => {
    const rules = all('ContentKeyUsageRuleList', 'ContentKeyUsageRule')
    const types = rules.map(({ attributes }) => attributes.intendedTrackType)
    assert.deepEqual(types, ['SD', 'HD', 'UHD1', 'UHD2', 'AUDIO'])
    for (const { attributes, children } of rules) {
      assert.ok(kids().includes(attributes.kid ?? ''))
      assert.equal(children.length, 1)
      const [{ name, attributes: filter } = assert.fail('no filter')] = children
      const range = PIXELS[attributes.intendedTrackType ?? '']
      if (range === undefined) {
        assert.deepEqual({ name, filter }, { name: 'AudioFilter', filter: {} })
      } else {
        assert.equal(name, 'VideoFilter')
        for (const limit of Object.keys(filter)) assert.ok(['minPixels', 'maxPixels'].includes(limit), limit)
        const { minPixels = 0, maxPixels = Number.POSITIVE_INFINITY } = filter
        assert.deepEqual([Number(minPixels), Number(maxPixels)], range)
      }
    }
  })

  test('finds no key period: it does not rotate', () => {
    assert.equal(childOf(answer, 'ContentKeyPeriodList'), undefined)
  })
})

function childOf({ children }: Element, name: string): Element | undefined {
  return children.find((child) => child.name === name)
}

/** A document as a tree of local names. */
function treeOf(xml: string): Element {
  const root: Element = { name: '', attributes: {}, children: [], text: '' }
  const open: Element[] = [root]
  const parser = new SaxesParser({ xmlns: true })
  parser.on('opentag', ({ local, attributes }) => {
    const own = Object.values(attributes).filter(({ prefix }) => prefix === '')
    const element = {
      name: local,
      attributes: Object.fromEntries(own.flatMap((one) => (one.local === 'xmlns' ? [] : [[one.local, one.value]]))),
      children: [],
      text: '',
    }
    open.at(-1)?.children.push(element)
    open.push(element)
  })
  parser.on('text', (text) => {
    const element = open.at(-1)
    if (element !== undefined) element.text += text
  })
  parser.on('closetag', () => void open.pop())
  parser.write(xml).close()
  return root.children[0] ?? root
}
