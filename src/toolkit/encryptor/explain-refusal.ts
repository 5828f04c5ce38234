import { SPEKE_REFUSALS, type SpekeRefusal } from '../../protocols/speke/tables/refusals.ts'
import type { ProviderReply } from './send.ts'

/** Why a key provider rejects a request, and how to fix it. */
interface Explanation {
  readonly why: string
  readonly fix: string
}

/** @see https://docs.aws.amazon.com/speke/latest/documentation/speke-constraints.html */
const OF_SPEKE: Readonly<Record<SpekeRefusal, Explanation>> = {
  ERR_SPEKE_VERSION_UNSUPPORTED: {
    why: 'it does not support this X-Speke-Version, or a gateway or proxy removes the header',
    fix: 'try --speke 2.0 or --speke 1.0; make every proxy pass X-Speke-Version on',
  },
  ERR_SPEKE_CPIX_VERSION_MISSING: {
    why: 'it finds no CPIX@version, although this request has one',
    fix: 'check whether a proxy changes the document',
  },
  ERR_SPEKE_CPIX_VERSION_UNSUPPORTED: {
    why: 'it supports another pair of versions: SPEKE 2.0 requires CPIX 2.3, SPEKE 2.1 requires CPIX 2.4',
    fix: 'try --speke 2.0',
  },
  ERR_SPEKE_CONTENT_ID_MISSING: {
    why: 'it finds no CPIX@contentId; a SPEKE 1.0 server looks for CPIX@id',
    fix: 'try --speke 1.0, or set --content-id',
  },
  ERR_SPEKE_SCHEME_MISSING: {
    why: 'a key has no commonEncryptionScheme',
    fix: 'set --scheme cenc or --scheme cbcs',
  },
  ERR_SPEKE_SCHEME_COMBINATION: {
    why: 'it finds several schemes in one document',
    fix: 'send one request for each scheme',
  },
  ERR_SPEKE_SCHEME_DRM_SYSTEM: {
    why: 'this DRM system does not support the scheme: FairPlay supports cbcs, AES-128 cbc1, Widevine and PlayReady cenc and cbcs',
    fix: 'set another --scheme, or remove the system from --drm',
  },
  ERR_SPEKE_CONTRACT_MISSING: {
    why: 'it finds no VideoFilter or AudioFilter that assigns a key to tracks',
    fix: 'set --video and --audio presets; for a SPEKE 1.0 server use --speke 1.0',
  },
  ERR_SPEKE_CONTRACT_MALFORMED: {
    why: 'it does not accept a filter, attribute or track type of the encryption contract',
    fix: 'try --video VIDEO-1 --audio AUDIO-1; VIDEO-7 and VIDEO-8 send one filter for SD+HD1, which strict servers reject',
  },
  ERR_SPEKE_CONTRACT_UNSUPPORTED: {
    why: 'its policy does not allow these tracks to share a key, such as audio and UHD video',
    fix: 'choose presets with more keys instead of SHARED',
  },
}

const OF_STATUS: Readonly<Record<number, Explanation>> = {
  400: { why: 'it cannot read the request as XML or HTTP', fix: 'check the request with --dry-run' },
  401: {
    why: 'it does not accept the credentials',
    fix: 'set --auth, or compare its clock with yours: SigV4 allows a difference of five minutes',
  },
  403: {
    why: 'this caller has no permission; API Gateway also returns 403 for a wrong signature, region or path',
    fix: 'check the permissions of this user; with SigV4 also check --region and --service',
  },
  404: {
    why: 'the path does not exist',
    fix: 'check the path: /speke/v2.0/copyProtection, /copyProtection, or one that starts with the stage of API Gateway',
  },
  405: { why: 'the path does not accept POST', fix: 'check the path: /speke/v2.0/copyProtection or /copyProtection' },
  413: { why: 'the request is too large', fix: 'ask for fewer keys, DRM systems or periods' },
  415: { why: 'it does not accept application/xml', fix: 'check whether the URL is a SPEKE endpoint' },
  422: {
    why: 'it read the document and rejects its content',
    fix: 'check the request with --dry-run, and read the log of the key provider',
  },
  429: { why: 'it receives too many requests', fix: 'wait, or set a lower --load' },
}

const MAX_TEXT = 500

/** Returns the reply of a key provider that rejects a request, the reason and the fix, one per line. */
export function explainRefusal({ status, headers, body }: ProviderReply): string {
  const text = shownText(headers['content-type'] ?? '', body)
  const reason = headers['x-keyspring-reason']
  const location = headers.location
  const { why, fix } = explanationOf(status, text)
  return [
    `the key provider answered ${status}${text === '' ? ' with an empty body' : `: ${text}`}`,
    ...(reason === undefined ? [] : [`reason: ${printable(reason)}`]),
    ...(location === undefined ? [] : [`location: ${printable(location)}`]),
    `why: ${why}`,
    `how to fix it: ${fix}`,
  ].join('\n')
}

function explanationOf(status: number, text: string): Explanation {
  const code = (Object.keys(SPEKE_REFUSALS) as SpekeRefusal[]).find((one) =>
    text.startsWith(SPEKE_REFUSALS[one].replace('$', '')),
  )
  if (code !== undefined) return OF_SPEKE[code]
  const known = OF_STATUS[status]
  if (known !== undefined) return known
  if (status >= 500)
    return {
      why: 'it failed, or a gateway in front of it failed',
      fix: 'read the log of the key provider and try again',
    }
  if (status >= 300 && status < 400)
    return { why: 'it sends a redirect, which encryptors do not follow', fix: 'use the URL of the redirect' }
  return { why: 'only status 200 delivers keys', fix: 'read the log of the key provider' }
}

/** The text of the reply, without HTML pages and documents that could contain keys. */
function shownText(contentType: string, body: Uint8Array): string {
  const text = Buffer.from(body).toString('utf8').trim()
  if (/html/i.test(contentType)) return `an HTML page of ${body.length} bytes`
  if (/PlainValue/.test(text)) return `a document with keys (${body.length} bytes, not shown)`
  return printable(text)
}

function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ').slice(0, MAX_TEXT)
}
