import type { Command } from 'commander'

/** Adds what every command takes that works on what is stored. */
export function onStore(command: Command): Command {
  return command
    .option('--tenant <tenant>', 'whose contents', 'default')
    .option('--data <dir>', 'as for serve')
    .option('--config <file>', 'as for serve')
    .option('--json', 'as JSON')
}
