import { concat, type Template } from '../../../core/template.ts'
import { systemIdOf } from '../../cenc.ts'
import { base64Of } from '../base64.ts'
import { cencPsshElement } from '../content-protection-data.ts'
import { givenPssh } from '../given-pssh.ts'
import { hlsAttributeList, hlsMethod } from '../hls.ts'
import { psshTemplate } from '../payloads/pssh.ts'
import { encodeWidevinePsshData, fourCc } from '../payloads/widevine-pssh-data.ts'
import type { DrmSystem, KeyFilling, SignalInput } from '../system.ts'

const SYSTEM_ID = systemIdOf('edef8ba9-79d6-4ace-a3c8-27dcd51d21ed')

/** Widevine: a version 0 box whose data is a `WidevinePsshData` message. @see speke.md 5.2 */
export const widevine: DrmSystem = {
  name: 'Widevine',
  systemId: SYSTEM_ID,
  commonEncryptionSchemes: ['cenc', 'cbcs'],
  contentKeyClass: 'drm',
  spekeMajors: [1, 2],

  signal(input) {
    const pssh = input.pssh === undefined ? widevinePssh(input) : givenPssh(input.pssh, SYSTEM_ID, 'Widevine').pssh
    const method = hlsMethod(input.commonEncryptionScheme, input.settings)
    return {
      pssh,
      contentProtectionData: cencPsshElement(pssh),
      ...(method === undefined
        ? {}
        : {
            hlsAttributes: hlsAttributeList(method, [
              ['URI', concat('data:text/plain;base64,', base64Of(pssh))],
              ['KEYFORMAT', `urn:uuid:${SYSTEM_ID}`],
              ['KEYFORMATVERSIONS', '1'],
            ]),
          }),
    }
  },
}

/** Field 9 is always written: without it many clients take a cbcs stream for cenc. */
function widevinePssh({ kid, contentId, commonEncryptionScheme, settings }: SignalInput): Template<KeyFilling> {
  const { provider, policy, contentId: withContentId } = settings.widevine
  const data = encodeWidevinePsshData({
    keyIds: [kid],
    protectionScheme: fourCc(commonEncryptionScheme),
    ...(provider === undefined ? {} : { provider }),
    ...(policy === undefined ? {} : { policy }),
    ...(withContentId ? { contentId: Buffer.from(contentId) } : {}),
  })
  return psshTemplate({
    systemId: SYSTEM_ID,
    kids: [],
    data: { text: Buffer.from(data).toString('latin1'), holes: [] },
  })
}
