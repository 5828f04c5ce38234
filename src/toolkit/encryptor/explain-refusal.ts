import { SPEKE_REFUSALS, type SpekeRefusal } from '../../protocols/speke/tables/refusals.ts'
import type { ProviderReply } from './send.ts'

/** Why a key provider says something, and how to mend it. */
interface Explanation {
  readonly why: string
  readonly mend: string
}

/** @see speke.md 3 */
const OF_SPEKE: Readonly<Record<SpekeRefusal, Explanation>> = {
  ERR_SPEKE_VERSION_UNSUPPORTED: {
    why: 'it does not know this X-Speke-Version, or a gateway or proxy did not pass the header on',
    mend: 'try --speke 2.0 or --speke 1.0; let every proxy between pass X-Speke-Version',
  },
  ERR_SPEKE_CPIX_VERSION_MISSING: {
    why: 'it did not find CPIX@version, which this request has',
    mend: 'look whether something between rewrites the document',
  },
  ERR_SPEKE_CPIX_VERSION_UNSUPPORTED: {
    why: 'SPEKE 2.0 goes with CPIX 2.3 and SPEKE 2.1 with CPIX 2.4; it takes another pair',
    mend: 'try --speke 2.0',
  },
  ERR_SPEKE_CONTENT_ID_MISSING: {
    why: 'it did not find CPIX@contentId: a server of SPEKE 1.0 looks for CPIX@id',
    mend: 'try --speke 1.0, or give --content-id',
  },
  ERR_SPEKE_SCHEME_MISSING: {
    why: 'a key does not say how it encrypts',
    mend: 'give --scheme cenc or --scheme cbcs',
  },
  ERR_SPEKE_SCHEME_COMBINATION: {
    why: 'one document has one scheme, and it sees several',
    mend: 'ask once for each scheme',
  },
  ERR_SPEKE_SCHEME_DRM_SYSTEM: {
    why: 'this DRM system cannot take the scheme: FairPlay takes cbcs, AES-128 cbc1, Widevine and PlayReady cenc or cbcs',
    mend: 'give another --scheme, or leave the system out of --drm',
  },
  ERR_SPEKE_CONTRACT_MISSING: {
    why: 'it found no VideoFilter or AudioFilter that says which tracks a key is for',
    mend: 'give --video and --audio presets; try --speke 1.0 for a server of SPEKE 1.0',
  },
  ERR_SPEKE_CONTRACT_MALFORMED: {
    why: 'it does not take a filter, attribute or track type of the encryption contract',
    mend: 'try --video VIDEO-1 --audio AUDIO-1; VIDEO-7 and VIDEO-8 send one filter for SD+HD1, which strict servers refuse',
  },
  ERR_SPEKE_CONTRACT_UNSUPPORTED: {
    why: 'its policy keeps tracks apart that share a key here, such as audio and UHD video',
    mend: 'choose presets with more keys instead of SHARED',
  },
}

const OF_STATUS: Readonly<Record<number, Explanation>> = {
  400: { why: 'it could not read the request as XML or HTTP', mend: 'look at the request with --dry-run' },
  401: {
    why: 'it does not know who asks',
    mend: 'give --auth, or look at its clock and yours: SigV4 allows five minutes',
  },
  403: {
    why: 'it knows who asks, or does not care, and does not allow it; API Gateway says so for a wrong signature, region or path too',
    mend: 'look at the permissions of this user; with SigV4 at --region and --service',
  },
  404: {
    why: 'there is no such path',
    mend: 'look at the path: /speke/v2.0/copyProtection, /copyProtection, or with the stage of API Gateway',
  },
  405: { why: 'this path takes no POST', mend: 'look at the path: /speke/v2.0/copyProtection, or /copyProtection' },
  413: { why: 'the request is larger than it takes', mend: 'ask for fewer keys, DRM systems or periods' },
  415: { why: 'it does not take application/xml', mend: 'is this a SPEKE endpoint?' },
  422: {
    why: 'it understood the request as a document and refuses what it asks for',
    mend: 'look at the request with --dry-run, and at its log',
  },
  429: { why: 'it was asked too often', mend: 'wait, or lower --load' },
}

const MAX_TEXT = 500

/** What a key provider that did not answer with keys said, why, and how to mend it: one thing a line. */
export function explainRefusal({ status, headers, body }: ProviderReply): string {
  const text = shownText(headers['content-type'] ?? '', body)
  const reason = headers['x-keyspring-reason']
  const location = headers.location
  const { why, mend } = explanationOf(status, text)
  return [
    `the key provider answered ${status}${text === '' ? ' without a word' : `: ${text}`}`,
    ...(reason === undefined ? [] : [`its reason: ${printable(reason)}`]),
    ...(location === undefined ? [] : [`it points to ${printable(location)}`]),
    `why: ${why}`,
    `how to mend it: ${mend}`,
  ].join('\n')
}

function explanationOf(status: number, text: string): Explanation {
  const code = (Object.keys(SPEKE_REFUSALS) as SpekeRefusal[]).find((one) =>
    text.startsWith(SPEKE_REFUSALS[one].replace('$', '')),
  )
  if (code !== undefined) return OF_SPEKE[code]
  const known = OF_STATUS[status]
  if (known !== undefined) return known
  if (status >= 500) return { why: 'it failed, or a gateway before it did', mend: 'look at its log; try again' }
  if (status >= 300 && status < 400)
    return { why: 'it redirects, which encryptors do not follow', mend: 'give the URL it points to' }
  return { why: 'only 200 is an answer with keys', mend: 'look at its log' }
}

/** Its own words, without what could be a page or hold keys. */
function shownText(contentType: string, body: Uint8Array): string {
  const text = Buffer.from(body).toString('utf8').trim()
  if (/html/i.test(contentType)) return `a page of HTML, ${body.length} bytes`
  if (/PlainValue/.test(text)) return `a document with keys, ${body.length} bytes, not shown`
  return printable(text)
}

function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ').slice(0, MAX_TEXT)
}
