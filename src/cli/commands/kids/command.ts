import type { Command } from 'commander'
import { onStore } from '../../shared/content-options.ts'

/** Adds `keyspring kids …`. */
export function addKidsCommand(program: Command): void {
  const kids = program.command('kids').description('where kids were issued')
  onStore(kids.command('show').description('print the contents and key periods a kid was issued in, never its key'))
    .argument('<kid>', 'a UUID')
    .action(async (kid, options) => (await import('./kids.ts')).show(kid, options))
}
