import { SPEKE_VERSIONS } from '../../../protocols/speke/tables/versions.ts'
import { type Ask, attributes, changed, type SpekeHeader, V2 } from '../asking.ts'
import { type Check, refused } from '../check.ts'
import { checkOf } from './presets.ts'

/** The schemes that SPEKE or an encryptor documents for a system. */
const TAKES: Readonly<Record<string, readonly string[]>> = {
  widevine: ['cenc', 'cbcs'],
  playready: ['cenc', 'cbcs'],
  fairplay: ['cbcs'],
  'aes-128': ['cbc1'],
  'sample-aes': ['cbcs'],
  'common-pssh': ['cenc', 'cbcs'],
  clearkey: ['cenc', 'cbcs'],
}
/** The systems that support no other schemes. */
const STRICT: readonly string[] = ['widevine', 'playready', 'fairplay', 'aes-128', 'sample-aes']
const SCHEMES = ['cenc', 'cens', 'cbc1', 'cbcs']
const HLS_NAMES: Readonly<Record<string, string>> = {
  'AES-128': 'cbc1',
  'SAMPLE-AES': 'cbcs',
  'SAMPLE-AES-CTR': 'cenc',
}

/** Checks of every scheme with every system. */
export function schemeChecks(ask: Ask, drm: readonly string[]): readonly Check[] {
  return V2.flatMap((speke) =>
    drm.flatMap((name) => [
      ...SCHEMES.flatMap((scheme) => schemeCheck(ask, speke, name, scheme, scheme)),
      ...(speke === '2.1'
        ? Object.entries(HLS_NAMES).flatMap(([method, scheme]) => schemeCheck(ask, speke, name, method, scheme))
        : []),
    ]),
  )
}

function schemeCheck(ask: Ask, speke: SpekeHeader, drm: string, text: string, scheme: string): readonly Check[] {
  const takes = TAKES[drm]?.includes(scheme) === true
  if (!takes && !STRICT.includes(drm)) return []
  const name = `schemes/${speke}/${drm}/${text.toLowerCase()}`
  const asked = { speke, drm: [drm], scheme: text, video: 'SHARED', content: `scheme-${drm}-${scheme}` } as const
  if (takes) return checkOf(ask, 'schemes', name, `answers ${drm} with ${text}`, asked)
  const built = ask(asked)
  if (built === undefined) return []
  const refusal = refused('ERR_SPEKE_SCHEME_DRM_SYSTEM', built.drmSystems[0]?.systemId)
  const title = `rejects ${drm} with ${text}`
  return [{ name, group: 'schemes', title, steps: [{ xml: built.xml, version: built.version, refusal }] }]
}

const CONTAINERS = ['dash', 'cmaf', 'hls', 'ts', 'mss']
const MIXES: readonly { readonly scheme: string; readonly drm: readonly string[] }[] = [
  ...subsets(['widevine', 'playready']).map((drm) => ({ scheme: 'cenc', drm })),
  ...subsets(['widevine', 'playready', 'fairplay']).map((drm) => ({ scheme: 'cbcs', drm })),
  { scheme: 'cbc1', drm: ['aes-128'] },
  { scheme: 'cbcs', drm: ['sample-aes'] },
  { scheme: 'cenc', drm: ['common-pssh'] },
  { scheme: 'cenc', drm: ['clearkey'] },
  { scheme: 'cenc', drm: ['common-pssh', 'clearkey'] },
]

/** Checks of the signalling of every combination of systems and for each container. */
export function systemChecks(ask: Ask): readonly Check[] {
  const mixed = V2.flatMap((speke) =>
    MIXES.flatMap(({ drm, scheme }) => {
      const systems = drm.join('+')
      return checkOf(ask, 'systems', `systems/${speke}/${systems}/${scheme}`, `signals ${systems} with ${scheme}`, {
        speke,
        drm,
        scheme,
        video: 'VIDEO-2',
        content: `systems-${scheme}`,
      })
    }),
  )
  const contained = CONTAINERS.flatMap((container) =>
    ['cenc', 'cbcs'].flatMap((scheme) => {
      // A request omits systems of which the container needs nothing.
      const drm = { ts: ['fairplay'], mss: ['playready'], dash: ['widevine', 'playready'] }[container]
      if (container === 'ts' && scheme === 'cenc') return []
      return checkOf(
        ask,
        'systems',
        `systems/2.0/container-${container}/${scheme}`,
        `signals only what ${container} uses`,
        {
          speke: '2.0',
          scheme,
          container,
          ...(drm !== undefined && { drm }),
          video: container === 'mss' ? 'SHARED' : 'VIDEO-1',
          content: `container-${container}`,
        },
      )
    }),
  )
  return [...mixed, ...contained, ...unknownSystem(ask)]
}

const NOBODY = '5a1ab1e0-0000-4000-8000-00005eefca11'

function unknownSystem(ask: Ask): readonly Check[] {
  return V2.flatMap((speke) => {
    const built = ask({ speke, content: 'unknown-system', video: 'SHARED' })
    if (built === undefined) return []
    return [
      {
        name: `systems/${speke}/unknown`,
        group: 'systems' as const,
        title: 'rejects an unknown DRM system',
        steps: [
          {
            xml: changed(built.xml, attributes('DRMSystem', 'systemId', NOBODY, -1)),
            version: SPEKE_VERSIONS.get(speke) ?? built.version,
            refusal: refused(),
          },
        ],
      },
    ]
  })
}

/** All non-empty subsets: bit n of the number selects name n. */
function subsets(names: readonly string[]): readonly (readonly string[])[] {
  return Array.from({ length: 2 ** names.length - 1 }, (_, i) =>
    names.filter((_name, bit) => ((i + 1) >> bit) % 2 === 1),
  )
}
