import { HLS_AES_128_OF_AWS } from '../../../formats/drm/facts.ts'
import { settingComment } from '../../../server/config/setting-docs.ts'

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
  /** How it authenticates: a credential method, and the --id of its credential. */
  readonly method: 'token' | 'basic' | 'digest' | 'gateway'
  readonly id?: string
  /** Signalling settings for this encryptor, as YAML. */
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
    method: 'gateway',
    id: 'arn:aws:iam::123456789012:role/SpekeAccess',
    settings: `# Returns explicitIV for every key and METHOD=SAMPLE-AES for every scheme, as MediaPackage v2 expects.
signalingProfile: mediapackage-v2
`,
  },
  'mediapackage-v1': {
    title: 'AWS Elemental MediaPackage v1 (SPEKE 1.0, and 2.0 on CMAF and DASH)',
    setup: [V1_URL, 'HLS AES-128: use a system ID that is listed in hlsAes128SystemIds.'],
    method: 'gateway',
    id: 'arn:aws:iam::123456789012:role/SpekeAccess',
    settings: `${DEFAULT_PROFILE}speke:
  # System ids that mean HLS AES-128 in SPEKE 1.0, beside ${HLS_AES_128_OF_AWS}.
  hlsAes128SystemIds: []
`,
  },
  mediaconvert: {
    title: 'AWS Elemental MediaConvert (SPEKE 1.0 without presets, 2.0 with)',
    setup: [V2_URL, 'A job with encryption presets uses SPEKE 2.0; a job without them uses 1.0.'],
    method: 'gateway',
    id: 'arn:aws:iam::123456789012:role/SpekeAccess',
    settings: DEFAULT_PROFILE,
  },
  'elemental-live': {
    title: 'AWS Elemental Live and Elemental Server (SPEKE 1.0)',
    setup: [V1_URL],
    method: 'digest',
    id: 'elemental',
    settings: DEFAULT_PROFILE,
  },
  'shaka-packager': {
    title: 'Shaka Packager with CPIX encryption (SPEKE 2.0)',
    setup: [
      '--enable_cpix_encryption --cpix http://127.0.0.1:8080/copyProtection --cpix_request_file request.xml',
      "--cpix_headers 'X-Speke-Version: 2.0'",
    ],
    method: 'token',
    settings: DEFAULT_PROFILE,
  },
  unified: {
    title: 'Unified Packager and Unified Origin (CPIX 2.3)',
    setup: ['Post the CPIX request to /copyProtection and give the answer to mp4split as the CPIX file.'],
    method: 'token',
    settings: `${DEFAULT_PROFILE}speke:
  # Treat a CPIX 2.3 document without X-Speke-Version as SPEKE 2.0.
  missingVersionHeader: assume-2.0
`,
  },
  harmonic: {
    title: 'Harmonic encoders and packagers (CPIX over HTTP)',
    setup: [V2_URL, 'Choose SPEKE 2.0 where the product offers it.'],
    method: 'basic',
    id: 'harmonic',
    settings: `${DEFAULT_PROFILE}speke:
  # Treat a CPIX 2.3 document without X-Speke-Version as SPEKE 2.0.
  missingVersionHeader: assume-2.0
`,
  },
  generic: {
    title: 'any SPEKE encryptor',
    setup: [`${V2_URL} (or v1.0, v2.1: every path accepts every version)`],
    method: 'token',
    settings: DEFAULT_PROFILE,
  },
}

/** A commented configuration for an encryptor, as YAML: listener, TLS or proxy, callers, players, signalling. */
export function firstConfiguration(name: ConfiguredEncryptor): string {
  const { title, setup, settings } = ENCRYPTORS[name]
  return `# Keyspring for ${title}.
#
# In the encryptor:
${setup.map((line) => `#   ${line}\n`).join('')}#
# Every setting is described in docs/config.md. After a change:
#   keyspring config check --config keyspring.yaml

# ---- Listener -------------------------------------------------------------------------------------------------------
${settingComment('host')}host: 127.0.0.1
${settingComment('port')}port: 8080
${settingComment('data')}# Back up root.key: without it every key is lost.
data: ./data
${settingComment('publicUrl')}# publicUrl: https://keys.example.com

# ---- TLS or a proxy -------------------------------------------------------------------------------------------------
# Either Keyspring terminates TLS. On SIGHUP it loads a renewed certificate.
# tls:
#   cert: /etc/keyspring/server.crt
#   key: /etc/keyspring/server.key
# Or a proxy terminates TLS.
${settingComment('trustProxy')}trustProxy: []

# ---- Callers --------------------------------------------------------------------------------------------------------
${callers(name, ENCRYPTORS[name])}
# ---- Players --------------------------------------------------------------------------------------------------------
playback:
  # Players get no AES-128 and ClearKey keys. Players of Widevine, PlayReady and FairPlay content do not need this server.
  access: off
  # Or players prove with a token that they have access. Remove the line above:
  # access: jwt
  # jwt:
  #   jwks: https://login.example.com/.well-known/jwks.json
  # origins: [https://player.example.com]

# ---- Signalling -----------------------------------------------------------------------------------------------------
# The profile decides what answers look like: licence URLs, HLS METHOD, explicitIV.
${settings}# Licence URLs and other signalling for the profile named above.
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

function callers(name: ConfiguredEncryptor, { method, id }: Encryptor): string {
  const command = `keyspring client add --name ${name} --method ${method}${id === undefined ? '' : ` --id ${id}`}`
  return `# Once one client exists, every caller must authenticate. This command adds the client${SHOWN[method]}
#   ${command} --config keyspring.yaml
# Or keep clients in this file: the same command with --print prints an entry.
${AUTH[method]}# clients:
#   - name: ${name}
#     credentials:
${CREDENTIALS[method]}`
}

type Method = Encryptor['method']

const SHOWN: Readonly<Record<Method, string>> = {
  token: ', and shows its token once:',
  basic: ', and shows its password once:',
  digest: ', and shows its password once:',
  gateway: '. Use the role of your gateway:',
}

/** The settings of `auth` that a method needs, commented out. */
const AUTH: Readonly<Record<Method, string>> = {
  token: '',
  basic: '',
  digest: '',
  gateway: `# Amazon API Gateway authenticates the encryptor and sends this secret in a header: 32 random characters or more.
# auth:
#   gateway:
#     secretFiles: [/etc/keyspring/gateway-secret]
`,
}

/** An example of a credential in `clients`, commented out. */
const CREDENTIALS: Readonly<Record<Method, string>> = {
  token: `#       token:
#         - tokenFile: /etc/keyspring/token
`,
  basic: `#       basic:
#         - user: harmonic
#           passwordFile: /etc/keyspring/password
`,
  digest: `#       digest:
#         - user: elemental
#           passwordFile: /etc/keyspring/password
`,
  gateway: `#       gateway:
#         - caller: arn:aws:iam::123456789012:role/SpekeAccess
`,
}
