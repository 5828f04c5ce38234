import type { Command } from 'commander'

/** Adds `keyspring audit …`. */
export function addAuditCommand(program: Command): void {
  const audit = program.command('audit').description('the log of who did what')
  audit
    .command('verify')
    .description('find records that were edited, deleted, reordered or cut')
    .option('--directory <dir>', 'the log (default: that of the configuration)')
    .option('--since <day>', 'from this day on, YYYY-MM-DD: older files may have been moved away')
    .option('--node <node...>', 'the nodes whose files are here (default: all)')
    .option('--data <dir>', 'as for serve')
    .option('--config <file>', 'as for serve')
    .option('--json', 'as JSON')
    .action(async (options) => (await import('./audit.ts')).verify(options))
}
