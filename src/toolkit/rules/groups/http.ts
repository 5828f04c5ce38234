import { KeyProviderError } from '../../../core/errors.ts'
import { readXml } from '../../../formats/xml/reader.ts'
import type { JudgedReply, Rule } from '../rule.ts'

/** Rules over the reply to a request that is right. @see speke.md 2 */
export const HTTP_RULES: readonly Rule[] = [
  {
    id: 'no-answer',
    group: 'http',
    subject: 'reply',
    severity: 'error',
    clause: 'SPEKE 2.0, Live workflow method call examples',
    title: 'Every request is answered',
    why: 'An encryptor without an answer goes on with the last key, or gives 404 to players when there never was one (MediaPackage).',
    mend: 'Look at the log of the key provider at this moment: a crash, a limit of a proxy, a time-out behind it.',
    *check({ reply, failure }) {
      if (reply === undefined) yield { what: failure ?? 'no answer came' }
    },
  },
  {
    id: 'right-request-refused',
    group: 'http',
    subject: 'reply',
    severity: 'error',
    clause: 'SPEKE 2.0, Constraints ("the response status code 200")',
    title: 'A request that is right is answered with status 200',
    why: 'Only 200 gives keys; any other status stops the encryptor. Requests of this form are what encryptors send.',
    mend: 'Accept what the specification allows: any prefix, any order of children and attributes, any letter case of ids.',
    *check({ reply }) {
      if (reply === undefined || reply.status === 200) return
      const why = reply.status < 400 ? '' : sayingOf(reply)
      yield { what: `the key provider answered ${reply.status}${why} to a request that is right` }
    },
  },
  {
    id: 'content-type',
    group: 'http',
    subject: 'reply',
    severity: 'error',
    clause: 'SPEKE 2.0, Live workflow method call examples (Content-Type 1..1)',
    title: 'An answer is application/xml, in UTF-8 where it names a charset',
    why: "AWS's verification suite refuses any other type, and encryptors may not read the body at all.",
    mend: 'Send `Content-Type: application/xml`. The framework may have chosen text/xml, text/html or JSON.',
    *check({ reply }) {
      if (reply?.status !== 200) return
      const type = (reply.headers['content-type'] ?? '').toLowerCase()
      if (!type.includes('application/xml')) {
        yield { what: 'Content-Type is not application/xml', header: 'Content-Type' }
      } else if (/charset=/.test(type) && !/charset="?utf-8"?/.test(type)) {
        yield { what: 'Content-Type names a charset that is not utf-8', header: 'Content-Type' }
      }
    },
  },
  {
    id: 'speke-version-header',
    group: 'http',
    subject: 'reply',
    majors: [2],
    severity: 'error',
    clause: 'SPEKE 2.0, Live workflow method call examples (X-Speke-Version 1..1 in the response)',
    title: 'X-Speke-Version comes back as it was sent',
    why: 'The header says which version an answer is of; MediaPackage documents it as mandatory since January 2023.',
    mend: 'Echo the header of the request. Where the key provider does, look whether a gateway drops it.',
    *check({ reply, version }) {
      if (reply?.status !== 200 || reply.headers['x-speke-version'] === version.header) return
      const missing = reply.headers['x-speke-version'] === undefined
      yield {
        what: missing ? 'X-Speke-Version is missing' : `X-Speke-Version is not ${version.header}, as in the request`,
        header: 'X-Speke-Version',
      }
    },
  },
  {
    id: 'user-agent-header',
    group: 'http',
    subject: 'reply',
    severity: 'warning',
    clause: 'SPEKE 1.0 and 2.0, method call tables',
    title: 'The key provider names itself',
    why: 'Support of AWS reads it in logs; the tables of SPEKE have it as mandatory.',
    mend: 'Send `X-Speke-User-Agent: name/version`, in SPEKE 1.0 `Speke-User-Agent`.',
    *check({ reply, version }) {
      if (reply?.status !== 200) return
      const header = version.major === 1 ? 'Speke-User-Agent' : 'X-Speke-User-Agent'
      if (!reply.headers[header.toLowerCase()]?.trim()) yield { what: `${header} is missing or empty`, header }
    },
  },
  {
    id: 'cacheable-keys',
    group: 'http',
    subject: 'reply',
    severity: 'warning',
    clause: 'RFC 9111, 5.2 (no-store); good practice',
    title: 'No cache may keep an answer with keys',
    why: 'A proxy or CDN that keeps the answer keeps content keys in the clear, beyond everybody who guards them.',
    mend: 'Leave max-age, s-maxage and public out of Cache-Control, or send `Cache-Control: no-store`.',
    *check({ reply }) {
      if (reply?.status !== 200) return
      const control = reply.headers['cache-control'] ?? ''
      if (/public|s-maxage=[1-9]|max-age=[1-9]/i.test(control)) {
        yield { what: 'Cache-Control lets caches keep an answer that holds keys', header: 'Cache-Control' }
      }
    },
  },
]

const MAX_SHOWN = 200

/** What a refusal says, without what could be a page or hold keys. */
export function sayingOf({ headers, body }: JudgedReply): string {
  const text = Buffer.from(body).toString('utf8').trim()
  if (text === '') return ' without a word'
  if (/html/i.test(headers['content-type'] ?? '') || /PlainValue|CipherValue/.test(text)) return ''
  const shown = text.replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ').slice(0, MAX_SHOWN)
  return ` (${shown.replaceAll(/[A-Za-z0-9+/]{22,}={0,2}/g, '…')})`
}

/** Whether a body is a CPIX document with keys. */
export function holdsKeys(body: Uint8Array): boolean {
  try {
    const { source } = readXml(body)
    return /PlainValue|EncryptedValue/.test(source)
  } catch (error) {
    if (error instanceof KeyProviderError) return false
    throw error
  }
}
