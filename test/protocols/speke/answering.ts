import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { KeyProviderError } from '../../../src/core/errors.ts'
import { type KeyAndIv, type Kid, toKid } from '../../../src/formats/cenc.ts'
import { CPIX_NAMESPACE } from '../../../src/formats/cpix/fields.ts'
import { DRM_SYSTEMS } from '../../../src/formats/drm/facts.ts'
import type { XmlDocument, XmlElement } from '../../../src/formats/xml/document.ts'
import { attributeOf, readXml, textOf } from '../../../src/formats/xml/reader.ts'
import type { ContentKeys, OpenContent, WantedKey } from '../../../src/keys/content/content-key.ts'
import type { LedgerEntry } from '../../../src/keys/ledger/ledger.ts'
import { type AnswerOptions, type AnswerWarning, SpekeAnswerer } from '../../../src/protocols/speke/answer.ts'
import { DEFAULT_POLICY, DEFAULT_PROFILE, type SpekePolicy } from '../../../src/protocols/speke/profile.ts'
import { PlayerUrls } from '../../../src/protocols/speke/urls.ts'

/** The DASH-IF ClearKey sample pair: the vectors of DRM signalling are made with it. */
export const VECTOR_KID = '9eb4050d-e44b-4802-932e-27d75083e266'
export const VECTOR_KEY = Buffer.from('166634c675823c235a4a9446fad52e4d', 'hex')

/** An answer may be larger than any request. */
const ANSWER_LIMITS = { bytes: 64 * 1024 * 1024, elements: 100_000 }

/** The moment at which tests are answered. */
export const NOW = Date.UTC(2026, 10, 21)

/** Keys for a test: the vector's pair, and for any other kid something that differs by class, kid and use. */
export function testKey({ kid, contentKeyClass }: WantedKey): KeyAndIv {
  const bytes = (use: string): Buffer =>
    createHash('sha256').update(`${use} ${contentKeyClass} ${kid}`).digest().subarray(0, 16)
  return { contentKey: kid === VECTOR_KID ? VECTOR_KEY : bytes('key'), explicitIv: bytes('iv') }
}

export interface Setup
  extends Partial<Pick<AnswerOptions, 'contentKeys' | 'findDrmSystem' | 'now' | 'randomBytes' | 'urls' | 'xmlLimits'>> {
  readonly policy?: Partial<SpekePolicy>
  readonly profile?: Partial<typeof DEFAULT_PROFILE>
  readonly content?: Partial<Pick<OpenContent, 'kidOverrides' | 'signalingRevision' | 'pssh'>>
}

/** Who asks; a test that does not care leaves it out. */
export interface Caller {
  readonly tenant?: string
  readonly client?: string
}

/** What one request came to. */
export interface Outcome {
  readonly xml: string
  readonly document: XmlDocument
  readonly warnings: readonly AnswerWarning[]
  readonly records: readonly LedgerEntry[]
  readonly issued: readonly WantedKey[]
  readonly emptySystems: number
}

/** An answering machine over keys that a test knows, and what it was told of the last answer. */
export function answering(setup: Setup = {}) {
  const warnings: AnswerWarning[] = []
  const records: LedgerEntry[] = []
  const issued: WantedKey[] = []
  const content = openContentOf({
    ...setup.content,
    async issue(wanted) {
      issued.push(...wanted)
      return { keys: wanted.map(testKey), first: true }
    },
  })
  const contentKeys: ContentKeys = setup.contentKeys ?? { open: async () => content }
  const answerer = new SpekeAnswerer({
    contentKeys,
    findDrmSystem: setup.findDrmSystem ?? findBuiltIn,
    profileFor: () => ({ ...DEFAULT_PROFILE, ...setup.profile }),
    policy: { ...DEFAULT_POLICY, ...setup.policy },
    xmlLimits: setup.xmlLimits ?? {},
    urls: setup.urls ?? new PlayerUrls('https://keys.example.com'),
    record: (added) => records.push(...added),
    warn: (warning) => warnings.push(warning),
    now: setup.now ?? (() => NOW),
    randomBytes: setup.randomBytes ?? randomBytes,
  })
  return async (
    versionHeader: string | undefined,
    xml: string,
    { tenant = 'default', client = 'test' }: Caller = {},
  ): Promise<Outcome> => {
    for (const list of [warnings, records, issued]) list.length = 0
    const { body, emptySystems } = await answerer.answer({ versionHeader, bytes: Buffer.from(xml), tenant, client })
    const text = Buffer.from(body).toString()
    const document = readXml(body, ANSWER_LIMITS)
    return { xml: text, document, warnings: [...warnings], records: [...records], issued: [...issued], emptySystems }
  }
}

/** A content of which nothing is stored but what is said. */
export function openContentOf(stored: Pick<OpenContent, 'issue'> & Partial<OpenContent>): OpenContent {
  return {
    kidOverrides: [],
    createdAt: undefined,
    signalingRevision: '',
    pssh: () => undefined,
    find: () => assert.fail('an answer issues keys'),
    findWithIv: () => assert.fail('an answer issues keys'),
    deriveKids: () => assert.fail('an answer takes the kids of its request'),
    ...stored,
  }
}

/** The systems of this build, as a server finds them. */
export const findBuiltIn: AnswerOptions['findDrmSystem'] = (systemId, major) => {
  const system = DRM_SYSTEMS.get(systemId)
  return system?.spekeMajors.includes(major) ? system : undefined
}

/** The error an answer came to; fails when there was none, or none of ours. */
export async function refusalOf(outcome: Promise<unknown>): Promise<KeyProviderError> {
  try {
    await outcome
  } catch (error) {
    assert.ok(error instanceof KeyProviderError, `not a refusal but ${error}`)
    return error
  }
  return assert.fail('answered')
}

/** All elements of a local name, in document order. */
export function elementsOf({ root }: XmlDocument, local: string): XmlElement[] {
  const found: XmlElement[] = []
  const visit = (element: XmlElement): void => {
    if (element.local === local) found.push(element)
    for (const child of element.children) visit(child)
  }
  visit(root)
  return found
}

/** The DRMSystem of a system and kid. */
export function drmSystemOf(document: XmlDocument, systemId: string, kid: string): XmlElement {
  const found = elementsOf(document, 'DRMSystem').find(
    (element) => attributeOf(element, 'systemId') === systemId && attributeOf(element, 'kid') === kid,
  )
  return found ?? assert.fail(`no DRMSystem ${systemId} ${kid}`)
}

/** The text of a child, or of the HLSSignalingData for a playlist (`HLSSignalingData@media`). */
export function childText(document: XmlDocument, parent: XmlElement, name: string): string | undefined {
  const [local, playlist] = name.split('@')
  const child = parent.children.find(
    (candidate) =>
      candidate.local === local && (playlist === undefined || attributeOf(candidate, 'playlist') === playlist),
  )
  return child && textOf(document, child)
}

/** The decoded text of such a child. */
export function decodedText(document: XmlDocument, parent: XmlElement, name: string): string {
  return Buffer.from(childText(document, parent, name) ?? assert.fail(`no ${name}`), 'base64').toString()
}

/** The clear keys of an answer by kid as written, base64. */
export function plainKeys(document: XmlDocument): Record<string, string> {
  return Object.fromEntries(
    elementsOf(document, 'ContentKey').map((element) => {
      assert.equal(element.namespace, CPIX_NAMESPACE)
      const value = element.children.find(({ local }) => local === 'Data')?.children[0]?.children[0]
      return [attributeOf(element, 'kid'), value && textOf(document, value)]
    }),
  )
}

/** A kid of a test's own text. */
export function kidOf(text: string): Kid {
  return toKid(text) ?? assert.fail(`not a kid: ${text}`)
}
