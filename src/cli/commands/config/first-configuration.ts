import { HLS_AES_128_OF_AWS } from '../../../formats/drm/facts.ts'

/** The encryptors that `config init` has a configuration for. */
export const ENCRYPTOR_NAMES = [
  'mediapackage-v2',
  'mediapackage-v1',
  'mediaconvert',
  'elemental-live',
  'shaka-packager',
  'unified',
  'harmonic',
  'generic',
] as const
export type ConfiguredEncryptor = (typeof ENCRYPTOR_NAMES)[number]

/** The parts of a configuration that depend on the encryptor. */
interface Encryptor {
  readonly title: string
  /** What its operator enters in the encryptor, one line each. */
  readonly setup: readonly string[]
  /** Settings for this encryptor, as YAML. */
  readonly settings: string
}

const V2_URL = 'URL https://YOUR-HOST/speke/v2.0/copyProtection'
const V1_URL = 'URL https://YOUR-HOST/speke/v1.0/copyProtection'
const DEFAULT_PROFILE = 'signalingProfile: default\n'

const ENCRYPTORS: Readonly<Record<ConfiguredEncryptor, Encryptor>> = {
  'mediapackage-v2': {
    title: 'AWS Elemental MediaPackage v2 (SPEKE 2.0 and 2.1)',
    setup: [
      V2_URL,
      'It reaches key providers through API Gateway in its own region: let the gateway pass X-Speke-Version on',
      'and return X-Speke-Version and X-Speke-User-Agent.',
    ],
    settings: `# Returns explicitIV for every key and METHOD=SAMPLE-AES for every scheme, as MediaPackage v2 expects.
signalingProfile: mediapackage-v2
`,
  },
  'mediapackage-v1': {
    title: 'AWS Elemental MediaPackage v1 (SPEKE 1.0, and 2.0 on CMAF and DASH)',
    setup: [V1_URL, 'HLS AES-128: use a system ID that is listed in hlsAes128SystemIds.'],
    settings: `${DEFAULT_PROFILE}speke:
  # System ids that mean HLS AES-128 in SPEKE 1.0, beside ${HLS_AES_128_OF_AWS}.
  hlsAes128SystemIds: []
`,
  },
  mediaconvert: {
    title: 'AWS Elemental MediaConvert (SPEKE 1.0 without presets, 2.0 with)',
    setup: [V2_URL, 'A job with encryption presets uses SPEKE 2.0; a job without them uses 1.0.'],
    settings: DEFAULT_PROFILE,
  },
  'elemental-live': {
    title: 'AWS Elemental Live and Elemental Server (SPEKE 1.0)',
    setup: [V1_URL],
    settings: DEFAULT_PROFILE,
  },
  'shaka-packager': {
    title: 'Shaka Packager with CPIX encryption (SPEKE 2.0)',
    setup: [
      '--enable_cpix_encryption --cpix http://127.0.0.1:8080/copyProtection --cpix_request_file request.xml',
      "--cpix_headers 'X-Speke-Version: 2.0'",
    ],
    settings: DEFAULT_PROFILE,
  },
  unified: {
    title: 'Unified Packager and Unified Origin (CPIX 2.3)',
    setup: ['Post the CPIX request to /copyProtection and give the answer to mp4split as the CPIX file.'],
    settings: `${DEFAULT_PROFILE}speke:
  # Treat a CPIX 2.3 document without X-Speke-Version as SPEKE 2.0.
  missingVersionHeader: assume-2.0
`,
  },
  harmonic: {
    title: 'Harmonic encoders and packagers (CPIX over HTTP)',
    setup: [V2_URL, 'Choose SPEKE 2.0 where the product offers it.'],
    settings: `${DEFAULT_PROFILE}speke:
  # Treat a CPIX 2.3 document without X-Speke-Version as SPEKE 2.0.
  missingVersionHeader: assume-2.0
`,
  },
  generic: {
    title: 'any SPEKE encryptor',
    setup: [`${V2_URL} (or v1.0, v2.1: every path accepts every version)`],
    settings: DEFAULT_PROFILE,
  },
}

/** A commented configuration for an encryptor, as YAML. */
export function firstConfiguration(name: ConfiguredEncryptor): string {
  const { title, setup, settings } = ENCRYPTORS[name]
  return `# Keyspring for ${title}.
#
# In the encryptor:
${setup.map((line) => `#   ${line}\n`).join('')}
# The address to listen on. An address that other machines reach needs publicUrl, and clients that authenticate.
host: 127.0.0.1
port: 8080
# The store and root.key. Back up root.key: without it every key is lost.
data: ./data
# Where players reach this server, for key URLs. Keyspring never takes it from a request.
# publicUrl: https://keys.example.com
# Addresses of the proxies in front of this server.
trustProxy: []

# What answers look like: licence URLs, HLS METHOD, explicitIV.
${settings}
# Licence URLs and other signalling for the profile named above.
# signalingProfiles:
#   ${name === 'mediapackage-v2' ? 'mediapackage-v2' : 'default'}:
#     playready:
#       laUrl: https://playready.example.com/rightsmanager.asmx
#     fairplay:
#       skd: aws-json
#     widevine:
#       provider: example

# Another profile for some contents: the first rule that matches.
# contents:
#   - contentId: live-*
#     signalingProfile: mediapackage-v2
`
}
