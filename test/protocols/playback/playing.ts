import type { Kid } from '../../../src/formats/cenc.ts'
import type { Handler } from '../../../src/http/request.ts'
import { clearKeyLicense, type PlayerOptions, playerKey } from '../../../src/http/routes/player.ts'
import type { ContentKeys, WantedKey } from '../../../src/keys/content/content-key.ts'
import type { ContentRef } from '../../../src/keys/ports/content-ref.ts'
import type { IssuedKidStore, LedgerRecord, LedgerStore } from '../../../src/keys/ports/ledger-store.ts'
import { openAccess } from '../../../src/protocols/playback/access.ts'
import { corsOf } from '../../../src/protocols/playback/cors.ts'
import { IssuedKids } from '../../../src/protocols/playback/issued-kids.ts'
import { PlayerKeys } from '../../../src/protocols/playback/player-keys.ts'
import { type CallOverrides, callOf, handlerFor } from '../../http/calls.ts'
import { hex, issue, keyringOf, kidOf, REF, wantedOf } from '../../keys/fixtures.ts'

export const ORIGIN = 'https://player.example'
export const NOW = Date.UTC(2026, 10, 21)

export interface Setup extends Partial<PlayerOptions> {
  readonly contentKeys?: ContentKeys
  readonly issuedStore?: Pick<IssuedKidStore, 'findIssued'>
  readonly servesDrmKeys?: (contentId: string) => boolean
  /** What happens on other nodes while a request waits. */
  readonly whileWaiting?: (store: LedgerStore) => Promise<void>
}

/** The player's side of a server that issued keys of the content `movie`: clear ones of kids 1 and 3, a drm one of kid 2. */
export async function playing(setup: Setup = {}) {
  const keyring = keyringOf()
  const store = keyring.store as typeof keyring.store & LedgerStore
  const contentKeys = setup.contentKeys ?? keyring.keys
  const waits: number[] = []
  const unconfirmed: string[] = []
  const issuedKids = new IssuedKids({
    store: setup.issuedStore ?? store,
    now: () => keyring.clock.at,
    async wait(ms) {
      waits.push(ms)
      keyring.clock.at += ms
      await setup.whileWaiting?.(store)
    },
    onUnconfirmed: ({ contentId }) => void unconfirmed.push(contentId),
  })
  const keys = new PlayerKeys({
    contentKeys,
    issuedKids,
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
    routes: [playerKey({ ...player, keys }), clearKeyLicense({ ...player, keys })],
    checks: [],
    observe: () => {},
    now: () => 0,
  })

  const wanted = [wantedOf(1, 'clear'), wantedOf(2, 'drm'), wantedOf(3, 'clear')]
  const issued = await issue(keyring.keys, wanted)
  const [clear = '', drm = ''] = issued.keys.map((both) => both.split(' ')[0])
  await store.record([recordOf(wanted)])
  return { ...keyring, ledger: store, handler, issuedKids, waits, unconfirmed, clear, drm }
}

/** The ledger record of keys that were issued. */
export function recordOf(wanted: readonly WantedKey[], ref: ContentRef = REF): LedgerRecord {
  return {
    ...ref,
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
  }
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
