import assert from 'node:assert/strict'
import { createSecretKey, randomBytes, randomUUID } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { mintPlayerToken, type PlayerGrant } from '../../src/auth/players/token.ts'
import { makeClip } from '../../src/demo/clip.ts'
import { type ClipEncryption, packageCmaf } from '../../src/demo/cmaf.ts'
import { type ClipKey, requestKeys, type TrackKey } from '../../src/demo/speke.ts'
import { PLAYERS, serveWeb } from '../../src/demo/web.ts'
import { startProcess } from '../cli/run.ts'

const SECRET = randomBytes(32).toString('hex')
const PAGE = fileURLToPath(new URL('page', import.meta.url))

/** The systems of a stream that every kind of player can play. */
export const EVERY_SYSTEM = ['widevine', 'playready', 'fairplay', 'common', 'clearkey', 'sample-aes'] as const
/** Those that need no vendor: their keys are of the class `clear`. */
export const CLEAR_SYSTEMS = ['common', 'clearkey'] as const

export const SIGNER = { name: 'e2e', key: randomBytes(32).toString('hex'), iv: randomBytes(16).toString('hex') }

export type Studio = Awaited<ReturnType<typeof openStudio>>

/**
 * Everything that stands around a browser: a clip, a Keyspring that wants tokens of players, a web server with the packaged
 * streams and the players. The keys of the contents `shown-…` are served to ClearKey though DRM systems share them.
 */
export async function openStudio() {
  const folder = await mkdtemp(join(tmpdir(), 'keyspring-e2e-'))
  const web = await serveWeb({ ...PLAYERS, '/media/': { folder }, '/e2e/': { folder: PAGE } })
  const licenses = await licenseSink()
  const files = { 'signer.key': SIGNER.key, 'signer.iv': SIGNER.iv }
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text, { mode: 0o600 })
  const config = {
    port: 0,
    store: 'memory',
    playback: {
      access: 'jwt',
      jwt: { secret: SECRET },
      token: { query: 'token' },
      origins: [web.url],
      serveDrmKeys: ['default/shown-*'],
    },
    signalingProfiles: { default: { playready: { laUrl: `${licenses.url}/playready?a=1&b=2` } }, bare: {} },
    contents: [{ contentId: 'boxes-*', signalingProfile: 'bare' }],
    widevine: {
      signers: [{ name: SIGNER.name, aesKeyFile: join(folder, 'signer.key'), aesIvFile: join(folder, 'signer.iv') }],
    },
  }
  const configFile = join(folder, 'keyspring.yaml')
  await writeFile(configFile, JSON.stringify(config), { mode: 0o600 })
  const keyspring = startProcess(['serve', '--config', configFile])
  const closeRest = async (): Promise<void> => {
    await web.close()
    await licenses.close()
    await rm(folder, { recursive: true })
  }
  const [, url = ''] = await keyspring.stderr(/listens on (\S+),/).catch(async (error: unknown) => {
    await closeRest()
    throw error
  })
  const clip = await makeClip(folder)
  assert.ok(clip.made, 'FFmpeg is here')
  const at = (...names: readonly string[]): string => join(folder, ...names)
  const issued: TrackKey[] = []

  const ask = async (request: ClipKey): Promise<readonly TrackKey[]> => {
    const { keys } = await requestKeys(`${url}/copyProtection`, request)
    issued.push(...keys)
    return keys
  }

  return {
    url,
    web: web.url,
    clip,
    folder,
    at,
    licenses,
    ask,
    /** Every key that was issued, to look for. */
    issued: issued as readonly TrackKey[],
    mediaUrl: (...names: readonly string[]): string => `${web.url}/media/${names.join('/')}`,
    licenseUrl: (contentId: string): string => `${url}/license/clearkey/default/${contentId}`,
    /** Three keys, for sound and two sizes of picture, and the stream that they encrypt. */
    async publish(contentId: string, scheme: ClipEncryption['scheme'], systems: ClipKey['systems'] = EVERY_SYSTEM) {
      const tracks = ['AUDIO', 'SD', 'HD'].map((trackType) => ({ kid: randomUUID(), trackType }))
      const keys = await ask({ contentId, scheme, systems, tracks })
      await packageCmaf(at(contentId), clip, { scheme, keys })
      return keys
    },
    mint: (grant: Partial<PlayerGrant> = {}, secret = SECRET): Promise<string> =>
      mintPlayerToken(
        { id: 'secret', algorithm: 'HS256', key: createSecretKey(Buffer.from(secret)) },
        { tenant: 'default', contentIds: ['*'], expiresAt: Date.now() + 600_000, ...grant },
        Date.now(),
      ),
    /** The files below a folder, by their names. */
    async filesOf(name: string): Promise<ReadonlyMap<string, Buffer>> {
      const names = await readdir(at(name))
      return new Map(await Promise.all(names.map(async (one) => [one, await readFile(at(name, one))] as const)))
    },
    async close() {
      keyspring.signal('SIGTERM')
      const { stderr } = await keyspring.done
      await closeRest()
      return { log: stderr }
    },
  }
}

/** A licence server that only writes down who asks, from whatever page. */
async function licenseSink() {
  const asked: { readonly path: string; readonly body: string }[] = []
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString('latin1')
    if (request.method === 'POST') asked.push({ path: request.url ?? '', body })
    const origin = request.headers.origin ?? '*'
    response.writeHead(request.method === 'OPTIONS' ? 200 : 403, {
      'access-control-allow-origin': origin,
      'access-control-allow-credentials': 'true',
      'access-control-allow-headers': request.headers['access-control-request-headers'] ?? '',
    })
    response.end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    close: () => new Promise((resolve) => server.close(resolve)),
  }
}
