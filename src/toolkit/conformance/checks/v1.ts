import type { Ask, Asked } from '../asking.ts'
import { attributes, changed, twice, without } from '../changes.ts'
import type { Check } from '../check.ts'
import { refused } from '../check.ts'
import { checkOf } from './presets.ts'

const SYSTEMS: readonly (readonly string[])[] = [
  ['fairplay'],
  ['aes-128'],
  ['widevine'],
  ['playready'],
  ['widevine', 'playready'],
  ['widevine', 'fairplay'],
  ['widevine', 'playready', 'fairplay'],
]

/** SPEKE 1.0 checks: live and VOD, each combination of systems that encryptors send, and invalid requests. */
export function v1Checks(ask: Ask): readonly Check[] {
  const right = SYSTEMS.flatMap((drm) =>
    (['live', 'vod'] as const).flatMap((kind) => {
      const systems = drm.join('+')
      return checkOf(ask, 'v1', `v1/${kind}/${systems}`, `answers ${systems} in SPEKE 1.0, ${kind}`, {
        speke: '1.0',
        drm,
        periods: kind === 'live' ? 1 : 0,
        content: `v1-${kind}`,
      })
    }),
  )
  return [...right, ...wrong(ask)]
}

const BREAKS = [
  ['no-id', 'rejects a request without CPIX@id', attributes('CPIX', 'id', undefined)],
  ['no-keys', 'rejects a request without ContentKeyList', without('ContentKeyList')],
  ['no-systems', 'rejects a request without DRMSystemList', without('DRMSystemList')],
  ['kid', 'rejects a kid that is not a UUID', attributes('ContentKey', 'kid', 'kid-1')],
  ['same-kid', 'rejects a duplicate kid', twice('ContentKey')],
] as const

function wrong(ask: Ask): readonly Check[] {
  const asked: Asked = { speke: '1.0', periods: 0, content: 'v1-wrong' }
  const built =
    ask({ ...asked, drm: ['widevine'] }) ?? ask({ ...asked, drm: ['aes-128'] }) ?? ask({ ...asked, drm: ['fairplay'] })
  if (built === undefined) return []
  return BREAKS.map(([name, title, change]) => ({
    name: `v1/wrong/${name}`,
    group: 'v1',
    title,
    steps: [{ xml: changed(built.xml, change), version: built.version, refusal: refused() }],
  }))
}
