import type { z } from 'zod'
import { ForbiddenError } from '../../auth/failure.ts'
import { aesSigner, rsaSigner, verifyWidevineRequest, type WidevineSigner } from '../../auth/methods/widevine-signer.ts'
import { KeyProviderError } from '../../core/errors.ts'
import { matchesPattern } from '../../core/glob.ts'
import { Secret } from '../../core/secret.ts'
import type { AuthenticateSigner } from '../../protocols/widevine/get-content-key.ts'
import type { ReportProblem } from './fields.ts'
import { readText } from './playback-config.ts'
import type { WIDEVINE } from './playback-settings.ts'

/** A packager that takes keys by the key API of Widevine. */
export interface Signer {
  readonly name: string
  readonly tenant: string
  readonly contentIds: readonly string[]
  readonly signer: Secret<WidevineSigner>
}

type WrittenSigners = z.infer<typeof WIDEVINE>['signers']

/** The signers that are set; their key files are read here. */
export function toSigners(written: WrittenSigners, report: ReportProblem): readonly Signer[] {
  return written.flatMap(({ name, tenant, contentIds, ...files }, i) => {
    const path = `widevine.signers.${i}`
    if (written.findIndex((other) => other.name === name) < i) report(`${path}.name`, 'another signer has this name')
    const signer = readSigner(path, files, report)
    return signer === undefined ? [] : [{ name, tenant, contentIds, signer: new Secret(signer) }]
  })
}

/** Knows who signed by `signers`; with `anyone` everybody is anonymous, whatever they signed. */
export function authenticateSigners(signers: readonly Signer[], anyone: boolean): AuthenticateSigner {
  const byName = new Map(signers.map((signer) => [signer.name, signer]))
  return (name, request, signature) => {
    const known = byName.get(name)
    if (known === undefined || !verifyWidevineRequest(known.signer.reveal(), request, signature)) {
      return known === undefined && anyone ? ANYONE : undefined
    }
    const { tenant, contentIds } = known
    return {
      tenant,
      client: `signer ${name}`,
      authorize: (contentId) => {
        if (!contentIds.some((pattern) => matchesPattern(pattern, contentId))) throw new ForbiddenError('content')
      },
    }
  }
}

const ANYONE = { tenant: 'default', client: 'anonymous', authorize: () => {} }

type Files = Omit<WrittenSigners[number], 'name' | 'tenant' | 'contentIds'>

function readSigner(path: string, files: Files, report: ReportProblem): WidevineSigner | undefined {
  const { aesKeyFile, aesIvFile, rsaPublicKeyFile } = files
  try {
    if (rsaPublicKeyFile !== undefined && aesKeyFile === undefined && aesIvFile === undefined) {
      const pem = readText(`${path}.rsaPublicKeyFile`, rsaPublicKeyFile, report)
      return pem === undefined ? undefined : rsaSigner(pem)
    }
    if (aesKeyFile !== undefined && aesIvFile !== undefined && rsaPublicKeyFile === undefined) {
      const key = readText(`${path}.aesKeyFile`, aesKeyFile, report)
      const iv = readText(`${path}.aesIvFile`, aesIvFile, report)
      return key === undefined || iv === undefined ? undefined : aesSigner(fromHex(key), fromHex(iv))
    }
    report(path, 'expected aesKeyFile with aesIvFile, or rsaPublicKeyFile')
    return undefined
  } catch (error) {
    const isOurs = error instanceof KeyProviderError && error.code === 'ERR_CONFIG_INVALID'
    report(path, isOurs ? error.message : 'its key cannot be read')
    return undefined
  }
}

/** Shaka Packager takes both in hex, so do their files; what is no hex has no bytes and is refused for its size. */
function fromHex(text: string): Uint8Array {
  const digits = text.trim()
  return /^(?:[\da-f]{2})*$/i.test(digits) ? Buffer.from(digits, 'hex') : new Uint8Array()
}
