import type { JudgedReply, Rule } from '../rule.ts'

/** Rules about the reply to a valid request. */
export const HTTP_RULES: readonly Rule[] = [
  {
    id: 'no-answer',
    group: 'http',
    subject: 'reply',
    severity: 'error',
    clause: 'SPEKE 2.0, Live workflow method call examples',
    title: 'The key provider answers every request',
    why: 'Without an answer, an encryptor keeps using the last key. If it never had a key, it stops, and players get 404 (MediaPackage).',
    fix: 'Read the log of the key provider at this time. Look for a crash, a proxy limit or a timeout of a service behind it.',
    *check({ reply, failure }) {
      if (reply === undefined) yield { what: failure ?? 'the key provider sent no answer' }
    },
  },
  {
    id: 'right-request-refused',
    group: 'http',
    subject: 'reply',
    severity: 'error',
    clause: 'SPEKE 2.0, Constraints ("the response status code 200")',
    title: 'The key provider answers a valid request with status 200',
    why: 'Only status 200 delivers keys. Any other status stops the encryptor, and encryptors do send requests of this form.',
    fix: 'Accept everything the specification allows: any namespace prefix, any order of children and attributes, and IDs in upper or lower case.',
    *check({ reply }) {
      if (reply === undefined || reply.status === 200) return
      const why = reply.status < 400 ? '' : sayingOf(reply)
      yield { what: `the key provider rejects a valid request with status ${reply.status}${why}` }
    },
  },
  {
    id: 'feature-not-offered',
    group: 'http',
    subject: 'reply',
    severity: 'warning',
    clause: 'SPEKE 2.0, Content key encryption (optional); SPEKE 2.0, Constraints',
    title: 'The key provider offers every feature that the checks use',
    why: 'Encryptors that use the feature, such as content key encryption, SPEKE 2.1 or a DRM system, get no keys from this key provider.',
    fix: 'Add the feature if your encryptors need it. Otherwise leave it out of the run: `--drm` names the DRM systems, `--skip` leaves checks out.',
    // `keyspring verify` finds it by comparing all checks of a run.
    check: () => [],
  },
  {
    id: 'content-type',
    group: 'http',
    subject: 'reply',
    severity: 'error',
    clause: 'SPEKE 2.0, Live workflow method call examples (Content-Type 1..1)',
    title: 'The answer has Content-Type application/xml; a charset, if present, is utf-8',
    why: "AWS's verification suite rejects any other type, and an encryptor may not read the body.",
    fix: 'Send `Content-Type: application/xml`. Check whether your web framework sends text/xml, text/html or JSON by default.',
    *check({ reply }) {
      if (reply?.status !== 200) return
      const type = (reply.headers['content-type'] ?? '').toLowerCase()
      if (!type.includes('application/xml')) {
        yield { what: 'Content-Type is not application/xml', header: 'Content-Type' }
      } else if (/charset=/.test(type) && !/charset="?utf-8"?/.test(type)) {
        yield { what: 'Content-Type has a charset other than utf-8', header: 'Content-Type' }
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
    title: 'The answer repeats X-Speke-Version of the request',
    why: 'The header names the SPEKE version of the answer. MediaPackage documents it as mandatory since January 2023.',
    fix: 'Copy the header of the request into the response. If the key provider already does, check whether a gateway removes it.',
    *check({ reply, version }) {
      if (reply?.status !== 200 || reply.headers['x-speke-version'] === version.header) return
      const missing = reply.headers['x-speke-version'] === undefined
      yield {
        what: missing
          ? 'X-Speke-Version is missing'
          : `X-Speke-Version is not ${version.header}, which the request has`,
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
    title: 'The answer names the key provider in a user agent header',
    why: 'The SPEKE tables list the header as mandatory, and AWS support looks for it in logs.',
    fix: 'Send `X-Speke-User-Agent: name/version`. In SPEKE 1.0 the header is `Speke-User-Agent`.',
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
    title: 'Cache-Control does not allow caches to store an answer with keys',
    why: 'A proxy or CDN that caches the answer stores content keys in the clear, where nobody protects them.',
    fix: 'Send `Cache-Control: no-store`, or remove public, max-age and s-maxage from Cache-Control.',
    *check({ reply }) {
      if (reply?.status !== 200) return
      const control = reply.headers['cache-control'] ?? ''
      if (/public|s-maxage=[1-9]|max-age=[1-9]/i.test(control)) {
        yield { what: 'Cache-Control allows caches to store an answer with keys', header: 'Cache-Control' }
      }
    },
  },
]

const MAX_SHOWN = 200

/** Returns the text of a rejection for a message: at most 200 characters, no HTML page, no base64 that could be a key. */
export function sayingOf({ headers, body }: JudgedReply): string {
  const text = Buffer.from(body).toString('utf8').trim()
  if (text === '') return ' and an empty body'
  if (/html/i.test(headers['content-type'] ?? '') || /PlainValue|CipherValue/.test(text)) return ''
  const shown = text.replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ').slice(0, MAX_SHOWN)
  return ` (${shown.replaceAll(/[A-Za-z0-9+/]{22,}={0,2}/g, '…')})`
}

/** Whether a body is a document with content keys. It is not parsed: the answer to a very large request may exceed every limit. */
export function holdsKeys(body: Uint8Array): boolean {
  return /<(?:[\w.-]+:)?(?:PlainValue|EncryptedValue)[\s>]/.test(Buffer.from(body).toString('utf8'))
}
