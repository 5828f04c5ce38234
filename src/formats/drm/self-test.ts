import { createHash } from 'node:crypto'
import { KeyProviderError } from '../../core/errors.ts'
import { fillText } from '../../core/template.ts'
import { type CommonEncryptionScheme, type Kid, type SystemId, toKid } from '../cenc.ts'
import { type SignalingElements, signalElements } from './elements.ts'
import { COMMON_PSSH, FAIRPLAY, PLAYREADY, WIDEVINE } from './facts.ts'
import { DEFAULT_SETTINGS, type SignalingSettings } from './settings.ts'
import type { DrmSystem, KeyFilling } from './system.ts'

/** What a system must say of the test pair; `sha256` is of the decoded element. */
interface KnownAnswer {
  readonly systemId: SystemId
  readonly scheme: CommonEncryptionScheme
  readonly settings?: Partial<SignalingSettings>
  readonly element: keyof SignalingElements
  readonly sha256: string
}

/** The DASH-IF ClearKey sample pair: public, and used only here. @see https://github.com/Dash-Industry-Forum/ClearKey-Content-Protection */
const KID = '9eb4050d-e44b-4802-932e-27d75083e266'
const CONTENT_KEY = '166634c675823c235a4a9446fad52e4d'
const LA_URL = 'https://test.playready.microsoft.com/service/rightsmanager.asmx'

const SMOOTH = 'smoothStreamingProtectionHeaderData'
const OWN: Partial<SignalingSettings> = { playready: { laUrl: LA_URL, kids: 'own' } }
const DOCUMENT: Partial<SignalingSettings> = { playready: { laUrl: LA_URL, kids: 'document' } }
const KID_ONLY: Partial<SignalingSettings> = { fairplay: { skd: 'kid' } }

/** Published bytes: Widevine's as Shaka Packager makes them, the W3C's, Microsoft's headers 4.0, 4.2 and 4.3, an skd line. */
const KNOWN_ANSWERS: readonly KnownAnswer[] = [
  {
    systemId: WIDEVINE,
    scheme: 'cenc',
    element: 'pssh',
    sha256: '84b9908a1d2fe569587f796a06d9226429bf718e2e78d02054f7f05784dc39d8',
  },
  {
    systemId: WIDEVINE,
    scheme: 'cbcs',
    element: 'pssh',
    sha256: '09f60af050d70a09372eb0261cd226790173ed13f05f135bbef324068e2b6f78',
  },
  {
    systemId: COMMON_PSSH,
    scheme: 'cenc',
    element: 'pssh',
    sha256: 'ca7ccdd3cea1c7e851a4a5d3cc96956f51d075c9aec2169f1ca7865187a7f2a0',
  },
  {
    systemId: PLAYREADY,
    scheme: 'cenc',
    settings: OWN,
    element: SMOOTH,
    sha256: '9d54d7a279a3be829c686f11292fdd58f7170450d8ed703f8da48df626604986',
  },
  {
    systemId: PLAYREADY,
    scheme: 'cenc',
    settings: DOCUMENT,
    element: SMOOTH,
    sha256: '4557ed89553179a2060a5ab55c55525f2cafdec3dadcd7bc99c5e716d40c632e',
  },
  {
    systemId: PLAYREADY,
    scheme: 'cbcs',
    settings: OWN,
    element: SMOOTH,
    sha256: '22f175dcf18b6de27d9338bf2e6b3f02bfb578c44e98472f7a16b14c4d2659f0',
  },
  {
    systemId: FAIRPLAY,
    scheme: 'cbcs',
    settings: KID_ONLY,
    element: 'hlsMedia',
    sha256: '37a2d2474c49d7f2ddfe76390a5d52b3604f14eae866881b7adab2c362d712fe',
  },
]

/** Throws ERR_SELF_TEST_FAILED if this build signals other bytes than the published ones. */
export function selfTestSignaling(systems: ReadonlyMap<SystemId, DrmSystem>): void {
  const kid = toKid(KID) as Kid
  const filling: () => KeyFilling = () => ({
    memo: new Map(),
    keyAndIv: () => ({ contentKey: Buffer.from(CONTENT_KEY, 'hex'), explicitIv: Buffer.alloc(16) }),
  })
  for (const { systemId, scheme, settings, element, sha256 } of KNOWN_ANSWERS) {
    const system = systems.get(systemId)
    const elements =
      system &&
      signalElements(system, {
        kid,
        contentId: 'self-test',
        commonEncryptionScheme: scheme,
        explicitIv: undefined,
        periodKids: [kid],
        documentKids: [kid],
        periodIndex: undefined,
        keyUrl: '',
        clearKeyLicenseUrl: '',
        pssh: undefined,
        settings: { ...DEFAULT_SETTINGS, ...settings },
      })
    const template = elements?.[element]
    const bytes = template === undefined ? '' : Buffer.from(fillText(template, filling()), 'base64')
    if (createHash('sha256').update(bytes).digest('hex') !== sha256) {
      throw new KeyProviderError(
        'ERR_SELF_TEST_FAILED',
        `${system?.name ?? systemId} with ${scheme} does not signal the published bytes; do not use this build`,
      )
    }
  }
}
