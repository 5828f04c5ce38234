// Reads signalling as players do: pssh boxes, what Widevine and PlayReady put into them, HLS key lines.

/** The names of DRM systems by their ID, from the table of the server. */
const NAMES = await (await fetch('/demo/drm-systems.json')).json()

/** What the signalling of one system says, as rows of a name and a value. */
export function decodeSignaling({ systemId, pssh, contentProtectionData, media }) {
  const rows = []
  if (pssh) rows.push(...decodePssh(bytesOf(pssh)))
  const url = /<dashif:Laurl[^>]*>([^<]+)</.exec(contentProtectionData ?? '')?.[1]
  if (url) rows.push(['licence URL', url])
  if (media) rows.push(...decodeKeyLine(media.trim(), pssh !== undefined))
  return { name: NAMES[systemId] ?? systemId, rows }
}

function decodePssh(box) {
  const view = new DataView(box.buffer, box.byteOffset, box.byteLength)
  const version = view.getUint8(8)
  const systemId = uuid(box.subarray(12, 28))
  let at = 28
  const kids = []
  if (version > 0) {
    const count = view.getUint32(at)
    at += 4
    for (let i = 0; i < count; i++, at += 16) kids.push(uuid(box.subarray(at, at + 16)))
  }
  const data = box.subarray(at + 4, at + 4 + view.getUint32(at))
  return [
    ['pssh', `version ${version}, ${box.length} bytes`],
    ...kids.map((kid) => ['kid', kid]),
    ...(NAMES[systemId] === 'Widevine' ? decodeWidevine(data) : []),
    ...(NAMES[systemId] === 'PlayReady' ? decodePlayReady(data) : []),
  ]
}

/** The fields of WidevinePsshData that are set. */
function decodeWidevine(data) {
  const rows = []
  let at = 0
  const varint = () => {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = data[at++]
      value += (byte & 127) * 2 ** shift
      if (byte < 128) return value
    }
  }
  while (at < data.length) {
    const tag = varint()
    const field = tag >> 3
    if ((tag & 7) === 0) {
      const value = varint()
      if (field === 9) rows.push(['scheme', fourCc(value)])
    } else {
      const length = varint()
      const value = data.subarray(at, at + length)
      at += length
      if (field === 2) rows.push(['kid', uuid(value)])
      if (field === 3) rows.push(['provider', new TextDecoder().decode(value)])
      if (field === 4) rows.push(['content id', new TextDecoder().decode(value)])
    }
  }
  return rows
}

function fourCc(value) {
  return String.fromCharCode(value >>> 24, (value >> 16) & 255, (value >> 8) & 255, value & 255)
}

function decodePlayReady(object) {
  const header = new TextDecoder('utf-16le').decode(object.subarray(10))
  const find = (pattern) => pattern.exec(header)?.[1]
  const kid = find(/<KID>([^<]+)</) ?? find(/VALUE="([^"]+)"/)
  return [
    ['header', `WRMHEADER ${find(/version="([^"]+)"/)}`],
    ['kid', kid && guid(bytesOf(kid))],
    ['algorithm', find(/<ALGID>([^<]+)</) ?? find(/ALGID="([^"]+)"/)],
    ['LA_URL', find(/<LA_URL>([^<]+)</)],
  ].filter(([, value]) => value)
}

function decodeKeyLine(line, isKnown) {
  const find = (name) => new RegExp(`${name}=(?:"([^"]*)"|([^,]*))`).exec(line)?.slice(1).find(Boolean)
  const uri = find('URI') ?? ''
  const json = uri.startsWith('skd://') ? asJson(uri.slice(6)) : undefined
  return [
    ['HLS method', find('METHOD')],
    ...(isKnown ? [] : [['key URL', json === undefined ? uri : 'skd://…']]),
    ...Object.entries(json ?? {}),
    ['key format', find('KEYFORMAT')],
  ].filter(([, value]) => value)
}

function asJson(base64) {
  try {
    return JSON.parse(atob(base64))
  } catch {
    return undefined
  }
}

function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))
}

function uuid(bytes) {
  return [...bytes]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('')
    .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

/** PlayReady writes the first three groups the other way round. */
function guid(bytes) {
  return uuid([3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15].map((at) => bytes[at]))
}
