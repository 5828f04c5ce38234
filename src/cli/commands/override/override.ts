import { type Command, Option } from 'commander'
import { wrongUsage } from '../../../core/errors.ts'
import type { ContentKeyClass } from '../../../formats/cenc.ts'
import type { Force } from '../../../keys/content/overrides.ts'
import type { KidOverride } from '../../../keys/ports/content-store.ts'
import {
  addOverrideRule,
  type ContentOverrides,
  listContentOverrides,
  overrideKey,
  removeOverrideKey,
  removeOverrideRule,
} from '../../../operations/contents/override-keys.ts'
import { examples, readKid, readNumber } from '../../shared/options.ts'
import { addStoredOptions, type StoredOptions, withStored } from '../../shared/stored.ts'
import { printResult, type World } from '../../shared/world.ts'
import { readKeyFile, readPsshFiles } from './files.ts'

/** Defines `keyspring override add|list|remove`. */
export function defineOverride(override: Command, world: World): void {
  const ofContent = (command: Command): Command =>
    addStoredOptions(command).requiredOption('--content-id <id>', 'the content')
  const ofKey = (command: Command): Command =>
    command
      .option('--kid <kid>', 'the kid of the key')
      .addOption(new Option('--class <class>', 'class of the content key').choices(['drm', 'clear']).default('drm'))
      .option('--track-type <type>', 'intendedTrackType that a rule matches (default: any)')
      .option('--period-index <index>', 'index of the key period that a rule matches (default: any)')
      .option('--force', 'do it although keys may have been issued')
      .option('--reason <text>', 'reason for --force')

  ofKey(ofContent(override.command('add').description('store a key for a kid, or a rule that replaces kids')))
    .option('--key-file <file>', 'the key: 16 bytes, 32 hex digits or base64; - for standard input')
    .option('--iv-file <file>', 'its IV, in the same formats')
    .option('--pssh <system=file...>', 'a pssh box to use for a DRM system')
    .option('--new-kid <kid>', 'add a rule: content keys that match it get this kid')
    .addHelpText(
      'after',
      examples(
        'keyspring override add --content-id film --kid 9eb4050d-e44b-4802-932e-27d75083e266 --key-file key.hex',
        'keyspring override add --content-id film --track-type AUDIO --new-kid 9eb4050d-e44b-4802-932e-27d75083e266',
      ),
    )
    .action((options: AddOptions) => add(options, world))
  ofContent(override.command('list').description('print kids and classes, never keys'))
    .addHelpText('after', examples('keyspring override list --content-id film --json'))
    .action((options: ContentOptions) => list(options, world))
  ofKey(ofContent(override.command('remove').description('remove the key of a kid, or a rule')))
    .option('--rule', 'remove the rule of --track-type and --period-index')
    .addHelpText(
      'after',
      examples(
        'keyspring override remove --content-id film --kid 9eb4050d-e44b-4802-932e-27d75083e266',
        'keyspring override remove --content-id film --rule --track-type AUDIO',
      ),
    )
    .action((options: RemoveOptions) => remove(options, world))
}

interface ContentOptions extends StoredOptions {
  readonly contentId: string
}

interface KeyOptions extends ContentOptions, Force {
  readonly kid?: string
  readonly class: ContentKeyClass
  readonly trackType?: string
  readonly periodIndex?: string
}

interface AddOptions extends KeyOptions {
  readonly keyFile?: string
  readonly ivFile?: string
  readonly pssh?: readonly string[]
  readonly newKid?: string
}

interface RemoveOptions extends KeyOptions {
  readonly rule?: boolean
}

/** Stores a key for a kid, or a rule that gives content keys another kid. */
async function add(options: AddOptions, world: World): Promise<void> {
  const { contentId, class: contentKeyClass, newKid, json } = options
  const force = toForce(options)
  const stored = { ...options, create: true }
  if (newKid !== undefined) {
    if (options.kid !== undefined || options.keyFile !== undefined) {
      throw wrongUsage('--new-kid adds a rule: give neither --kid nor --key-file with it')
    }
    const rule = { ...toRule(options), kid: readKid('--new-kid', newKid) }
    await withStored(stored, world, ({ management }, operator) =>
      addOverrideRule(management, operator, { contentId, rule, ...force }),
    )
    printResult(world, json, { contentId, added: rule }, () => [`added: ${describeRule(rule)}`])
    return
  }
  if (options.kid === undefined || options.keyFile === undefined) {
    throw wrongUsage('expected --kid with --key-file, or --new-kid')
  }
  const kid = readKid('--kid', options.kid)
  const key = readKeyFile('--key-file', options.keyFile, world)
  const iv = options.ivFile === undefined ? {} : { iv: readKeyFile('--iv-file', options.ivFile, world) }
  const pssh = readPsshFiles(options.pssh ?? [])
  await withStored(stored, world, ({ management }, operator) =>
    overrideKey(management, operator, { contentId, contentKeyClass, kid, key, ...iv, pssh, ...force }),
  )
  printResult(world, json, { contentId, added: { kid, contentKeyClass } }, () => [`added: ${kid} ${contentKeyClass}`])
}

async function list(options: ContentOptions, world: World): Promise<void> {
  const { contentId, json } = options
  const found = await withStored(options, world, ({ management }, operator) =>
    listContentOverrides(management, operator, contentId),
  )
  printResult(world, json, found, ({ overrides, kidOverrides }) => [
    ...overrides.map(({ kid, contentKeyClass, psshSystemIds }) =>
      [kid, contentKeyClass, ...psshSystemIds.map((systemId) => `pssh:${systemId}`)].join(' '),
    ),
    ...kidOverrides.map(describeRule),
  ])
}

async function remove(options: RemoveOptions, world: World): Promise<void> {
  const { contentId, class: contentKeyClass, json } = options
  const force = toForce(options)
  if ((options.kid === undefined) === (options.rule !== true)) throw wrongUsage('expected either --kid or --rule')
  const kid = options.kid === undefined ? undefined : readKid('--kid', options.kid)
  const rule = toRule(options)
  const removed = await withStored(options, world, ({ management }, operator) =>
    kid === undefined
      ? removeOverrideRule(management, operator, { contentId, rule, ...force })
      : removeOverrideKey(management, operator, { contentId, contentKeyClass, kid, ...force }),
  )
  printResult(world, json, { removed }, () => [removed ? 'removed' : 'nothing to remove'])
}

function toForce({ force = false, reason }: Force): Force {
  return { force, ...(reason !== undefined && { reason }) }
}

function toRule({ trackType, periodIndex }: KeyOptions): Omit<KidOverride, 'kid'> {
  return {
    intendedTrackType: trackType,
    periodIndex: readNumber('--period-index', periodIndex, 0, 9_999_999_999),
  }
}

function describeRule({
  intendedTrackType = 'any track type',
  periodIndex,
  kid,
}: ContentOverrides['kidOverrides'][number]): string {
  return `${kid} for ${intendedTrackType}, ${periodIndex === undefined ? 'any period' : `period ${periodIndex}`}`
}
