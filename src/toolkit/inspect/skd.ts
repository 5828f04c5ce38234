import { toKid } from '../../formats/cenc.ts'
import { MAX_SKD_LENGTH } from '../../formats/drm/systems/fairplay.ts'
import { decodeBase64, looksBase64 } from './base64.ts'
import { kidNode, kidOf } from './kids.ts'
import { type InspectNode, node, warning } from './node.ts'
import { jsonObject, textOfBytes } from './text.ts'

/** FairPlay's URI, in the forms that are met: AWS's JSON in base64, a kid, a kid and an IV, a query. @see speke.md A-14 */
export function explainSkd(uri: string): InspectNode {
  const id = uri.slice('skd://'.length)
  const length = Buffer.byteLength(id)
  const findings = length > MAX_SKD_LENGTH ? [warning(`FairPlay takes 200 bytes of asset id, this has ${length}`)] : []
  if (length === 0) findings.push(warning('has no asset id: the licence server is not told which key'))
  return node('skd URI', uri, {
    meaning: `what follows skd:// becomes the asset id of the request for a licence, ${length} bytes`,
    findings,
    children: explainId(id),
  })
}

function explainId(id: string): readonly InspectNode[] {
  const json = jsonObject(looksBase64(id) ? decodedText(id) : id)
  if (json !== undefined) {
    return [
      node('JSON in base64', undefined, {
        meaning: 'the form of AWS',
        children: Object.entries(json).map(([name, value]) => explainValue(name, String(value))),
      }),
    ]
  }
  const query = id.indexOf('?')
  const parameters =
    query === -1 ? [] : [...new URLSearchParams(id.slice(query + 1))].map(([name, value]) => explainValue(name, value))
  const path = query === -1 ? id : id.slice(0, query)
  return [...explainPath(path), ...parameters]
}

function decodedText(text: string): string {
  const decoded = decodeBase64(text)
  return 'bytes' in decoded ? (textOfBytes(decoded.bytes) ?? '') : ''
}

const MAX_PARTS = 32

/** `KID`, `KID:IV` (Axinom), `host/;KID` (EZDRM) and the like. */
function explainPath(path: string): readonly InspectNode[] {
  return path
    .split(/[:;/]/)
    .filter((part) => part !== '')
    .slice(0, MAX_PARTS)
    .map((part, i) => explainValue(i === 0 && path.includes('/') ? 'host' : 'part', part))
}

function explainValue(name: string, value: string): InspectNode {
  if (/^iv$/i.test(name)) return node(name, value, { meaning: 'the IV, told to the licence server' })
  const kid = toKid(value)
  if (kid !== undefined) return kidNode(name === 'part' ? 'kid' : name, kid, 'uuid')
  if (/^[\da-f]{32}$/i.test(value)) {
    if (name === 'part' || /k(ey)?_?id/i.test(name))
      return kidNode(name === 'part' ? 'kid or IV' : name, kidOf(Buffer.from(value, 'hex'), 'uuid'), 'uuid')
  }
  return node(name, value)
}
