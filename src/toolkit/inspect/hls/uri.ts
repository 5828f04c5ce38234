import { DRM_SYSTEM_FACTS, FAIRPLAY, PLAYREADY, WIDEVINE } from '../../../formats/drm/facts.ts'
import { explainPsshBoxes } from '../dash.ts'
import { kidNode, kidOfText } from '../kids.ts'
import { isBoxes } from '../mp4/mp4.ts'
import { type Context, error, type InspectNode, node, shownKey, warning } from '../node.ts'
import { payloadOf } from '../payload.ts'
import { explainMember, explainPayload } from '../pssh.ts'
import { shownText } from '../secrets.ts'
import { explainSkd } from '../skd.ts'
import { decodeCutBase64, jsonObject, textOfBytes } from '../text.ts'

/** KEYID: no attribute of the RFC. Players of Widevine require it. */
export function explainKeyId(value: string): Partial<InspectNode> {
  const kid = kidOfText(value)
  if (kid === undefined) return { findings: [error('expected 0x and 32 hex digits')] }
  const { name: _, ...explained } = kidNode('', kid, 'uuid')
  const isUsual = /^0x[\da-f]{32}$/i.test(value)
  const findings = isUsual ? [] : [warning('players expect 0x and 32 hex digits')]
  return { ...explained, value, findings: [...(explained.findings ?? []), ...findings] }
}

/** URI: where the key is, or the signalling itself as a data URI. */
export function explainUri(uri: string, format: string | undefined, context: Context): Partial<InspectNode> {
  const givesKey = format === undefined || format.toLowerCase() === 'identity'
  if (/^skd:\/\//i.test(uri)) {
    const { name: _, ...explained } = explainSkd(uri, context)
    if (format === undefined || isFormat(format, FAIRPLAY)) return explained
    const findings = [...(explained.findings ?? []), warning('skd is of FairPlay, KEYFORMAT names another system')]
    return { ...explained, findings }
  }
  const data = /^data:([^,]*),(.*)$/s.exec(uri)
  if (data === null) {
    const { text, findings } = shownText(uri, context)
    return { value: text, findings, meaning: givesKey ? 'players fetch the key from here' : 'the URL for players' }
  }
  const [, type = '', payload = ''] = data
  const value = `data:${type},…`
  const decoded = /;base64$/i.test(type) ? decodeCutBase64(payload) : { bytes: Buffer.from(payload) }
  if ('problem' in decoded) return { value, findings: [error(decoded.problem)] }
  const cut = 'cut' in decoded && decoded.cut !== undefined ? [error(`not base64: ${decoded.cut}`)] : []
  const { bytes } = decoded
  if (givesKey) {
    const findings = [
      warning('the playlist itself holds what players take for the key (Shaka Packager writes the kid there)'),
    ]
    return { value, findings: [...cut, ...findings], children: [node('content key', shownKey(bytes, context))] }
  }
  const { children = [], findings = [] } = explainData(bytes, format, context)
  const meaning = `${bytes.length} bytes; places are offsets in them`
  return { value, meaning, findings: [...cut, ...findings], children }
}

/** The payload of a data URI: a whole box for Widevine, the object alone for PlayReady, JSON for older Widevine. */
function explainData(bytes: Uint8Array, format: string, context: Context): Pick<InspectNode, 'findings' | 'children'> {
  if (isFormat(format, PLAYREADY)) return explainPayload(bytes, 0, 'PlayReady Object', context)
  const text = textOfBytes(bytes)
  const json = text === undefined ? undefined : jsonObject(text)
  if (json !== undefined) return { children: Object.entries(json).map(([name, value]) => explainMember(name, value)) }
  if (isBoxes(bytes, bytes.length) || isFormat(format, WIDEVINE)) return explainPsshBoxes(bytes, context)
  if (payloadOf(bytes) !== undefined) return explainPayload(bytes, 0, 'pssh box', context)
  const shown = text === undefined ? undefined : shownText(text, context)
  return shown === undefined
    ? explainPayload(bytes, 0, 'PlayReady Object', context)
    : { children: [node('text', shown.text, { findings: shown.findings })] }
}

function isFormat(format: string, systemId: typeof WIDEVINE): boolean {
  const { keyFormat, otherKeyFormats = [] } = DRM_SYSTEM_FACTS.get(systemId) ?? {}
  return [keyFormat, ...otherKeyFormats].some((one) => one?.toLowerCase() === format.toLowerCase())
}

/** Values of the variables of a playlist; undefined for one that another playlist or the URL defines. */
export type Variables = ReadonlyMap<string, string | undefined>

/** The variables that EXT-X-DEFINE lines define. @see RFC 8216bis, 4.3 and 4.4.2.3 */
export function readVariables(lines: readonly string[]): Variables {
  const variables = new Map<string, string | undefined>()
  for (const line of lines) {
    if (!line.startsWith('#EXT-X-DEFINE:') || variables.size >= MAX_VARIABLES) continue
    const attribute = (name: string): string | undefined => new RegExp(`[:,]\\s*${name}="([^"]*)"`).exec(line)?.[1]
    const name = attribute('NAME')
    const elsewhere = attribute('IMPORT') ?? attribute('QUERYPARAM')
    if (name !== undefined) variables.set(name, attribute('VALUE'))
    else if (elsewhere !== undefined) variables.set(elsewhere, undefined)
  }
  return variables
}

const MAX_VARIABLES = 1000
const MAX_VALUE = 64 * 1024

/** A value with its variables replaced, and the names of those whose value is not known here. */
export function replaceVariables(
  text: string,
  variables: Variables,
): { readonly value: string; readonly unknown: readonly string[] } {
  const unknown: string[] = []
  const value = text.replaceAll(/\{\$([\w-]+)\}/g, (whole, name: string) => {
    const known = variables.get(name)
    if (known === undefined || known.length > MAX_VALUE) unknown.push(name)
    return known ?? whole
  })
  return { value, unknown }
}
