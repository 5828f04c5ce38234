/** The values of `--format`. A separate list, so that `--help` does not load the formats. */
export const OUTPUT_NAMES = ['table', 'json', 'cpix', 'shaka', 'ffmpeg', 'bento4', 'gpac', 'dotenv'] as const

/** The placeholders of `--run`, for `--help`. */
export const COMMAND_PLACEHOLDERS =
  '{file:FORMAT} a file in a format, deleted afterwards; {FORMAT} the options of shaka, ffmpeg or bento4 as arguments; ' +
  '{kid} {key} {iv} in hex; each for one track with :TRACK, as in {file:shaka:AUDIO} and {key:AUDIO}'
