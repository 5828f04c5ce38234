import { KeyProviderError } from '../../../core/errors.ts'
import type { ContentKeyClass } from '../../../formats/cenc.ts'
import type { Force } from '../../../keys/content/overrides.ts'
import type { KidOverride } from '../../../keys/ports/content-store.ts'
import {
  addOverrideRule,
  listContentOverrides,
  overrideKey,
  removeOverrideKey,
  removeOverrideRule,
} from '../../../operations/contents/override-keys.ts'
import { printResult, readKid, type StoredOptions, withStored } from '../../shared/stored.ts'
import { readKeyFile } from './key-file.ts'
import { readPsshFiles } from './pssh-file.ts'

/** The options that every `override` command takes. */
interface ContentOptions extends StoredOptions {
  readonly contentId: string
}

interface RuleOptions {
  readonly trackType?: string
  readonly periodIndex?: string
}

interface AddOptions extends ContentOptions, RuleOptions, Force {
  readonly kid?: string
  readonly class: ContentKeyClass
  readonly keyFile?: string
  readonly ivFile?: string
  readonly pssh?: readonly string[]
  readonly newKid?: string
}

/** Stores a key for a kid, or a rule that gives content keys another kid. */
export async function add(options: AddOptions): Promise<void> {
  const { contentId, class: contentKeyClass, newKid, json } = options
  const force = toForce(options)
  const stored = { ...options, create: true }
  if (newKid !== undefined) {
    if (options.kid !== undefined || options.keyFile !== undefined) {
      throw wrongUsage('--new-kid makes a rule of its own: expected neither --kid nor --key-file beside it')
    }
    const rule = { ...toRule(options), kid: readKid('--new-kid', newKid) }
    await withStored(stored, ({ management }, operator) =>
      addOverrideRule(management, operator, { contentId, rule, ...force }),
    )
    printResult(json, { contentId, added: rule }, () => [`added: ${describeRule(rule)}`])
    return
  }
  if (options.kid === undefined || options.keyFile === undefined) {
    throw wrongUsage('expected --kid with --key-file, or --new-kid')
  }
  const kid = readKid('--kid', options.kid)
  const key = readKeyFile('--key-file', options.keyFile)
  const iv = options.ivFile === undefined ? {} : { iv: readKeyFile('--iv-file', options.ivFile) }
  const pssh = readPsshFiles(options.pssh ?? [])
  await withStored(stored, ({ management }, operator) =>
    overrideKey(management, operator, { contentId, contentKeyClass, kid, key, ...iv, pssh, ...force }),
  )
  printResult(json, { contentId, added: { kid, contentKeyClass } }, () => [`added: ${kid} ${contentKeyClass}`])
}

/** Prints the overrides of a content, never their keys. */
export async function list(options: ContentOptions): Promise<void> {
  const { contentId, json } = options
  const found = await withStored(options, ({ management }, operator) =>
    listContentOverrides(management, operator, contentId),
  )
  printResult(json, found, ({ overrides, kidOverrides }) => [
    ...overrides.map(({ kid, contentKeyClass, psshSystemIds }) =>
      [kid, contentKeyClass, ...psshSystemIds.map((systemId) => `pssh:${systemId}`)].join(' '),
    ),
    ...kidOverrides.map(describeRule),
  ])
}

/** Removes an override of a content, or a rule. */
export async function remove(
  options: ContentOptions &
    RuleOptions &
    Force & { readonly kid?: string; readonly class: ContentKeyClass; readonly rule?: boolean },
): Promise<void> {
  const { contentId, class: contentKeyClass, json } = options
  const force = toForce(options)
  if ((options.kid === undefined) === (options.rule !== true)) throw wrongUsage('expected either --kid or --rule')
  const removed = await withStored(options, ({ management }, operator) =>
    options.kid === undefined
      ? removeOverrideRule(management, operator, { contentId, rule: toRule(options), ...force })
      : removeOverrideKey(management, operator, {
          contentId,
          contentKeyClass,
          kid: readKid('--kid', options.kid),
          ...force,
        }),
  )
  printResult(json, { removed }, () => [removed ? 'removed' : 'there was none'])
}

function toForce({ force = false, reason }: Force): Force {
  return { force, ...(reason !== undefined && { reason }) }
}

function toRule({ trackType, periodIndex }: RuleOptions): Omit<KidOverride, 'kid'> {
  if (periodIndex !== undefined && !/^\d{1,10}$/.test(periodIndex)) {
    throw wrongUsage('--period-index: expected a whole number')
  }
  return {
    intendedTrackType: trackType,
    periodIndex: periodIndex === undefined ? undefined : Number(periodIndex),
  }
}

function describeRule({ intendedTrackType = 'any track type', periodIndex, kid }: KidOverride): string {
  return `${kid} for ${intendedTrackType}, ${periodIndex === undefined ? 'any period' : `period ${periodIndex}`}`
}

function wrongUsage(problem: string): KeyProviderError {
  return new KeyProviderError('ERR_OVERRIDE_INVALID', problem)
}
