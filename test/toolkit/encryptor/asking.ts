import type { EncryptorName } from '../../../src/protocols/speke/tables/presets.ts'
import { SPEKE_VERSIONS, type SpekeVersion } from '../../../src/protocols/speke/tables/versions.ts'
import type { Reader } from '../../../src/toolkit/encryptor/answer/keys.ts'
import { type Answer, readAnswer } from '../../../src/toolkit/encryptor/answer/read.ts'
import { type BuiltRequest, buildRequest, type RequestPlan } from '../../../src/toolkit/encryptor/request/build.ts'
import { nameUuid, type PeriodPlan, periodsOf } from '../../../src/toolkit/encryptor/request/periods.ts'
import { type PresetChoice, tracksOf } from '../../../src/toolkit/encryptor/request/presets.ts'
import { CONTAINERS, SHAPES } from '../../../src/toolkit/encryptor/request/shapes.ts'
import type { ProviderReply } from '../../../src/toolkit/encryptor/send.ts'
import { systemsOf } from '../../../src/toolkit/encryptor/systems.ts'
import { answering } from '../../protocols/speke/answering.ts'

/** What a test asks for; what it does not care about is a film with Widevine and cenc. */
export interface Wish extends PresetChoice, Partial<Pick<RequestPlan, 'scheme' | 'certificates' | 'ivOf' | 'kidOf'>> {
  readonly as?: EncryptorName
  readonly speke?: '1.0' | '2.0' | '2.1'
  readonly drm?: readonly string[]
  readonly container?: string
  readonly contentId?: string
  readonly periods?: Partial<PeriodPlan>
}

export function requestOf(wish: Wish = {}): BuiltRequest {
  const {
    as = 'spec',
    speke = '2.0',
    drm = ['widevine'],
    container = 'all',
    contentId = 'film',
    scheme = 'cenc',
  } = wish
  const version = versionOf(speke)
  return buildRequest({
    shape: SHAPES[as],
    version,
    contentId,
    tracks: tracksOf(wish),
    systems: systemsOf(drm, version.major),
    scheme,
    slots: CONTAINERS[container] ?? [],
    periods:
      wish.periods === undefined
        ? []
        : periodsOf({
            contentId,
            version,
            count: 1,
            firstIndex: 0,
            interval: undefined,
            timing: undefined,
            start: Date.UTC(2026, 9, 1, 12),
            ...wish.periods,
          }),
    kidOf: wish.kidOf ?? ((track, period) => nameUuid('kid', contentId, track, String(period?.number ?? ''))),
    ivOf: wish.ivOf ?? (() => undefined),
    certificates: wish.certificates ?? [],
  })
}

export function versionOf(speke: string): SpekeVersion {
  const version = SPEKE_VERSIONS.get(speke)
  if (version === undefined) throw new RangeError(`no SPEKE ${speke}`)
  return version
}

/** What this project's key provider says to a request, in this process. */
export async function replyTo(
  request: BuiltRequest,
  setup: Parameters<typeof answering>[0] = {},
): Promise<ProviderReply> {
  const header = request.version.major === 1 ? undefined : request.version.header
  const { xml } = await answering(setup)(header, request.xml)
  return replyOf(xml, request)
}

/** A reply with this document. */
export function replyOf(xml: string | Uint8Array, { version }: BuiltRequest): ProviderReply {
  const headers = {
    'content-type': 'application/xml',
    'x-speke-version': version.header,
    'x-speke-user-agent': 'test/1',
  }
  return { status: 200, headers, body: Buffer.from(xml), milliseconds: 1 }
}

/** The answer of this project's key provider, as an encryptor reads it. */
export async function answerTo(wish: Wish = {}, reader?: Reader): Promise<Answer> {
  const request = requestOf(wish)
  return readAnswer(await replyTo(request), request, reader)
}
