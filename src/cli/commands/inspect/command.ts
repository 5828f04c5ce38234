import type { Command } from 'commander'

/** Adds `keyspring inspect` and `keyspring inspect diff`. */
export function addInspectCommand(program: Command): void {
  const inspect = program
    .command('inspect')
    .description('explain what keys and signalling are made of: nothing is written, nothing is sent')
    .argument('<anything>', 'a file, - for standard input, or the text itself: see below')
    .option('--key <file>', 'RSA private key (PEM): opens an encrypted CPIX document and checks its MACs')
    .option('--show-keys', 'print content keys')
    .option('--json', 'as JSON')
    .addHelpText('after', HELP)
    .action(async (anything, options) => (await import('./inspect.ts')).inspectAnything(anything, options))
  inspect
    .command('diff')
    .description('compare two CPIX documents by meaning: order, prefixes and spelling do not matter')
    .argument('<first>', 'a CPIX document; - for standard input')
    .argument('<second>', 'another one')
    .option('--key <file>', 'RSA private key (PEM): compares encrypted keys too')
    .option('--show-keys', 'print content keys that differ')
    .option('--json', 'as JSON')
    .addHelpText('after', DIFF_HELP)
    .action(async (first, second, options, command: Command) => {
      // The options stand in both commands, so that they may stand before "diff" too.
      const all = { ...command.parent?.opts(), ...options }
      await (await import('./inspect.ts')).inspectDiff(first, second, all)
    })
}

const HELP = `
What it explains, as files, as hex, as base64 or as text:
  CPIX documents           by content key: systems, periods, rules; encrypted ones with --key
  pssh boxes               several in a row too, and the MP4 file, init segment or media segment they are in
  PlayReady                an object, a WRMHEADER
  Widevine                 the message of a pssh box
  HLS                      a playlist, or an EXT-X-KEY or EXT-X-SESSION-KEY line
  DASH, Smooth Streaming   an MPD, a manifest, ContentProtection elements
  FairPlay                 an skd:// URI
  X.509 certificates       PEM or DER
  kids                     in both byte orders

Places are "offset +length" in bytes of what was decoded last, or "line:column".

Examples:
  keyspring inspect answer.xml
  keyspring inspect answer.xml --key private-key.pem
  keyspring inspect AAAANHBzc2gBAAAAEHfv7MCyTQKs4zweUuL7SwAAAAGetAUN5EtIApMuJ9dQg+JmAAAAAA==
  keyspring inspect init.mp4
  curl -s https://host/master.m3u8 | keyspring inspect -
  keyspring inspect manifest.mpd --json
  keyspring inspect diff answer-of-yesterday.xml answer-of-today.xml

Exit codes: 0 explained, warnings or not, 1 damaged or unknown, 2 wrong usage.`

const DIFF_HELP = `
Examples:
  keyspring inspect diff clear.xml encrypted.xml --key private-key.pem
  keyspring inspect diff before.xml after.xml --json

Exit codes: 0 they say the same, 1 they differ, 2 wrong usage.`
