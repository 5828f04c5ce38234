import { hex, type Output, schemeOf } from './output.ts'

/** JSON for programs, with everything in the answer. Bytes are in hex; pssh boxes are in base64 as in MPD. Keys need --show-keys. */
export const json: Output = {
  name: 'json',
  title: 'for programs; keys with --show-keys',
  holdsKeys: () => false,
  render(answer, { showKeys }) {
    const { request, keys, systems, warnings } = answer
    const value = {
      contentId: request.contentId,
      spekeVersion: request.version.header,
      commonEncryptionScheme: schemeOf(answer),
      contentKeys: keys.map(({ kid, requested, explicitIv, contentKey }) => ({
        kid,
        ...(kid !== requested.kid && { requestedKid: requested.kid }),
        intendedTrackType: requested.intendedTrackType,
        ...(requested.period !== undefined && {
          contentKeyPeriod: { id: requested.period.id, ...Object.fromEntries(requested.period.attributes) },
        }),
        ...(explicitIv !== undefined && { explicitIv: hex(explicitIv) }),
        ...(showKeys && contentKey !== undefined && { contentKey: hex(contentKey.reveal()) }),
      })),
      drmSystems: systems.map(({ pssh, contents, ...system }) => ({
        ...system,
        ...(pssh !== undefined && { pssh: Buffer.from(pssh).toString('base64') }),
      })),
      warnings,
    }
    return { text: `${JSON.stringify(value, undefined, 2)}\n` }
  },
}
