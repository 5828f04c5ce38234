import { bento4 } from './bento4.ts'
import { dotenv } from './dotenv.ts'
import { ffmpeg } from './ffmpeg.ts'
import { gpac } from './gpac.ts'
import { json } from './json.ts'
import type { Output } from './output.ts'
import { shaka } from './shaka.ts'
import { table } from './table.ts'

/** The unchanged answer, for programs that read CPIX. */
const cpix: Output = {
  name: 'cpix',
  title: 'the unchanged document',
  holdsKeys: ({ request }) => !request.encrypted,
  render: ({ document }) => ({ text: document }),
}

/** The output formats by the value of `--format`. */
export const OUTPUTS: ReadonlyMap<string, Output> = new Map(
  [table, json, cpix, shaka, ffmpeg, bento4, gpac, dotenv].map((output) => [output.name, output]),
)
