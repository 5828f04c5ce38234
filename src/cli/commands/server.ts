import { type Command, Option } from 'commander'
import { type DoctorOptions, doctor } from '../doctor/doctor.ts'
import { FAIL_ON } from '../shared/findings.ts'
import type { World } from '../shared/world.ts'

/** Defines `keyspring server doctor`. */
export function defineServer(server: Command, world: World): void {
  server
    .command('doctor')
    .description('check store, root key, clock, configuration, network and certificates')
    .option('--config <file>', 'YAML file of settings')
    .option('--data <dir>', 'as for keyspring serve')
    .option('--host <host>', 'as for keyspring serve')
    .option('--port <port>', 'as for keyspring serve')
    .option('--public-url <url>', 'as for keyspring serve')
    .option('--allow-anonymous', 'as for keyspring serve')
    .option('--json', 'print JSON')
    .addOption(new Option('--fail-on <severity>', 'lowest severity that fails').choices(FAIL_ON).default('error'))
    .addHelpText('after', DOCTOR_HELP)
    .action((options: DoctorOptions) => doctor(options, world))
}

const DOCTOR_HELP = `
The command changes nothing, can run beside the server, and prints no secret.

Examples:
  keyspring server doctor --config keyspring.yaml
  keyspring server doctor --config keyspring.yaml --json | jq '.findings[] | select(.health != "ok")'
  keyspring server doctor --config keyspring.yaml --fail-on warning

Exit codes: 0 nothing as severe as --fail-on, 6 errors found, 7 warnings, 8 notes.`
