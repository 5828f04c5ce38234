import { type Command, Option } from 'commander'

/** Adds the options that say how to reach a key provider and who asks. */
export function addSendingOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--auth <method>', 'how to prove who asks')
        .choices(['none', 'basic', 'digest', 'bearer', 'sigv4'])
        .default('none'),
    )
    .option('--user <name>', 'user of basic and digest, access key id of sigv4 (default AWS_ACCESS_KEY_ID)')
    .option('--secret-file <file>', 'its password, token or secret access key; - for standard input')
    .option('--secret-env <name>', 'or the environment variable that holds it (sigv4: AWS_SECRET_ACCESS_KEY)')
    .option('--region <region>', 'of sigv4 (default: of the URL, or AWS_REGION)')
    .option('--service <service>', 'of sigv4', 'execute-api')
    .option('--header <header...>', '"Name: value" to send too; @FILE for a file of them')
    .option('--cert <file>', 'client certificate for mTLS (PEM)')
    .option('--cert-key <file>', 'its private key (PEM)')
    .option('--ca <file>', 'trust these authorities (PEM) instead of the usual ones')
    .option('--allow-clear-text', 'send a password or token over http:// all the same')
    .option('--timeout <seconds>', 'wait so long for an answer', '10')
}
