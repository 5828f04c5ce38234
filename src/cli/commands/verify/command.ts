import { type Command, Option } from 'commander'
import { ENCRYPTORS } from '../../../protocols/speke/tables/encryptors.ts'
import { FAIL_ON } from '../../shared/findings.ts'
import { addSendingOptions } from '../../shared/sending-options.ts'

/** Adds `keyspring verify`. */
export function addVerifyCommand(program: Command): void {
  const command = program
    .command('verify')
    .description('check a key provider: every request that encryptors send, right and wrong, and all that comes back')
    .argument('[url]', 'where it takes SPEKE requests, such as https://host/speke/v2.0/copyProtection')
    .addOption(
      new Option('--as <encryptor>', 'ask as this encryptor does, and demand what it demands')
        .choices(ENCRYPTORS)
        .default('spec'),
    )
    .option('--only <checks...>', 'these checks alone: a group, the start of a name, or a name with *')
    .option('--list', 'print the checks and send nothing')
    .option(
      '--drm <systems>',
      'the DRM systems it is to know, with commas between',
      'widevine,playready,fairplay,aes-128',
    )
    .option('--content-id <id>', 'what the contentIds begin with', 'keyspring-verify')
    .option('--concurrency <n>', 'checks at the same moment', '4')
  addSendingOptions(command)
    .option('--html <file>', 'write a report of one file, to send to the team of the key provider')
    .option('--junit <file>', 'write a report as JUnit XML')
    .option('--json <file>', 'write a report as JSON; - for standard output')
    .option('--show-keys', 'leave content keys in reports')
    .option('--all', 'print every finding, not the first of each rule')
    .addOption(new Option('--fail-on <severity>', 'the least severity to fail for').choices(FAIL_ON).default('error'))
    .addHelpText('after', HELP)
    .action(async (url, options) => {
      const { verify } = await import('./verify.ts')
      await verify(url, options)
    })
}

const HELP = `
It asks for a few hundred contents whose ids begin with --content-id: use a tenant or stage for tests. Keys are removed
from reports unless --show-keys is given.

Examples:
  keyspring verify http://127.0.0.1:8080/copyProtection
  keyspring verify URL --as mediapackage-v2 --html report.html
  keyspring verify URL --only v2.0-live --only 'systems/*fairplay*'
  keyspring verify URL --drm widevine,playready
  keyspring verify URL --junit report.xml --fail-on warning
  keyspring verify --list --as shaka
  keyspring verify https://ID.execute-api.eu-west-1.amazonaws.com/stage/copyProtection --auth sigv4

Exit codes: 0 nothing as bad as --fail-on, 1 no answer at all, 2 wrong usage, 6 errors found, 7 warnings, 8 notes.`
