import { memoryStore } from '../../../src/adapters/store/memory/store.ts'
import type { Kid } from '../../../src/formats/cenc.ts'
import type { Handler } from '../../../src/http/request.ts'
import { clearKeyLicense, type PlayerOptions, playerKey } from '../../../src/http/routes/player.ts'
import type { ContentKeys } from '../../../src/keys/content/content-key.ts'
import type { LedgerStore } from '../../../src/keys/ports/ledger-store.ts'
import { openAccess } from '../../../src/protocols/playback/access.ts'
import { clearKeyLicenses } from '../../../src/protocols/playback/clearkey-license.ts'
import { corsOf } from '../../../src/protocols/playback/cors.ts'
import { issuedClasses } from '../../../src/protocols/playback/issued-classes.ts'
import { keyDelivery } from '../../../src/protocols/playback/key-delivery.ts'
import { playerKeys } from '../../../src/protocols/playback/player-keys.ts'
import { type CallOverrides, callOf, handlerFor } from '../../http/calls.ts'
import { hex, issue, keyringOf, kidOf, REF, wantedOf } from '../../keys/fixtures.ts'

export const ORIGIN = 'https://player.example'
export const NOW = Date.UTC(2026, 10, 21)

export interface Setup extends Partial<PlayerOptions> {
  readonly contentKeys?: ContentKeys
  readonly ledger?: Pick<LedgerStore, 'findByKid'>
  readonly servesDrmKeys?: (contentId: string) => boolean
}

/** The player's side of a server whose content `movie` was issued a clear key of kid 1, a drm key of kid 2. */
export async function playing(setup: Setup = {}) {
  const keyring = keyringOf()
  const ledger = memoryStore()
  const contentKeys = setup.contentKeys ?? keyring.keys
  const find = playerKeys({
    contentKeys,
    issuedClasses: issuedClasses({ ledger: setup.ledger ?? ledger, now: () => keyring.clock.at }),
    servesDrmKeys: ({ contentId }) => setup.servesDrmKeys?.(contentId) ?? false,
  })
  const player: PlayerOptions = {
    access: openAccess,
    cors: corsOf([ORIGIN]),
    token: {},
    now: () => NOW,
    ...setup,
  }
  const handler = handlerFor({
    routes: [
      playerKey({ ...player, deliverKey: keyDelivery(find) }),
      clearKeyLicense({ ...player, issueLicense: clearKeyLicenses(find) }),
    ],
    checks: [],
    observe: () => {},
    now: () => 0,
  })

  const wanted = [wantedOf(1, 'clear'), wantedOf(2, 'drm')]
  const issued = await issue(keyring.keys, wanted)
  const [clear = '', drm = ''] = issued.keys.map((both) => both.split(' ')[0])
  await ledger.record([
    {
      ...REF,
      periodId: '',
      periodIndex: undefined,
      periodStart: undefined,
      periodEnd: undefined,
      keys: wanted.map((one) => {
        return { ...one, commonEncryptionScheme: 'cenc', intendedTrackTypes: [], systemIds: [] }
      }),
      client: 'test',
      spekeVersion: '2.0',
      firstAt: NOW,
      lastAt: NOW,
      requests: 1,
      keepUntil: undefined,
    },
  ])
  return { ...keyring, ledger, handler, clear, drm }
}

/** The bytes of a key, in hex, or the refusal. */
export async function getKey(handler: Handler, kid: Kid | string, path = '/keys/default/movie', call?: CallOverrides) {
  return read(await handler(callOf('GET', `${path}/${kid}`, call)))
}

/** A licence, or the refusal. */
export async function postLicense(
  handler: Handler,
  body: unknown,
  { path = '/license/clearkey/default/movie', ...call }: CallOverrides & { readonly path?: string } = {},
) {
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
  return read(await handler(callOf('POST', path, { bytes, ...call })))
}

function read({ status, headers, body }: Awaited<ReturnType<Handler>>) {
  return { status, headers, body: typeof body === 'string' ? body : hex(body) }
}

/** A kid as licences spell it. */
export function base64url(kid: Kid): string {
  return Buffer.from(kid.replaceAll('-', ''), 'hex').toString('base64url')
}

export { hex, issue, kidOf, REF, wantedOf }
