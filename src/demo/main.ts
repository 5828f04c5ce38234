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

// npm run demo [-- --port 8090 --keyspring-port 8091]: keys, encrypted streams and a page that plays them, until stopped.

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '8090' },
    'keyspring-port': { type: 'string', default: '0' },
  },
})
const PAGE = fileURLToPath(new URL('page', import.meta.url))

/** What started, the last first: all of it is stopped, whatever of it there is. */
const started: (() => Promise<unknown>)[] = []
const stop = async (): Promise<void> => {
  for (const one of started.splice(0).reverse()) await one()
}
process.once('SIGINT', () => void stop())
process.once('SIGTERM', () => void stop())

try {
  await start()
} catch (error) {
  const isTaken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
  say(isTaken ? 'another program listens on this port: choose another with -- --port N' : messageOf(error))
  process.exitCode = 1
  await stop()
}

async function start(): Promise<void> {
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
    Number(values.port),
  )
  started.push(() => web.close())
  // Its folder holds a secret, so it is not the one that is served.
  const own = await mkdtemp(join(tmpdir(), 'keyspring-demo-'))
  started.push(() => rm(own, { recursive: true, force: true }))
  const keyspring = await startDemoServer(own, web.url, Number(values['keyspring-port']))
  started.push(() => keyspring.close())

  const expired = await keyspring.mintToken('demo-*', '1s')
  const clip = await makeClip(folder)
  say(clip.made ? 'made a clip with FFmpeg' : 'FFmpeg is not here: a tiny clip, and no HLS AES-128')
  served.tokens = async () => ({
    good: await keyspring.mintToken('demo-*', '1h'),
    another: await keyspring.mintToken('another-content', '1h'),
    expired,
  })
  served.url = keyspring.url
  served.streams = await makeStreams(folder, keyspring.url, clip)
  for (const { title, speke, keys, encryptedBy } of served.streams) {
    say(`${title}: ${keys.length} keys by SPEKE ${speke}, encrypted by ${encryptedBy}`)
  }
  say(`keyspring listens on ${keyspring.url}`)
  say(`open ${web.url}/demo`)
}

/** The name of every DRM system by its ID, for the page. */
function drmSystemNames(): Record<string, string> {
  return Object.fromEntries([...DRM_SYSTEM_FACTS].map(([systemId, { name }]) => [systemId, name]))
}

function say(line: string): void {
  process.stderr.write(`demo: ${line}\n`)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : 'failed without an error'
}
