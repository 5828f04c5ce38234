import type { Command } from 'commander'
import { onStore } from '../../shared/content-options.ts'

/** Adds `keyspring contents …`. */
export function addContentsCommand(program: Command): void {
  const contents = program.command('contents').description('contents: what there is, how long, for how long still')
  const ofContent = (command: Command): Command => onStore(command).requiredOption('--content-id <id>', 'the content')

  onStore(contents.command('list').description('print contents, with state, class and when they expire'))
    .option('--starts-with <text>', 'whose id starts with this')
    .option('--contains <text>', 'whose id contains this, letter case counting')
    .option('--limit <count>', 'at most so many; without it all')
    .action(async (options) => (await import('./contents.ts')).list(options))
  ofContent(contents.command('show').description('print one content and its last key periods')).action(
    async (options) => (await import('./contents.ts')).show(options),
  )
  ofContent(contents.command('periods').description('print its key periods, and those to come'))
    .option('--expected <count>', 'how many that are still to come', '5')
    .action(async (options) => (await import('./contents.ts')).periods(options))
  ofContent(contents.command('hold').description('put it under legal hold: it neither expires nor can it be deleted'))
    .requiredOption('--reason <text>', 'why')
    .action(async (options) => (await import('./contents.ts')).hold(options))
  ofContent(contents.command('release').description('lift its legal hold'))
    .requiredOption('--reason <text>', 'why')
    .action(async (options) => (await import('./contents.ts')).release(options))
  ofContent(contents.command('delete').description('destroy its keys for ever: a late request for them is refused'))
    .requiredOption('--reason <text>', 'why')
    .action(async (options) => (await import('./contents.ts')).remove(options))
  contents
    .command('sweep')
    .description('let expired contents go now, as a server does every few minutes')
    .option('--dry-run', 'only say what is due, and when')
    .option('--data <dir>', 'as for serve')
    .option('--config <file>', 'as for serve')
    .option('--json', 'as JSON')
    .action(async (options) => (await import('./contents.ts')).sweep(options))
}
