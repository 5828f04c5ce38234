import type { BuiltRequest } from '../../encryptor/request/build.ts'
import { type Ask, type Asked, attributes, changed, type SpekeHeader, V2 } from '../asking.ts'
import type { Check, CheckGroup, Step } from '../check.ts'
import { checkOf } from './presets.ts'

const ALL_VERSIONS: readonly SpekeHeader[] = ['1.0', ...V2]
const SCHEMES = ['cenc', 'cbcs', 'cbc1']
const AGAIN = { relation: 'again', how: 'the same request was sent twice' } as const

/** Checks of content key encryption: keys decrypt, MACs match, and the keys equal those in the clear. */
export function encryptionChecks(ask: Ask): readonly Check[] {
  return ALL_VERSIONS.flatMap((speke) => {
    const asked: Asked = { speke, content: 'encryption', video: 'VIDEO-2', ...v1Systems(speke) }
    const clear = ask(asked)
    const encrypted = ask({ ...asked, encrypted: true })
    if (clear === undefined || encrypted === undefined) return []
    const step = stepOf(encrypted)
    const how = 'an earlier request asked for it in the clear'
    return [
      check('encryption', `encryption/${speke}/opens`, 'encrypts keys for the certificate', [step]),
      check('encryption', `encryption/${speke}/same-keys`, 'encrypts the same keys that it returns in the clear', [
        stepOf(clear),
        { ...step, relation: { relation: 'encryption', how } },
      ]),
      check('encryption', `encryption/${speke}/fresh`, 'uses a new document key in every answer', [
        step,
        { ...step, relation: AGAIN },
      ]),
      ...(speke === '1.0'
        ? []
        : checkOf(ask, 'encryption', `encryption/${speke}/cbcs`, 'encrypts keys for cbcs', {
            ...asked,
            scheme: 'cbcs',
            encrypted: true,
          })),
      ...(speke === '1.0'
        ? []
        : checkOf(ask, 'encryption', `encryption/${speke}/live`, 'encrypts keys of several periods', {
            ...asked,
            periods: 2,
            encrypted: true,
          })),
    ]
  })
}

/** Checks that the same kids have the same keys, and other kids other keys. */
export function determinismChecks(ask: Ask, drm: readonly string[], fresh: string): readonly Check[] {
  const again = ALL_VERSIONS.flatMap((speke) =>
    SCHEMES.flatMap((scheme) => {
      if (speke === '1.0' && scheme !== 'cenc') return []
      const built = ask({ speke, scheme, content: `again-${scheme}`, ...v1Systems(speke) })
      if (built === undefined) return []
      const name = `determinism/${speke}/again/${scheme}`
      const steps = [stepOf(built), { ...stepOf(built), relation: AGAIN }]
      return [check('determinism', name, 'answers the same request with the same keys', steps)]
    }),
  )
  return [
    ...again,
    ...V2.flatMap((speke) => otherwise(ask, speke, drm)),
    ...versions(ask),
    ...others(ask),
    ...atOnce(ask, fresh),
  ]
}

function otherwise(ask: Ask, speke: SpekeHeader, drm: readonly string[]): readonly Check[] {
  const asked: Asked = { speke, scheme: 'cbcs', content: 'otherwise', video: 'VIDEO-2' }
  const built = ask(asked)
  if (built === undefined) return []
  const upper = ['ContentKey', 'DRMSystem', 'ContentKeyUsageRule'].map((local) =>
    attributes(local, 'kid', (kid) => kid.toUpperCase()),
  )
  const single = drm.filter((name) => ['widevine', 'playready', 'fairplay'].includes(name))
  const one = single.length < 2 ? undefined : ask({ ...asked, drm: single.slice(0, 1) })
  const reversed = single.length < 2 ? undefined : ask({ ...asked, drm: single.toReversed() })
  const variants: readonly (readonly [name: string, how: string, xml: string | undefined])[] = [
    ['upper-case', 'the second request has kids in upper case', changed(built.xml, ...upper)],
    ['one-system', 'the second request asks for one DRM system', one?.xml],
    ['system-order', 'the second request has the DRM systems in another order', reversed?.xml],
  ]
  return variants.flatMap(([name, how, xml]) => {
    if (xml === undefined) return []
    const steps: Step[] = [stepOf(built), { xml, version: built.version, relation: { relation: 'otherwise', how } }]
    return [check('determinism', `determinism/${speke}/${name}`, `returns the same keys when ${how}`, steps)]
  })
}

function versions(ask: Ask): readonly Check[] {
  const [first, second] = V2.map((speke) => ask({ speke, content: 'versions' }))
  if (first === undefined || second === undefined) return []
  const relation = { relation: 'otherwise', how: 'the first request used SPEKE 2.0' } as const
  const steps = [stepOf(first), { ...stepOf(second), relation }]
  return [check('determinism', 'determinism/2.0-and-2.1', 'returns the same keys for SPEKE 2.0 and 2.1', steps)]
}

function others(ask: Ask): readonly Check[] {
  return ALL_VERSIONS.flatMap((speke) => {
    const asked: Asked = { speke, content: 'others', ...v1Systems(speke) }
    const first = ask(asked)
    const content = ask({ ...asked, content: 'others-2' })
    const periods = [0, 1].map((firstPeriod) => ask({ ...asked, periods: 1, firstPeriod: firstPeriod + 7 }))
    const pairs = [
      ['content', 'of another content', [first, content]],
      ['period', 'of another key period', periods],
    ] as const
    return pairs.flatMap(([name, how, [before, after]]) => {
      if (before === undefined || after === undefined) return []
      const steps: Step[] = [stepOf(before), { ...stepOf(after), relation: { relation: 'other-kids', how } }]
      return [
        check(
          'determinism',
          `determinism/${speke}/other-${name}`,
          `returns other keys and signalling for kids ${how}`,
          steps,
        ),
      ]
    })
  })
}

const RACERS = 8

/** Checks that simultaneous first requests get the same keys. */
function atOnce(ask: Ask, fresh: string): readonly Check[] {
  return V2.flatMap((speke) => {
    const built = ask({ speke, content: `at-once-${speke.replace('.', '-')}-${fresh}`, iv: 'none' })
    if (built === undefined) return []
    const relation = { relation: 'again', how: 'both requests were sent at the same time, for a new content' } as const
    const steps = Array.from({ length: RACERS }, (_, i) => ({ ...stepOf(built), ...(i > 0 && { relation }) }))
    const title = `returns the same keys to ${RACERS} simultaneous first requests`
    return [{ ...check('determinism', `determinism/${speke}/at-once`, title, steps), atOnce: true }]
  })
}

/** Checks of explicitIV. */
export function ivChecks(ask: Ask): readonly Check[] {
  return ALL_VERSIONS.flatMap((speke) =>
    SCHEMES.flatMap((scheme) => {
      if (speke === '1.0' && scheme !== 'cenc') return []
      const asked: Asked = { speke, scheme, video: 'VIDEO-2', content: `iv-${scheme}`, ...v1Systems(speke) }
      return [
        ...checkOf(ask, 'iv', `iv/${speke}/asked/${scheme}`, `returns the explicitIV of a ${scheme} request`, {
          ...asked,
          iv: 'new',
        }),
        ...checkOf(ask, 'iv', `iv/${speke}/unasked/${scheme}`, `generates the explicitIV that ${scheme} requires`, {
          ...asked,
          iv: 'none',
        }),
      ]
    }),
  )
}

/** One simple DRM system for SPEKE 1.0. */
function v1Systems(speke: SpekeHeader): Pick<Asked, 'drm'> {
  return speke === '1.0' ? { drm: ['widevine'] } : {}
}

function check(group: CheckGroup, name: string, title: string, steps: readonly Step[]): Check {
  return { name, group, title, steps }
}

function stepOf({ xml, version }: BuiltRequest): Step {
  return { xml, version }
}
