import { FAIRPLAY } from '../../../formats/drm/facts.ts'
import type { SpekeRefusal } from '../../../protocols/speke/tables/refusals.ts'
import { SPEKE_1_0, SPEKE_2_0 } from '../../../protocols/speke/tables/versions.ts'
import type { BuiltRequest } from '../../encryptor/request/build.ts'
import { type Ask, attributes, type Change, changed, content, type SpekeHeader, V2, without } from '../asking.ts'
import { type Check, refused, type Step } from '../check.ts'

interface Case {
  readonly name: string
  readonly title: string
  readonly code: SpekeRefusal
  readonly change?: Change
  readonly scheme?: string
  readonly drm?: readonly string[]
  /** Another value of X-Speke-Version; null for no header. */
  readonly versionHeader?: string | null
  /** The kid or system ID in the message. */
  readonly of?: (built: BuiltRequest) => string | undefined
}

const upper = (text: string): string => text.toUpperCase()
const firstKid = (built: BuiltRequest): string | undefined => built.keys[0]?.kid

/** The ten error messages of SPEKE, each with the requests that cause it. */
const CASES: readonly Case[] = [
  {
    name: 'content-id-missing',
    title: 'no contentId',
    code: 'ERR_SPEKE_CONTENT_ID_MISSING',
    change: attributes('CPIX', 'contentId', undefined),
  },
  {
    name: 'content-id-empty',
    title: 'an empty contentId',
    code: 'ERR_SPEKE_CONTENT_ID_MISSING',
    change: attributes('CPIX', 'contentId', ''),
  },
  {
    name: 'cpix-version-missing',
    title: 'no CPIX version',
    code: 'ERR_SPEKE_CPIX_VERSION_MISSING',
    change: attributes('CPIX', 'version', undefined),
  },
  {
    name: 'cpix-version-empty',
    title: 'an empty CPIX version',
    code: 'ERR_SPEKE_CPIX_VERSION_MISSING',
    change: attributes('CPIX', 'version', ''),
  },
  {
    name: 'cpix-version-unknown',
    title: 'CPIX 3.0',
    code: 'ERR_SPEKE_CPIX_VERSION_UNSUPPORTED',
    change: attributes('CPIX', 'version', '3.0'),
  },
  {
    name: 'cpix-version-crossed',
    title: 'the CPIX version of the other SPEKE version',
    code: 'ERR_SPEKE_CPIX_VERSION_UNSUPPORTED',
    change: attributes('CPIX', 'version', (old) => (old === '2.3' ? '2.4' : '2.3')),
  },
  {
    name: 'scheme-missing',
    title: 'a key without a scheme',
    code: 'ERR_SPEKE_SCHEME_MISSING',
    change: attributes('ContentKey', 'commonEncryptionScheme', undefined),
    of: firstKid,
  },
  {
    name: 'scheme-empty',
    title: 'a key with an empty scheme',
    code: 'ERR_SPEKE_SCHEME_MISSING',
    change: attributes('ContentKey', 'commonEncryptionScheme', ''),
    of: firstKid,
  },
  {
    name: 'scheme-missing-on-second',
    title: 'the second key without a scheme',
    code: 'ERR_SPEKE_SCHEME_MISSING',
    change: attributes('ContentKey', 'commonEncryptionScheme', undefined, 1),
    of: (built) => built.keys[1]?.kid,
  },
  {
    name: 'schemes-mixed',
    title: 'two schemes in one document',
    code: 'ERR_SPEKE_SCHEME_COMBINATION',
    change: attributes('ContentKey', 'commonEncryptionScheme', 'cbcs', 1),
  },
  {
    name: 'scheme-of-system',
    title: 'cenc with FairPlay',
    code: 'ERR_SPEKE_SCHEME_DRM_SYSTEM',
    drm: ['fairplay'],
    scheme: 'cenc',
    of: () => FAIRPLAY,
  },
  {
    name: 'scheme-of-system-as-spelled',
    title: 'cenc with FairPlay in upper case',
    code: 'ERR_SPEKE_SCHEME_DRM_SYSTEM',
    drm: ['fairplay'],
    scheme: 'cenc',
    change: attributes('DRMSystem', 'systemId', upper),
    of: () => upper(FAIRPLAY),
  },
  {
    name: 'version-unknown',
    title: 'X-Speke-Version 3.0',
    code: 'ERR_SPEKE_VERSION_UNSUPPORTED',
    versionHeader: '3.0',
  },
  { name: 'version-short', title: 'X-Speke-Version 2', code: 'ERR_SPEKE_VERSION_UNSUPPORTED', versionHeader: '2' },
  {
    name: 'version-word',
    title: 'X-Speke-Version latest',
    code: 'ERR_SPEKE_VERSION_UNSUPPORTED',
    versionHeader: 'latest',
  },
  {
    name: 'version-dropped',
    title: 'a SPEKE 2 document without X-Speke-Version',
    code: 'ERR_SPEKE_VERSION_UNSUPPORTED',
    versionHeader: null,
  },
  {
    name: 'contract-missing',
    title: 'no usage rules',
    code: 'ERR_SPEKE_CONTRACT_MISSING',
    change: without('ContentKeyUsageRuleList'),
  },
  {
    name: 'contract-empty',
    title: 'an empty list of usage rules',
    code: 'ERR_SPEKE_CONTRACT_MISSING',
    change: content('ContentKeyUsageRuleList', ''),
  },
  {
    name: 'contract-malformed',
    title: 'a rule without a filter',
    code: 'ERR_SPEKE_CONTRACT_MALFORMED',
    change: content('ContentKeyUsageRule', '', 1),
  },
  {
    name: 'contract-malformed-first',
    title: 'a wrong scheme and a wrong contract',
    code: 'ERR_SPEKE_SCHEME_COMBINATION',
    change: (document) => [
      ...attributes('ContentKey', 'commonEncryptionScheme', 'cbcs', 1)(document),
      ...content('ContentKeyUsageRule', '', 1)(document),
    ],
  },
]

/** Checks of the SPEKE error messages, word for word. */
export function errorChecks(ask: Ask): readonly Check[] {
  return V2.flatMap((speke) =>
    CASES.flatMap(({ name, title, code, change, versionHeader, of, ...asked }): readonly Check[] => {
      const built = ask({ speke, content: 'errors', periods: 0, ...asked })
      if (built === undefined) return []
      const refusal = refused(code, of?.(built))
      const step: Step = {
        xml: change === undefined ? built.xml : changed(built.xml, change),
        // Without the header, the reply has no version to return.
        version: versionHeader === null ? SPEKE_1_0 : built.version,
        refusal,
        ...(versionHeader !== undefined && { versionHeader }),
      }
      const says = `rejects with "${refusal.message?.text}": ${title}`
      return [{ name: `errors/${speke}/${name}`, group: 'errors', title: says, steps: [step] }]
    }),
  )
}

/** Checks with SPEKE 1.0 documents and a SPEKE 2 header. */
export function crossedVersionChecks(ask: Ask): readonly Check[] {
  const built = ask({ speke: '1.0', content: 'errors', drm: ['widevine'] })
  if (built === undefined) return []
  return V2.map((speke) => ({
    name: `errors/${speke}/document-of-1.0`,
    group: 'errors',
    title: `rejects a SPEKE 1.0 document with X-Speke-Version ${speke}`,
    steps: [
      {
        xml: built.xml,
        version: SPEKE_2_0,
        versionHeader: speke,
        refusal: refused('ERR_SPEKE_CPIX_VERSION_MISSING'),
      },
    ],
  }))
}

const VERSIONS: readonly SpekeHeader[] = ['1.0', ...V2]

/** Other valid headers. */
const HEADERS: readonly (readonly [name: string, title: string, headers: Step['headers']])[] = [
  ['charset', 'a charset in Content-Type', { 'Content-Type': 'application/xml; charset=utf-8' }],
  ['charset-upper', 'a charset in upper case', { 'Content-Type': 'application/xml;charset=UTF-8' }],
  ['accept', 'an Accept header', { Accept: 'application/xml' }],
  ['unknown', 'unknown headers', { 'X-Amzn-Trace-Id': 'Root=1-00000000-000000000000000000000000' }],
]

/** Checks of headers and status of valid requests. */
export function httpChecks(ask: Ask): readonly Check[] {
  return VERSIONS.flatMap((speke) => {
    const built = ask({ speke, content: 'http', ...(speke === '1.0' ? { drm: ['widevine'] } : { video: 'SHARED' }) })
    if (built === undefined) return []
    const step: Step = { xml: built.xml, version: built.version }
    const usual: Check = {
      name: `http/${speke}/usual`,
      group: 'http',
      title: `answers SPEKE ${speke} with status 200 and its headers`,
      steps: [step],
    }
    const other = HEADERS.map(
      ([name, title, headers = {}]): Check => ({
        name: `http/${speke}/${name}`,
        group: 'http',
        title: `answers a request with ${title}`,
        steps: [{ ...step, headers }],
      }),
    )
    return [usual, ...other]
  })
}
