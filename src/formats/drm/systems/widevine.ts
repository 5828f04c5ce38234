import { concat, type Template } from '../../../core/template.ts'
import { type SystemId, uuidBytes } from '../../cenc.ts'
import { base64Of, cencPsshElement, givenPssh, laurlElement } from '../elements.ts'
import { hlsAttributeList, hlsMethod } from '../hls.ts'
import { psshTemplate } from '../payloads/pssh.ts'
import { encodeWidevinePsshData, fourCc } from '../payloads/widevine-pssh-data.ts'
import type { DrmSystemFacts, KeyFilling, SignalInput, Signaling } from '../system.ts'

/** Widevine: a version 0 box whose data is a `WidevinePsshData` message. */
export function signalWidevine(input: SignalInput, { systemId, name, keyFormat = '' }: DrmSystemFacts): Signaling {
  const pssh = input.pssh === undefined ? widevinePssh(input, systemId) : givenPssh(input.pssh, systemId, name).pssh
  const method = hlsMethod(input.commonEncryptionScheme, input.settings)
  return {
    pssh,
    contentProtectionData: concat(cencPsshElement(pssh), laurlElement(input.settings.widevine.dashLaUrl)),
    ...(method === undefined
      ? {}
      : {
          hlsAttributes: hlsAttributeList(method, [
            ['URI', concat('data:text/plain;base64,', base64Of(pssh))],
            ['KEYFORMAT', keyFormat],
            ['KEYFORMATVERSIONS', '1'],
            ...(input.settings.widevine.hlsKeyId === true
              ? [['KEYID', `0x${uuidBytes(input.kid).toString('hex').toUpperCase()}`] as const]
              : []),
          ]),
        }),
  }
}

/** Field 9 is always written: without it many clients take a cbcs stream for cenc. */
function widevinePssh(
  { kid, contentId, commonEncryptionScheme, periodIndex, settings }: SignalInput,
  systemId: SystemId,
): Template<KeyFilling> {
  const { provider, policy, contentId: withContentId, cryptoPeriodIndex } = settings.widevine
  // The field is a uint32.
  const hasIndex = cryptoPeriodIndex === true && periodIndex !== undefined && periodIndex <= 0xffff_ffff
  const data = encodeWidevinePsshData({
    keyIds: [kid],
    protectionScheme: fourCc(commonEncryptionScheme),
    ...(provider === undefined ? {} : { provider }),
    ...(policy === undefined ? {} : { policy }),
    ...(hasIndex ? { cryptoPeriodIndex: periodIndex } : {}),
    ...(withContentId ? { contentId: Buffer.from(contentId) } : {}),
  })
  return psshTemplate({
    systemId,
    kids: [],
    data: { text: Buffer.from(data).toString('latin1'), holes: [] },
  })
}
