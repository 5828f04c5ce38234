import { type Command, Option } from 'commander'
import { FAIL_ON } from '../../shared/findings.ts'

/** Adds `keyspring server`. */
export function addServerCommand(program: Command): void {
  const server = program.command('server').description('the server of a configuration')
  server
    .command('doctor')
    .description('say what is wrong with store, root key, clock, configuration, reachability and certificates')
    .option('--config <file>', 'YAML file of settings')
    .option('--data <dir>', 'as for serve')
    .option('--host <host>', 'as for serve')
    .option('--port <port>', 'as for serve')
    .option('--public-url <url>', 'as for serve')
    .option('--allow-anonymous', 'as for serve')
    .option('--json', 'print findings as JSON')
    .addOption(new Option('--fail-on <severity>', 'the least severity to fail for').choices(FAIL_ON).default('error'))
    .addHelpText('after', HELP)
    .action(async (options) => (await import('../../doctor/doctor.ts')).doctor(options))
}

const HELP = `
It changes nothing, may be run beside the server, and prints no secret.

Examples:
  keyspring server doctor --config keyspring.yaml
  keyspring server doctor --config keyspring.yaml --json | jq '.findings[] | select(.health != "ok")'
  keyspring server doctor --config keyspring.yaml --fail-on warning

Exit codes: 0 nothing as bad as --fail-on, 6 errors found, 7 warnings, 8 notes.`
