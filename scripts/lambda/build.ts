import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { zipOf } from './zip.ts'

/** A function that was built. */
export interface BuiltLambda {
  readonly file: string
  readonly zip: string
  readonly bytes: number
  readonly zippedBytes: number
  /** Of the file, in hex. */
  readonly sha256: string
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** CommonJS packages in a module ask for what is built in. */
const BANNER = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);"
/** Digits of the hash in the name of the zip file: another function has another name, so that deployments see it. */
const NAMED = 16

/** Builds the function into a directory. The same source gives the same bytes, wherever and whenever. */
export async function buildLambda(directory: string): Promise<BuiltLambda> {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { readonly version: string }
  const { outputFiles } = await build({
    absWorkingDir: ROOT,
    entryPoints: ['src/lambda/main.ts'],
    bundle: true,
    write: false,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    // Names stay: a stack in the log has to say where it is.
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'eof',
    // The first is in the runtime; the others are loaded only by who has installed them.
    external: ['@aws-sdk/*', 'pg-native', 'pg-cloudflare'],
    define: { KEYSPRING_VERSION: JSON.stringify(version) },
    banner: { js: BANNER },
  })
  const [output] = outputFiles
  if (output === undefined) throw new Error('esbuild gave no file')
  const bytes = Buffer.from(output.contents)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  mkdirSync(directory, { recursive: true })
  const file = join(directory, 'index.mjs')
  writeFileSync(file, bytes)
  const zip = join(directory, `keyspring-${version}-${sha256.slice(0, NAMED)}.zip`)
  const zipped = zipOf([{ name: 'index.mjs', bytes }])
  writeFileSync(zip, zipped)
  return { file, zip, bytes: bytes.length, zippedBytes: zipped.length, sha256 }
}
