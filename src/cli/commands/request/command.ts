import { type Command, Option } from 'commander'
import { ENCRYPTORS } from '../../../protocols/speke/tables/encryptors.ts'
import { COMMAND_PLACEHOLDERS, OUTPUT_NAMES } from '../../../toolkit/encryptor/outputs/names.ts'

import { PERIOD_TIMINGS } from '../../../toolkit/encryptor/request/periods.ts'
import { AUDIO_PRESET_NAMES, VIDEO_PRESET_NAMES } from '../../../toolkit/encryptor/request/presets.ts'
import { CONTAINERS, SHAPES } from '../../../toolkit/encryptor/request/shapes.ts'
import { SYSTEM_NAMES } from '../../../toolkit/encryptor/systems.ts'
import { addSendingOptions } from '../../shared/sending-options.ts'

/** Adds `keyspring request`. */
export function addRequestCommand(program: Command): void {
  const command = program
    .command('request')
    .description('ask a key provider for keys, as an encryptor does')
    .argument('<url>', 'where it takes SPEKE requests, such as https://host/speke/v2.0/copyProtection')
    .argument('[command...]', 'with --run, behind --: the packager to start')
    .addOption(
      new Option('--as <encryptor>', 'write the request as this encryptor does').choices(ENCRYPTORS).default('spec'),
    )
    .addOption(
      new Option('--speke <version>', 'version of SPEKE (default: what the encryptor speaks)').choices([
        '1.0',
        '2.0',
        '2.1',
      ]),
    )
    .option('--content-id <id>', 'the content', 'keyspring-request')
    .option('--video <preset>', VIDEO_PRESET_NAMES.join(', '))
    .option('--audio <preset>', AUDIO_PRESET_NAMES.join(', '))
    .option('--drm <systems>', `${SYSTEM_NAMES.join(', ')} or UUIDs, with commas between`, 'widevine,playready')
    .option(
      '--scheme <scheme>',
      'cenc, cbcs, cbc1, cens; in 2.1 also AES-128, SAMPLE-AES, SAMPLE-AES-CTR (default: what the systems take)',
    )
    .addOption(
      new Option('--container <kind>', 'ask only for the signalling of')
        .choices(Object.keys(CONTAINERS))
        .default('all'),
    )
    .option('--iv <iv>', 'explicitIV: new, none, or 32 hex digits for every key (default: as the encryptor does)')
    .option(
      '--kid <[track=]kid...>',
      'the kid of a track, or of the only key (default: made of contentId, track and period)',
    )
    .option('--new-kids', 'random kids, so keys that were never asked for')
    .option(
      '--encrypt-to <file>',
      'encrypt the keys for this certificate (PEM or DER); new: for a fresh one, and decrypt them',
    )
    .option('--private-key <file>', 'decrypt with this private key (PEM) and check every MAC')
    .option('--live', 'name a key period')
    .option('--vod', 'name no key period, or with --periods offsets into the content')
    .option('--periods <n>', 'so many key periods in one request; with --follow, requests')
    .option('--interval <seconds>', 'how long a key period lasts')
    .option('--index <n>', 'index of the first key period')
    .option('--start <time>', 'when the first key period starts (SPEKE 2.1; default: the running interval)')
    .addOption(new Option('--period-timing <timing>', 'how a key period says when it is').choices(PERIOD_TIMINGS))
    .option('--follow', 'ask for one key period after the other, each at its time, and report the timeline')

  addSendingOptions(command)
    .addOption(new Option('--format <format>', 'what to print').choices(OUTPUT_NAMES).default('table'))
    .option('--out <file>', 'write there, for this user alone (mode 0600)')
    .option('--show-keys', 'print content keys')
    .option('--track <track>', 'use the key of this track, where a format takes one (ffmpeg)')
    .option('--track-id <track=id...>', 'the track id in an MP4 file (bento4, gpac; default: counted from 1)')
    .option('--run', 'start the command behind --, with its placeholders filled')
    .option('--load <rps>', 'send so many requests a second and print how long answers take')
    .option('--duration <seconds>', 'how long --load lasts', '10')
    .option('--dry-run', 'print the request and send nothing')
    .addHelpText('after', HELP)
    .action(async (url, command, options) => {
      const { request } = await import('./request.ts')
      await request(url, command, options)
    })
}

const HELP = `
Encryptors:
${ENCRYPTORS.map((name) => {
  const { title, assumed, versions, basis } = SHAPES[name]
  return `  ${name.padEnd(16)} ${title}, SPEKE ${versions.join(', ')}\n${' '.repeat(19)}${assumed ? 'ASSUMED: ' : ''}${basis}`
}).join('\n')}

Placeholders of --run:
  ${COMMAND_PLACEHOLDERS}

Examples:
  keyspring request http://127.0.0.1:8080/copyProtection
  keyspring request URL --as mediapackage-v2 --video VIDEO-2 --audio AUDIO-1 --drm widevine,playready,fairplay --scheme cbcs
  keyspring request URL --speke 2.1 --periods 3 --interval 60 --format json
  keyspring request URL --encrypt-to new --show-keys
  keyspring request https://ID.execute-api.eu-west-1.amazonaws.com/stage/copyProtection --auth sigv4
  keyspring request URL --auth digest --user encoder --secret-file password.txt
  keyspring request URL --format shaka --out keys.flags && packager --flagfile=keys.flags …
  keyspring request URL --run -- packager --flagfile={file:shaka} in=a.mp4,stream=video,out=v.mp4 --mpd_output a.mpd
  keyspring request URL --as elemental-live --drm aes-128 --format ffmpeg --out hls.keyinfo
  keyspring request URL --follow --periods 5 --interval 10
  keyspring request URL --load 200 --duration 10

Exit codes: 0 keys came, 1 no answer, 2 wrong usage, 4 the key provider refused, 5 its answer cannot be used;
with --run, that of the command.`
