import { type KeyObject, randomBytes } from 'node:crypto'
import type { EncryptorName } from '../../../src/protocols/speke/tables/presets.ts'
import { newRecipient } from '../../../src/toolkit/encryptor/certificate.ts'
import type { BuiltRequest } from '../../../src/toolkit/encryptor/request/build.ts'
import { type Evidence, type Finding, judge } from '../../../src/toolkit/rules/judge.ts'
import { readSide } from '../../../src/toolkit/rules/side.ts'
import { NOW } from '../../protocols/speke/answering.ts'
import { replyTo, requestOf, type Wish } from '../encryptor/asking.ts'
import { ENCRYPTED } from './broken.ts'

export const recipient = newRecipient(NOW, randomBytes)

const DEFAULT: Wish = { video: 'VIDEO-2', audio: 'AUDIO-1', drm: ['widevine', 'playready'], scheme: 'cenc' }

/** A request and the answer of this project's key provider. */
export async function pairOf(wish: Wish = DEFAULT): Promise<{
  readonly built: BuiltRequest
  readonly answer: string
  readonly privateKey: KeyObject | undefined
}> {
  const encrypts = wish === ENCRYPTED
  const built = requestOf(encrypts ? { ...DEFAULT, certificates: [recipient.certificate] } : wish)
  const { body } = await replyTo(built)
  return { built, answer: body.toString(), privateKey: encrypts ? recipient.privateKey : undefined }
}

/** What the rules say of a request and an answer. */
export function findingsOf(
  built: BuiltRequest,
  answer: string | undefined,
  more: Partial<Evidence> & { readonly as?: EncryptorName } = {},
): readonly Finding[] {
  const { version } = built
  const { privateKey } = more
  return judge({
    as: 'spec',
    version,
    request: readSide(Buffer.from(built.xml), { version }),
    ...(answer !== undefined && { answer: readSide(Buffer.from(answer), { version, privateKey }) }),
    ...more,
  }).findings
}
