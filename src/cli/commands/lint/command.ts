import { type Command, Option } from 'commander'
import { ENCRYPTORS } from '../../../protocols/speke/tables/encryptors.ts'
import { FAIL_ON } from '../../shared/findings.ts'

/** Adds `keyspring lint`. */
export function addLintCommand(program: Command): void {
  program
    .command('lint')
    .description('say what is wrong with a CPIX request or answer, or with an answer beside its request')
    .argument('<file>', 'a request or an answer; with a second file, the request; - for standard input')
    .argument('[answer]', 'the answer to it')
    .addOption(new Option('--as <encryptor>', 'hold it to the demands of').choices(ENCRYPTORS).default('spec'))
    .addOption(
      new Option('--kind <kind>', 'what a single file is (default: seen from its keys)').choices(['request', 'answer']),
    )
    .addOption(
      new Option('--speke <version>', 'version of SPEKE (default: by CPIX@version)').choices(['1.0', '2.0', '2.1']),
    )
    .option('--private-key <file>', 'decrypt the keys of an answer with this private key (PEM) and check every MAC')
    .option('--json', 'print findings as JSON')
    .option('--annotations', 'print findings as commands of GitHub Actions')
    .option('--all', 'print every finding, not the first three of each rule')
    .addOption(new Option('--fail-on <severity>', 'the least severity to fail for').choices(FAIL_ON).default('error'))
    .addHelpText('after', HELP)
    .action(async (file, answer, options) => {
      const { lint } = await import('./lint.ts')
      lint(file, answer, options)
    })
}

const HELP = `
Nothing is sent anywhere. Keys are never printed.

Examples:
  keyspring lint request.xml
  keyspring lint request.xml answer.xml
  keyspring lint request.xml answer.xml --as mediapackage-v2 --fail-on warning
  keyspring lint answer.xml --private-key recipient.pem
  keyspring lint request.xml --json | jq '.findings[].rule'
  keyspring lint request.xml answer.xml --annotations      in a workflow of GitHub Actions

Exit codes: 0 nothing as bad as --fail-on, 2 wrong usage, 6 errors found, 7 warnings, 8 notes.`
