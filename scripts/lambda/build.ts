import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'
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

/** Messages of zod in English alone: forty languages are a sixth of everything, and each start would read them. */
const ENGLISH: Plugin = {
  name: 'english',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]zod[\\/]v4[\\/]locales[\\/]index\.js$/ }, ({ path }) => ({
      contents: "export { default as en } from './en.js'",
      resolveDir: dirname(path),
    }))
  },
}

/**
 * The SDK of the runtime is beside it, not beside the function: NODE_PATH says where, which Node reads for `require` alone. So what
 * the source imports is required.
 */
const SDK_OF_THE_RUNTIME: Plugin = {
  name: 'sdk-of-the-runtime',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^@aws-sdk\// }, ({ path, namespace }) =>
      namespace === 'runtime' ? { path, external: true } : { path, namespace: 'runtime' },
    )
    onLoad({ filter: /.*/, namespace: 'runtime' }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)})`,
    }))
  },
}

/** Builds the function into a directory. The same source gives the same bytes, wherever and whenever. */
export async function buildLambda(directory: string): Promise<BuiltLambda> {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { readonly version: string }
  const { outputFiles, metafile } = await build({
    absWorkingDir: ROOT,
    // Else packages that are linked to have other names here than there, and their licences none.
    preserveSymlinks: true,
    entryPoints: ['src/server/lambda/main.ts'],
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    // Names stay: a stack in the log has to say where it is.
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'eof',
    // Loaded only by who has installed them.
    external: ['pg-native', 'pg-cloudflare'],
    define: { KEYSPRING_VERSION: JSON.stringify(version) },
    banner: { js: BANNER },
    plugins: [ENGLISH, SDK_OF_THE_RUNTIME],
  })
  const [output] = outputFiles
  if (output === undefined) throw new Error('esbuild gave no file')
  const bytes = Buffer.from(output.contents)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  mkdirSync(directory, { recursive: true })
  const file = join(directory, 'index.mjs')
  writeFileSync(file, bytes)
  const zip = join(directory, `keyspring-${version}-${sha256.slice(0, NAMED)}.zip`)
  const notices = Buffer.from(noticesOf(Object.keys(metafile.inputs)))
  const zipped = zipOf([
    { name: 'index.mjs', bytes },
    { name: 'NOTICES.txt', bytes: notices },
  ])
  writeFileSync(zip, zipped)
  return { file, zip, bytes: bytes.length, zippedBytes: zipped.length, sha256 }
}

/** The licences of Keyspring and of every package that is in the bundle, as their authors ask. */
function noticesOf(inputs: readonly string[]): string {
  const packages = new Set(inputs.flatMap((input) => /^(node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1] ?? []))
  const texts = ['.', ...[...packages].sort()].map((directory) => {
    const { name, version, license } = JSON.parse(readFileSync(join(ROOT, directory, 'package.json'), 'utf8'))
    const file = readdirSync(join(ROOT, directory)).find((one) => /^licen[cs]e(\.|$)/i.test(one))
    const text = file === undefined ? '' : readFileSync(join(ROOT, directory, file), 'utf8').trim()
    return `${name} ${version}, ${license}\n\n${text}\n`
  })
  return texts.join(`\n${'-'.repeat(80)}\n\n`)
}
