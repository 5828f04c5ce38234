import { KeyProviderError } from '../../../core/errors.ts'
import { concat, type Template } from '../../../core/template.ts'
import { systemIdOf } from '../../cenc.ts'
import { base64Of } from '../base64.ts'
import { cencPsshElement } from '../content-protection-data.ts'
import { givenPssh } from '../given-pssh.ts'
import { hlsAttributeList, hlsMethod } from '../hls.ts'
import { decodePlayReadyObject, playReadyObjectTemplate } from '../payloads/playready-object.ts'
import { psshTemplate } from '../payloads/pssh.ts'
import { wrmHeader } from '../payloads/wrm-header.ts'
import type { DrmSystem, KeyFilling, SignalInput } from '../system.ts'

const SYSTEM_ID = systemIdOf('9a04f079-9840-4286-ab92-e65be0885f95')

/** PlayReady: a version 0 box whose data is a PlayReady Object, which MPDs, HLS and Smooth also carry bare. @see speke.md 5.2 */
export const playready: DrmSystem = {
  name: 'PlayReady',
  systemId: SYSTEM_ID,
  commonEncryptionSchemes: ['cenc', 'cbcs'],
  contentKeyClass: 'drm',
  spekeMajors: [1, 2],
  dependsOnKids: (settings) => settings.playready.kids,

  signal(input) {
    const { pssh, object } = input.pssh === undefined ? makeBox(input) : takeBox(input.pssh)
    const objectBase64 = base64Of(object)
    const method = hlsMethod(input.commonEncryptionScheme, input.settings)
    return {
      pssh,
      contentProtectionData: concat(
        cencPsshElement(pssh),
        '<mspr:pro xmlns:mspr="urn:microsoft:playready">',
        objectBase64,
        '</mspr:pro>',
      ),
      smoothProtectionHeader: object,
      ...(method === undefined
        ? {}
        : {
            hlsAttributes: hlsAttributeList(method, [
              ['KEYFORMAT', 'com.microsoft.playready'],
              ['KEYFORMATVERSIONS', '1'],
              ['URI', concat('data:text/plain;charset=UTF-16;base64,', objectBase64)],
            ]),
          }),
    }
  },
}

interface Box {
  readonly pssh: Template<KeyFilling>
  readonly object: Template<KeyFilling>
}

function makeBox({ kid, documentKids, commonEncryptionScheme, settings }: SignalInput): Box {
  const kids = settings.playready.kids === 'own' ? [kid] : documentKids
  const header = wrmHeader(kids, commonEncryptionScheme, settings.playready)
  if (header === undefined) {
    throw new KeyProviderError('ERR_SIGNALING_INVALID', `PlayReady takes cenc and cbcs, not ${commonEncryptionScheme}`)
  }
  const object = playReadyObjectTemplate(header)
  return { pssh: psshTemplate({ systemId: SYSTEM_ID, kids: [], data: object }), object }
}

function takeBox(bytes: Uint8Array): Box {
  const { pssh, box } = givenPssh(bytes, SYSTEM_ID, 'PlayReady')
  decodePlayReadyObject(box.data)
  return { pssh, object: { text: Buffer.from(box.data).toString('latin1'), holes: [] } }
}
