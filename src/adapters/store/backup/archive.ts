import { createCipheriv, createDecipheriv, createHash, type KeyObject, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, open, rename, unlink } from 'node:fs/promises'
import { KeyProviderError } from '../../../core/errors.ts'

/** The manifest of an archive. It is readable without the passphrase and authenticated by it. */
export interface Manifest {
  readonly createdAt: string
  readonly contents: number
  readonly dataKeys: number
  /** Size in bytes and SHA-256 in hex of the store in the archive. */
  readonly size: number
  readonly sha256: string
  /** How scrypt derives the key from the passphrase. */
  readonly salt: string
  readonly scrypt: { readonly N: number; readonly r: number; readonly p: number }
}

const MAGIC = 'keyspring-backup v1\n'
const CHUNK = 1_048_576
const NONCE_PREFIX = 8
const TAG = 16
const MAX_MANIFEST = 65_536
const ALGORITHM = 'aes-256-gcm'

/** The size and SHA-256 of a file. */
export async function measure(file: string): Promise<Pick<Manifest, 'size' | 'sha256'>> {
  const hash = createHash('sha256')
  let size = 0
  for await (const chunk of createReadStream(file)) {
    hash.update(chunk)
    size += chunk.length
  }
  return { size, sha256: hash.digest('hex') }
}

/**
 * Writes `source` into a new archive. The archive is a magic number, the manifest on one line, then chunks of 1 MB.
 * Each chunk is sealed with AES-256-GCM under a counting nonce and bound to the manifest, its position, and whether it
 * is the last.
 *
 * @see Hoang, Reyhanitabar, Rogaway, Vizár: Online Authenticated-Encryption (STREAM)
 */
export async function writeArchive(source: string, archive: string, manifest: Manifest, key: KeyObject): Promise<void> {
  const draft = `${archive}.${randomBytes(6).toString('hex')}.new`
  try {
    {
      await using from = await open(source, 'r')
      await using to = await open(draft, 'wx', 0o600)
      const head = Buffer.from(`${JSON.stringify(manifest)}\n`)
      const prefix = randomBytes(NONCE_PREFIX)
      await to.writeFile(Buffer.concat([Buffer.from(MAGIC), head, prefix]))
      const chunks = Math.max(1, Math.ceil(manifest.size / CHUNK))
      for (let index = 0; index < chunks; index++) {
        const clear = await readExactly(from, Math.min(CHUNK, manifest.size - index * CHUNK))
        const cipher = createCipheriv(ALGORITHM, key, nonceOf(prefix, index))
        cipher.setAAD(additionalData(head, index, index === chunks - 1))
        await to.writeFile(Buffer.concat([cipher.update(clear), cipher.final(), cipher.getAuthTag()]))
      }
      await to.sync()
    }
    await rename(draft, archive)
  } finally {
    await unlink(draft).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
    })
  }
}

/** The manifest of an archive. Nothing has authenticated it yet. */
export async function readManifest(archive: string): Promise<Manifest> {
  await using file = await open(archive, 'r')
  return (await readHead(file, archive)).manifest
}

/** Writes the store in an archive to `target`, with mode 0600. Throws ERR_BACKUP_INVALID and then leaves no target. */
export async function readArchive(archive: string, target: string, key: KeyObject): Promise<Manifest> {
  await using from = await open(archive, 'r')
  const { manifest, head, position } = await readHead(from, archive)
  const prefix = await readExactly(from, NONCE_PREFIX, position)
  const hash = createHash('sha256')
  try {
    await using to = await open(target, 'wx', 0o600)
    const chunks = Math.max(1, Math.ceil(manifest.size / CHUNK))
    let at = position + NONCE_PREFIX
    for (let index = 0; index < chunks; index++) {
      const size = Math.min(CHUNK, manifest.size - index * CHUNK) + TAG
      const sealed = await readExactly(from, size, at)
      if (sealed.length < size) throw invalid(archive, 'it is truncated')
      at += size
      const clear = openChunk(
        archive,
        key,
        nonceOf(prefix, index),
        additionalData(head, index, index === chunks - 1),
        sealed,
      )
      hash.update(clear)
      await to.writeFile(clear)
    }
    if ((await from.stat()).size !== at) throw invalid(archive, 'data follows its end')
    if (hash.digest('hex') !== manifest.sha256) throw invalid(archive, 'its checksum does not match')
    await to.sync()
    return manifest
  } catch (error) {
    await unlink(target).catch(() => undefined)
    throw error
  }
}

function openChunk(archive: string, key: KeyObject, nonce: Buffer, aad: Buffer, sealed: Buffer): Buffer {
  const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG }).setAAD(aad)
  decipher.setAuthTag(sealed.subarray(-TAG))
  const clear = decipher.update(sealed.subarray(0, -TAG))
  try {
    decipher.final()
    return clear
  } catch {
    throw invalid(archive, 'it does not open: the passphrase is wrong, or the archive was altered')
  }
}

async function readHead(file: FileHandle, archive: string) {
  const bytes = await readExactly(file, MAGIC.length + MAX_MANIFEST, 0)
  const end = bytes.indexOf('\n', MAGIC.length)
  if (bytes.toString('latin1', 0, MAGIC.length) !== MAGIC || end === -1)
    throw invalid(archive, 'it is not a keyspring backup')
  const head = bytes.subarray(MAGIC.length, end + 1)
  let manifest: Manifest
  try {
    manifest = JSON.parse(head.toString('utf8')) as Manifest
  } catch {
    throw invalid(archive, 'its manifest is damaged')
  }
  const { size, sha256, salt, scrypt } = Object(manifest) as Partial<Manifest>
  const isWhole =
    Number.isSafeInteger(size) && [sha256, salt].every((one) => typeof one === 'string') && scrypt !== undefined
  if (!isWhole) throw invalid(archive, 'its manifest is damaged')
  return { manifest, head, position: end + 1 }
}

/** Reads `size` bytes, or fewer at the end of the file. */
async function readExactly(file: FileHandle, size: number, position: number | null = null): Promise<Buffer> {
  const bytes = Buffer.alloc(size)
  let filled = 0
  while (filled < size) {
    const at = position === null ? null : position + filled
    const { bytesRead } = await file.read(bytes, filled, size - filled, at)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return bytes.subarray(0, filled)
}

function nonceOf(prefix: Uint8Array, index: number): Buffer {
  const counter = Buffer.alloc(4)
  counter.writeUInt32BE(index)
  return Buffer.concat([prefix, counter])
}

function additionalData(head: Uint8Array, index: number, isLast: boolean): Buffer {
  const place = Buffer.alloc(5)
  place.writeUInt32BE(index)
  place.writeUInt8(isLast ? 1 : 0, 4)
  return Buffer.concat([createHash('sha256').update(head).digest(), place])
}

function invalid(archive: string, problem: string): KeyProviderError {
  return new KeyProviderError('ERR_BACKUP_INVALID', `backup ${archive}: ${problem}`)
}
