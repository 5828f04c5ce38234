import { KeyProviderError } from '../../../core/errors.ts'
import { concat, type Template } from '../../../core/template.ts'
import { base64Of, cencPsshElement, givenPssh, laurlElement } from '../elements.ts'
import { hlsAttributeList, hlsMethod } from '../hls.ts'
import { decodePlayReadyObject, playReadyObjectTemplate } from '../payloads/playready-object.ts'
import { psshTemplate } from '../payloads/pssh.ts'
import { wrmHeader } from '../payloads/wrm-header.ts'
import type { DrmSystemFacts, KeyFilling, SignalInput, Signaling } from '../system.ts'

/** PlayReady: a version 0 box whose data is a PlayReady Object. MPDs, HLS and Smooth Streaming also carry the object alone. */
export function signalPlayReady(input: SignalInput, system: DrmSystemFacts): Signaling {
  const { pssh, object } = input.pssh === undefined ? makeBox(input, system) : takeBox(input.pssh, system)
  const objectBase64 = base64Of(object)
  const method = hlsMethod(input.commonEncryptionScheme, input.settings)
  return {
    pssh,
    contentProtectionData: concat(
      cencPsshElement(pssh),
      '<mspr:pro xmlns:mspr="urn:microsoft:playready">',
      objectBase64,
      '</mspr:pro>',
      laurlElement(input.settings.playready.dashLaUrl),
    ),
    smoothProtectionHeader: object,
    ...(method === undefined
      ? {}
      : {
          hlsAttributes: hlsAttributeList(method, [
            ['KEYFORMAT', system.keyFormat ?? ''],
            ['KEYFORMATVERSIONS', '1'],
            ['URI', concat('data:text/plain;charset=UTF-16;base64,', objectBase64)],
          ]),
        }),
  }
}

interface Box {
  readonly pssh: Template<KeyFilling>
  readonly object: Template<KeyFilling>
}

function makeBox(
  { kid, documentKids, commonEncryptionScheme, settings }: SignalInput,
  { systemId }: DrmSystemFacts,
): Box {
  const kids = settings.playready.kids === 'own' ? [kid] : documentKids
  const header = wrmHeader(kids, commonEncryptionScheme, settings.playready)
  if (header === undefined) {
    throw new KeyProviderError('ERR_SIGNALING_INVALID', `PlayReady takes cenc and cbcs, not ${commonEncryptionScheme}`)
  }
  const object = playReadyObjectTemplate(header)
  return { pssh: psshTemplate({ systemId, kids: [], data: object }), object }
}

function takeBox(bytes: Uint8Array, { systemId, name }: DrmSystemFacts): Box {
  const { pssh, box } = givenPssh(bytes, systemId, name)
  decodePlayReadyObject(box.data)
  return { pssh, object: { text: Buffer.from(box.data).toString('latin1'), holes: [] } }
}
