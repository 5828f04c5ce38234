import { type Command, Option } from 'commander'
import type { ContentKeyClass } from '../../../formats/cenc.ts'
import { type ListedKey, listKeys, showKey } from '../../../operations/contents/keys.ts'
import { removeOverrideKey } from '../../../operations/contents/override-keys.ts'
import { examples, readKid } from '../../shared/options.ts'
import { addStoredOptions, type StoredOptions, withStored } from '../../shared/stored.ts'
import { printResult, type World } from '../../shared/world.ts'
import { defineExport } from './export.ts'
import { defineImport } from './import.ts'

/** Defines `keyspring keys list|show|import|export|delete`. */
export function defineKeys(keys: Command, world: World): void {
  addStoredOptions(
    keys.command('list').description('print the kids of a content and the source of each key, never keys'),
  )
    .requiredOption('--content-id <id>', 'the content')
    .addHelpText('after', examples('keyspring keys list --content-id film'))
    .action((options: ListOptions) => list(options, world))
  addStoredOptions(
    keys.command('show').description('print what is known of a key, with its check value, never the key'),
  )
    .requiredOption('--content-id <id>', 'the content')
    .requiredOption('--kid <kid>', 'the kid of the key')
    .addOption(new Option('--class <class>', 'class of the content key').choices(['drm', 'clear']))
    .addHelpText('after', examples('keyspring keys show --content-id film --kid 9eb4050d-e44b-4802-932e-27d75083e266'))
    .action((options: KeyOptions) => show(options, world))
  defineImport(keys.command('import'), world)
  defineExport(keys.command('export'), world)
  addStoredOptions(
    keys.command('delete').description('delete an imported key; `contents delete` deletes all keys of a content'),
  )
    .requiredOption('--content-id <id>', 'the content')
    .requiredOption('--kid <kid>', 'the kid of the key')
    .addOption(new Option('--class <class>', 'class of the content key').choices(['drm', 'clear']).default('drm'))
    .option('--force', 'delete it although it may have been issued')
    .option('--reason <text>', 'reason for --force')
    .addHelpText(
      'after',
      examples(
        "keyspring keys delete --content-id film --kid 9eb4050d-e44b-4802-932e-27d75083e266 --force --reason 'imported twice'",
      ),
    )
    .action((options: DeleteOptions) => remove(options, world))
}

type ListOptions = StoredOptions & { readonly contentId: string }

interface KeyOptions extends ListOptions {
  readonly kid: string
  readonly class?: ContentKeyClass
}

interface DeleteOptions extends KeyOptions {
  readonly force?: boolean
  readonly reason?: string
}

async function list(options: ListOptions, world: World): Promise<void> {
  const listed = await withStored(options, world, ({ management }, operator) => listKeys(management, operator, options))
  printResult(world, options.json, listed, ({ keys, more }) => [
    ...keys.map(describe),
    ...(more ? ['… keys of older key periods are not shown'] : []),
    ...(keys.length === 0 ? ['no issued keys are known'] : []),
  ])
}

async function show(options: KeyOptions, world: World): Promise<void> {
  const name = { contentId: options.contentId, kid: readKid('--kid', options.kid), contentKeyClass: options.class }
  const keys = await withStored(options, world, ({ management }, operator) => showKey(management, operator, name))
  printResult(world, options.json, { keys }, () => keys.map((key) => `${describe(key)}  check value ${key.checkValue}`))
}

async function remove(options: DeleteOptions, world: World): Promise<void> {
  const { contentId, force = false, reason, class: contentKeyClass = 'drm' } = options
  const name = { contentId, contentKeyClass, kid: readKid('--kid', options.kid) }
  const removed = await withStored(options, world, ({ management }, operator) =>
    removeOverrideKey(management, operator, { ...name, force, ...(reason !== undefined && { reason }) }),
  )
  printResult(world, options.json, { removed }, () => [removed ? 'removed' : 'nothing to remove'])
}

function describe({
  kid,
  class: name,
  source,
  issued,
  commonEncryptionScheme = '',
  intendedTrackTypes,
}: ListedKey): string {
  const use = [commonEncryptionScheme, ...intendedTrackTypes].join(' ').trim()
  return `${kid}  ${name}  ${source}  ${issued ? 'issued' : 'not issued yet'}  ${use}`.trimEnd()
}
