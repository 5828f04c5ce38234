import { randomBytes, randomUUID } from 'node:crypto'
import type { Ask, Reply } from './client.ts'
import type { Tally } from './tally.ts'

/** What acts on the server, over and over: a step, then a pause. */
export interface Actor {
  readonly name: string
  readonly pauseMs: number
  step(): Promise<void>
}

export interface World {
  readonly ask: Ask
  readonly tally: Tally
  readonly now: () => number
}

/** Times of the configuration in seconds. */
export const SHORT = { keep: 20, grace: 20 } as const

const WIDEVINE = 'edef8ba9-79d6-4ace-a3c8-27dcd51d21ed'
const AES_128 = '3ea8778f-7742-4bf9-b18b-e834b2acbd47'
const SPEKE = { 'content-type': 'application/xml', 'x-speke-version': '2.0' }

/** A live channel with two packagers: a new key every few steps, and now and then one of the last periods again. */
export function channel(world: World, n: number): Actor {
  const contentId = `live-${n}`
  const periods: { readonly index: number; readonly kids: readonly string[] }[] = []
  let index = 0
  return {
    name: 'channel',
    pauseMs: 2_500,
    async step() {
      if (periods.length === 0 || Math.random() < 0.5) {
        periods.push({ index: index++, kids: [randomUUID(), randomUUID()] })
        if (periods.length > 40)
          for (const kid of periods.shift()?.kids ?? []) world.tally.forget(`${contentId} ${kid}`)
      }
      const current = periods.at(-1)
      const past = periods[Math.floor(Math.random() * periods.length)]
      const asked = [current, current, past].filter((one) => one !== undefined)
      await Promise.all(asked.map((period) => issue(world, contentId, period.kids, WIDEVINE, period.index)))
    },
  }
}

/** Contents that live short: players get the key, then 410, then encryptors do too. */
export function shortLived(world: World): Actor {
  const living: { readonly contentId: string; readonly kid: string; readonly bornAt: number }[] = []
  return {
    name: 'short-lived content',
    pauseMs: 1_000,
    async step() {
      const born = { contentId: `short-${randomUUID()}`, kid: randomUUID(), bornAt: world.now() }
      await issue(world, born.contentId, [born.kid], AES_128)
      await play(world, born, 200)
      living.push(born)
      const gone = living.filter(({ bornAt }) => world.now() - bornAt > (SHORT.keep + SHORT.grace + 6) * 1_000)
      for (const one of gone) {
        living.splice(living.indexOf(one), 1)
        const { status } = await post(world, one.contentId, [one.kid], AES_128)
        judge(world, 'an expired content is gone for encryptors', status, 410)
        world.tally.forget(`${one.contentId} ${one.kid}`)
      }
      const expired = living.find(({ bornAt }) => {
        const age = world.now() - bornAt
        return age > (SHORT.keep + 6) * 1_000 && age < (SHORT.keep + SHORT.grace) * 1_000
      })
      if (expired !== undefined) await play(world, expired, 410)
    },
  }
}

/** Keys that somebody brings: what is answered is what was imported. */
export function importer(world: World): Actor {
  return {
    name: 'import',
    pauseMs: 3_000,
    async step() {
      const [contentId, kid, key] = [`brought-${randomUUID()}`, randomUUID(), randomBytes(16).toString('base64')]
      const keys = [{ contentId, kid, key }]
      const imported = await world.ask('POST', '/api/keys/import', JSON.stringify({ keys }), {
        'content-type': 'application/json',
        'idempotency-key': randomUUID(),
      })
      judge(world, 'imports', imported.status, 200)
      const [answered] = await issue(world, contentId, [kid], WIDEVINE)
      if (answered !== key) world.tally.wrong('an imported key is not the one answered', contentId)
    },
  }
}

/** An operator and a licence server: lists, look-ups, key resolution. */
export function operator(world: World): Actor {
  return {
    name: 'operator',
    pauseMs: 1_000,
    async step() {
      const { status, body } = await world.ask('GET', '/api/contents?startsWith=live-&limit=20')
      judge(world, 'lists', status, 200)
      const { contents } = JSON.parse(body.toString()) as {
        readonly contents: readonly { readonly contentId: string }[]
      }
      const one = contents[Math.floor(Math.random() * contents.length)]
      if (one === undefined) return
      const periods = await world.ask('GET', `/api/contents/${one.contentId}/periods`)
      judge(world, 'rotation schedules', periods.status, 200)
      const found = (
        JSON.parse(periods.body.toString()) as {
          readonly periods: readonly { readonly keys: readonly { readonly kid: string }[] }[]
        }
      ).periods
      const kid = found.findLast(({ keys }) => keys.length > 0)?.keys[0]?.kid
      if (kid === undefined) return
      judge(world, 'kid look-ups', (await world.ask('GET', `/api/kids/${kid}`)).status, 200)
      const resolved = await world.ask('POST', '/api/resolve', JSON.stringify({ kids: [kid] }), {
        'content-type': 'application/json',
      })
      judge(world, 'resolved kids', resolved.status, 200)
    },
  }
}

/** Asks for keys and holds them against those answered before; the keys in the order of the kids. */
async function issue(world: World, contentId: string, kids: readonly string[], systemId: string, period?: number) {
  const { status, body } = await post(world, contentId, kids, systemId, period)
  judge(world, 'answers to encryptors', status, 200)
  const keys = Array.from(body.toString().matchAll(/<pskc:PlainValue>([^<]+)</g), ([, key = '']) => key)
  if (keys.length !== kids.length)
    world.tally.wrong('a key is missing', `${contentId}: ${keys.length} of ${kids.length}`)
  for (const [i, key] of keys.entries()) world.tally.sameKey(`${contentId} ${kids[i]}`, key)
  return keys
}

function post(
  { ask }: World,
  contentId: string,
  kids: readonly string[],
  systemId: string,
  period?: number,
): Promise<Reply> {
  return ask('POST', '/copyProtection', documentOf(contentId, kids, systemId, period), SPEKE)
}

async function play(world: World, content: { readonly contentId: string; readonly kid: string }, expected: number) {
  const { contentId, kid } = content
  const { status, body } = await world.ask('GET', `/keys/default/${contentId}/${kid}`)
  judge(world, expected === 200 ? 'keys to players' : 'an expired content is refused to players', status, expected)
  if (status === 200) world.tally.sameKey(`${contentId} ${kid}`, body.toString('base64'))
}

function judge({ tally }: World, what: string, status: number, expected: number): void {
  if (status === expected) tally.ok(what)
  else tally.wrong(what, `status ${status}, expected ${expected}`)
}

function documentOf(contentId: string, kids: readonly string[], systemId: string, period?: number): string {
  const scheme = systemId === AES_128 ? 'cbc1' : 'cenc'
  const types = kids.length === 1 ? ['ALL'] : ['VIDEO', 'AUDIO']
  const filters: Record<string, string> = {
    ALL: '<cpix:VideoFilter/><cpix:AudioFilter/>',
    VIDEO: '<cpix:VideoFilter/>',
    AUDIO: '<cpix:AudioFilter/>',
  }
  const filled = systemId === AES_128 ? '<cpix:URIExtXKey/>' : '<cpix:PSSH/>'
  const [list, filter] =
    period === undefined
      ? ['', '']
      : [
          `<cpix:ContentKeyPeriodList><cpix:ContentKeyPeriod id="p${period}" index="${period}"/></cpix:ContentKeyPeriodList>`,
          `<cpix:KeyPeriodFilter periodId="p${period}"/>`,
        ]
  return [
    `<cpix:CPIX contentId="${contentId}" version="2.3" xmlns:cpix="urn:dashif:org:cpix" xmlns:pskc="urn:ietf:params:xml:ns:keyprov:pskc">`,
    '<cpix:ContentKeyList>',
    ...kids.map((kid) => `<cpix:ContentKey kid="${kid}" commonEncryptionScheme="${scheme}"/>`),
    '</cpix:ContentKeyList><cpix:DRMSystemList>',
    ...kids.map((kid) => `<cpix:DRMSystem kid="${kid}" systemId="${systemId}">${filled}</cpix:DRMSystem>`),
    `</cpix:DRMSystemList>${list}<cpix:ContentKeyUsageRuleList>`,
    ...kids.map((kid, i) => {
      const type = types[i] ?? ''
      return `<cpix:ContentKeyUsageRule kid="${kid}" intendedTrackType="${type}">${filter}${filters[type]}</cpix:ContentKeyUsageRule>`
    }),
    '</cpix:ContentKeyUsageRuleList></cpix:CPIX>',
  ].join('')
}
