import { MAX_SKD_LENGTH } from '../../formats/drm/systems/fairplay.ts'
import { kidNode, kidOfText } from './kids.ts'
import { type InspectNode, type InspectOptions, node, warning } from './node.ts'
import { shownText } from './secrets.ts'
import { decodeBase64, jsonObject, looksBase64, textOfBytes } from './text.ts'

/** A FairPlay URI in its usual forms: AWS's JSON in base64; a kid in any form; a kid and an IV; host and path; a query. */
export function explainSkd(uri: string, options: InspectOptions): InspectNode {
  const id = uri.slice('skd://'.length)
  const length = Buffer.byteLength(id)
  const { text, findings: secrets } = shownText(uri, options)
  const findings = [...secrets]
  if (length > MAX_SKD_LENGTH)
    findings.push(warning(`FairPlay takes ${MAX_SKD_LENGTH} bytes of asset ID, this has ${length}`))
  if (length === 0) findings.push(warning('has no asset ID, so the licence server cannot find the key'))
  return node('skd URI', text, {
    meaning: `the text after skd:// becomes the asset ID of the licence request, ${length} bytes`,
    findings,
    children: explainId(percentDecoded(id), options),
  })
}

function explainId(id: string, options: InspectOptions): readonly InspectNode[] {
  // Base64 may have slashes, which would split it.
  const kid = kidOfText(id)
  if (kid !== undefined)
    return [
      {
        ...kidNode('kid', kid, 'uuid'),
        ...(looksBase64(id) && !/^[\da-f-]+$/i.test(id) && { children: [node('base64', id)] }),
      },
    ]
  const decoded = looksBase64(id) ? decodedText(id) : undefined
  const json = jsonObject(decoded ?? id)
  if (json !== undefined) {
    return [
      node(decoded === undefined ? 'JSON' : 'JSON in base64', undefined, {
        meaning: 'the form of AWS',
        children: Object.entries(json).map(([name, value]) => explainValue(name, String(value), options)),
      }),
    ]
  }
  if (decoded !== undefined && kidOfText(decoded.split(/[:;/]/)[0] ?? '') !== undefined)
    return [node('text in base64', undefined, { children: explainPath(decoded, options) })]
  const query = id.indexOf('?')
  const parameters =
    query === -1
      ? []
      : [...new URLSearchParams(id.slice(query + 1))].map(([name, value]) => explainValue(name, value, options))
  return [...explainPath(query === -1 ? id : id.slice(0, query), options), ...parameters]
}

function decodedText(text: string): string | undefined {
  const decoded = decodeBase64(text)
  return 'bytes' in decoded ? textOfBytes(decoded.bytes) : undefined
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch (problem) {
    if (problem instanceof URIError) return text
    throw problem
  }
}

const MAX_PARTS = 32

/** `KID`, `KID:IV` (Axinom), `host/;KID` (EZDRM), `host/path/KID`. */
function explainPath(path: string, options: InspectOptions): readonly InspectNode[] {
  const parts = path
    .split(/[:;/]/)
    .filter((part) => part !== '')
    .slice(0, MAX_PARTS)
  const hasHost = path.includes('/') && kidOfText(parts[0] ?? '') === undefined
  return parts.map((part, i) => explainValue(i === 0 && hasHost ? 'host' : 'part', part, options))
}

function explainValue(name: string, value: string, options: InspectOptions): InspectNode {
  if (/^iv$/i.test(name)) return node(name, value, { meaning: 'the IV, for the licence server' })
  const isKid = name === 'part' || /k(ey)?_?id/i.test(name) || /^[\da-f]{8}-/i.test(value)
  const kid = isKid ? kidOfText(value) : undefined
  if (kid !== undefined) {
    const isHex = !value.includes('-')
    return kidNode(name === 'part' ? (isHex ? 'kid or IV' : 'kid') : name, kid, 'uuid')
  }
  const { text, findings } = shownText(value, options)
  return node(name, text, { findings })
}
