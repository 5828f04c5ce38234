/** What `--format` takes: a list of its own, so that `--help` loads no format. */
export const OUTPUT_NAMES = ['table', 'json', 'cpix', 'shaka', 'ffmpeg', 'bento4', 'gpac', 'dotenv'] as const

/** The placeholders, for `--help`. */
export const COMMAND_PLACEHOLDERS =
  '{file:FORMAT} a file in a format, removed afterwards; {FORMAT} the options of shaka, ffmpeg or bento4 as arguments; ' +
  '{kid} {key} {iv} in hex, of one track as {key:TRACK}'
