import { writeFileSync } from 'node:fs'
import { HLS_AES_128_OF_AWS } from '../../../formats/drm/facts.ts'
import type { ConfigEncryptorName } from '../../shared/encryptor-names.ts'

/** What a configuration says for one encryptor. */
interface Encryptor {
  readonly title: string
  /** What its operator has to type into it, one line each. */
  readonly setup: readonly string[]
  /** Settings that differ from the defaults, as YAML. */
  readonly settings: string
}

/** Writes a configuration that `config check` accepts, with a comment on each setting someone may want to change. */
export function configInit({
  encryptor,
  out,
}: {
  readonly encryptor: ConfigEncryptorName
  readonly out?: string
}): void {
  const text = configurationFor(encryptor)
  if (out === undefined) process.stdout.write(text)
  else {
    writeFileSync(out, text, { flag: 'wx', mode: 0o600 })
    process.stderr.write(`keyspring: wrote ${out}\nhint: keyspring serve --config ${out}\n`)
  }
}

const V2_URL = 'URL https://YOUR-HOST/speke/v2.0/copyProtection'
const V1_URL = 'URL https://YOUR-HOST/speke/v1.0/copyProtection'
const DEFAULT_PROFILE = 'signalingProfile: default\n'

const ENCRYPTORS: Readonly<Record<ConfigEncryptorName, Encryptor>> = {
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
    setup: [V1_URL, 'HLS AES-128: any system id will do that is listed in hlsAes128SystemIds.'],
    settings: `${DEFAULT_PROFILE}speke:
  # System ids that mean HLS AES-128 in SPEKE 1.0, beside ${HLS_AES_128_OF_AWS}.
  hlsAes128SystemIds: []
`,
  },
  mediaconvert: {
    title: 'AWS Elemental MediaConvert (SPEKE 1.0 without presets, 2.0 with)',
    setup: [V2_URL, 'Choosing encryption presets in the job means SPEKE 2.0; leaving them blank means 1.0.'],
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
  # A CPIX 2.3 document that comes without X-Speke-Version is answered as SPEKE 2.0.
  missingVersionHeader: assume-2.0
`,
  },
  harmonic: {
    title: 'Harmonic encoders and packagers (CPIX over HTTP)',
    setup: [V2_URL, 'Choose SPEKE 2.0 where the product offers it.'],
    settings: `${DEFAULT_PROFILE}speke:
  # A CPIX 2.3 document that comes without X-Speke-Version is answered as SPEKE 2.0.
  missingVersionHeader: assume-2.0
`,
  },
  generic: {
    title: 'any SPEKE encryptor',
    setup: [`${V2_URL} (or v1.0, v2.1: every path takes every version)`],
    settings: DEFAULT_PROFILE,
  },
}

function configurationFor(name: ConfigEncryptorName): string {
  const { title, setup, settings } = ENCRYPTORS[name]
  return `# Keyspring for ${title}.
#
# In the encryptor:
${setup.map((line) => `#   ${line}\n`).join('')}
# Where to listen. Any other address than this machine's own needs publicUrl and, while callers are not
# authenticated, allowAnonymous: true, which gives keys to whoever can reach the port.
host: 127.0.0.1
port: 8080
# The store and root.key. Back up root.key: without it every key is lost.
data: ./data
# Where players reach this server; it stands in key URLs, never taken from a request.
# publicUrl: https://keys.example.com
# Addresses of proxies in front of this server that may forward requests to it.
trustProxy: []

# What answers look like: licence URLs, HLS METHOD, explicitIV.
${settings}
# Licence URLs and the like, for the profile named above.
# signalingProfiles:
#   ${name === 'mediapackage-v2' ? 'mediapackage-v2' : 'default'}:
#     playready:
#       laUrl: https://playready.example.com/rightsmanager.asmx
#     fairplay:
#       skd: aws-json
#     widevine:
#       provider: example

# Another profile for some contents: the first rule that fits.
# contents:
#   - contentId: live-*
#     signalingProfile: mediapackage-v2
`
}
