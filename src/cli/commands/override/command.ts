import { type Command, Option } from 'commander'
import { onStore } from '../../shared/content-options.ts'

/** Adds `keyspring override …`. */
export function addOverrideCommand(program: Command): void {
  const override = program
    .command('override')
    .description('keys that are given instead of derived, and kids instead of asked')
  const ofContent = (command: Command): Command => onStore(command).requiredOption('--content-id <id>', 'the content')
  const ofKey = (command: Command): Command =>
    command
      .option('--kid <kid>', 'the kid of the key')
      .addOption(new Option('--class <class>', 'class of the content key').choices(['drm', 'clear']).default('drm'))
      .option('--track-type <type>', 'of a rule: the intendedTrackType it matches (default any)')
      .option('--period-index <index>', 'of a rule: the key period it matches (default any)')
      .option('--force', 'although keys may have been given out already')
      .option('--reason <text>', 'why it is forced')

  ofKey(ofContent(override.command('add').description('store a key for a kid, or a rule that replaces kids')))
    .option('--key-file <file>', 'the key: 16 bytes, 32 hex digits or base64; - for standard input')
    .option('--iv-file <file>', 'its IV, likewise')
    .option('--pssh <system=file...>', 'a ready-made pssh box of a DRM system')
    .option('--new-kid <kid>', 'make a rule: content keys that match it get this kid')
    .action(async (options) => (await import('./override.ts')).add(options))
  ofContent(override.command('list').description('print kids and classes, never keys')).action(async (options) =>
    (await import('./override.ts')).list(options),
  )
  ofKey(ofContent(override.command('remove').description('remove the key of a kid, or a rule')))
    .option('--rule', 'remove the rule of --track-type and --period-index')
    .action(async (options) => (await import('./override.ts')).remove(options))
}
