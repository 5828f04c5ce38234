import { aesSigner, rsaSigner, type WidevineSigner } from '../../auth/methods/widevine-signer.ts'
import { KeyProviderError } from '../../core/errors.ts'
import { Secret } from '../../core/secret.ts'
import type { ReportProblem } from './fields.ts'
import { readSecretText } from './files.ts'
import type { WrittenSigner } from './shapes.ts'

/** A packager that takes keys by the Widevine key API. */
export interface Signer {
  readonly name: string
  readonly tenant: string
  readonly contentIds: readonly string[]
  readonly signer: Secret<WidevineSigner>
}

/** The configured signers, with the keys from their files. */
export function toSigners(written: readonly WrittenSigner[], report: ReportProblem): readonly Signer[] {
  return written.flatMap(({ name, tenant, contentIds, ...files }, i) => {
    const path = `widevine.signers.${i}`
    if (written.findIndex((other) => other.name === name) < i) report(`${path}.name`, 'another signer has this name')
    const signer = readSignerFiles(path, files, report)
    return signer === undefined ? [] : [{ name, tenant, contentIds, signer: new Secret(signer) }]
  })
}

type SignerFiles = Pick<WrittenSigner, 'aesKeyFile' | 'aesIvFile' | 'rsaPublicKeyFile'>

/** The key of a signer from its files; undefined, and a problem, if they are not usable. */
function readSignerFiles(path: string, files: SignerFiles, report: ReportProblem): WidevineSigner | undefined {
  const { aesKeyFile, aesIvFile, rsaPublicKeyFile } = files
  const read = (name: keyof SignerFiles, file: string) => readSecretText(`${path}.${name}`, file, report)
  try {
    if (rsaPublicKeyFile !== undefined && aesKeyFile === undefined && aesIvFile === undefined) {
      const pem = read('rsaPublicKeyFile', rsaPublicKeyFile)
      return pem === undefined ? undefined : rsaSigner(pem)
    }
    if (aesKeyFile !== undefined && aesIvFile !== undefined && rsaPublicKeyFile === undefined) {
      const [key, iv] = [read('aesKeyFile', aesKeyFile), read('aesIvFile', aesIvFile)]
      return key === undefined || iv === undefined ? undefined : aesSigner(fromHex(key), fromHex(iv))
    }
    report(path, 'expected aesKeyFile with aesIvFile, or rsaPublicKeyFile')
  } catch (error) {
    const isOurs = error instanceof KeyProviderError && error.code === 'ERR_CONFIG_INVALID'
    report(path, isOurs ? error.message : 'its key cannot be read')
  }
  return undefined
}

/** Shaka Packager takes key and IV in hex. Text that is not hex gives no bytes, and the signer rejects their number. */
function fromHex(text: string): Uint8Array {
  const digits = text.trim()
  return /^(?:[\da-f]{2})*$/i.test(digits) ? Buffer.from(digits, 'hex') : new Uint8Array()
}
