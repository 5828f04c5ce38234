import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { DRM_SYSTEM_FACTS } from '../formats/drm/facts.ts'
import { makeClip } from './clip.ts'
import { startDemoServer } from './keyspring.ts'
import { makeStreams, type Stream } from './streams.ts'
import { PLAYERS, serveWeb } from './web.ts'

const USAGE = `Usage: npm run demo [-- --port 8090 --keyspring-port 8091]

Starts Keyspring, requests keys, encrypts a clip and serves a page that plays it. Runs until you stop it with Ctrl+C.

Options:
  --port N            port of the page on 127.0.0.1 (default: 8090)
  --keyspring-port N  port of Keyspring on 127.0.0.1; 0 selects a free port (default: 0)
  --help              print this text
`

const options = readOptions()
const PAGE = fileURLToPath(new URL('page', import.meta.url))

/** The stop functions of everything that started. They run in reverse order. */
const started: (() => Promise<unknown>)[] = []
const stop = async (): Promise<void> => {
  for (const one of started.splice(0).reverse()) await one()
}
process.once('SIGINT', () => void stop())
process.once('SIGTERM', () => void stop())

if (options !== undefined) {
  try {
    await start(options)
  } catch (error) {
    const isTaken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
    say(isTaken ? 'another program uses this port: choose another one with -- --port N' : messageOf(error))
    process.exitCode = 1
    await stop()
  }
}

interface DemoOptions {
  readonly port: number
  readonly keyspringPort: number
}

/** Reads the command line. Undefined if there is nothing to start: after --help, or with wrong options (exit status 2). */
function readOptions(): DemoOptions | undefined {
  try {
    const { values } = parseArgs({
      options: {
        port: { type: 'string', default: '8090' },
        'keyspring-port': { type: 'string', default: '0' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
    if (values.help) {
      process.stdout.write(USAGE)
      return undefined
    }
    return {
      port: readPort('--port', values.port),
      keyspringPort: readPort('--keyspring-port', values['keyspring-port']),
    }
  } catch (error) {
    process.stderr.write(`demo: ${messageOf(error)}\n\n${USAGE}`)
    process.exitCode = 2
    return undefined
  }
}

function readPort(name: string, text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (!(port <= 65535)) throw new Error(`${name}: expected a port from 0 to 65535, got ${JSON.stringify(text)}`)
  return port
}

async function start({ port, keyspringPort }: DemoOptions): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'keyspring-demo-'))
  started.push(() => rm(folder, { recursive: true, force: true }))
  const served: { streams: readonly Stream[]; url: string; tokens: () => Promise<unknown> } = {
    streams: [],
    url: '',
    tokens: async () => ({}),
  }
  const web = await serveWeb(
    {
      ...PLAYERS,
      '/demo': { file: join(PAGE, 'index.html') },
      '/demo/': { folder: PAGE },
      '/demo/streams.json': { json: async () => ({ keyspring: served.url, streams: served.streams }) },
      '/demo/drm-systems.json': { json: async () => drmSystemNames() },
      '/demo/tokens.json': { json: () => served.tokens() },
      '/media/': { folder },
    },
    port,
  )
  started.push(() => web.close())
  // This folder contains a secret, so the web server must not serve it.
  const own = await mkdtemp(join(tmpdir(), 'keyspring-demo-'))
  started.push(() => rm(own, { recursive: true, force: true }))
  const keyspring = await startDemoServer(own, web.url, keyspringPort)
  started.push(() => keyspring.close())

  const expired = await keyspring.mintToken('demo-*', '1s')
  const clip = await makeClip(folder)
  say(clip.made ? 'made a clip with FFmpeg' : 'FFmpeg is not installed: using the included clip, without HLS AES-128')
  served.tokens = async () => ({
    good: await keyspring.mintToken('demo-*', '1h'),
    another: await keyspring.mintToken('another-content', '1h'),
    expired,
  })
  served.url = keyspring.url
  served.streams = await makeStreams(folder, keyspring.url, clip)
  for (const { title, speke, keys, encryptedBy } of served.streams) {
    say(`${title}: ${keys.length} keys from SPEKE ${speke}, encrypted with ${encryptedBy}`)
  }
  say(`keyspring listens on ${keyspring.url}`)
  say(`open ${web.url}/demo`)
}

/** Returns the name of every DRM system by its ID, for the page. */
function drmSystemNames(): Record<string, string> {
  return Object.fromEntries([...DRM_SYSTEM_FACTS].map(([systemId, { name }]) => [systemId, name]))
}

function say(line: string): void {
  process.stderr.write(`demo: ${line}\n`)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : 'failed without an error'
}
