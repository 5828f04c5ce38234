import { createReadStream } from 'node:fs'
import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { MAX_AUDIT_LINE } from '../../operations/audit/record.ts'
import type { AuditFile, AuditFileLine } from '../../operations/audit/sink.ts'

/** The extension of a day's file. */
export const DAY_FILE = '.jsonl'
const NAME = /^(\d{4}-\d\d-\d\d)\.jsonl$/
const NEWLINE = 0x0a
const WINDOW = 64 * 1024

/** The days for which a node's directory has a file, oldest first. */
export async function dayFilesOf(home: string): Promise<string[]> {
  const days = (await readdir(home)).map((name) => NAME.exec(name)?.[1] ?? '')
  return days.filter((day) => day !== '').sort()
}

/** The last complete line of a file, without its line end, and the bytes after it. */
export async function readEnd(
  file: string,
): Promise<{ readonly line: Uint8Array | undefined; readonly torn: Uint8Array | undefined }> {
  await using handle = await open(file, 'r')
  const { size } = await handle.stat()
  for (let length = Math.min(WINDOW, size); ; length = Math.min(length * 4, size)) {
    const bytes = Buffer.alloc(length)
    await handle.read(bytes, 0, length, size - length)
    const end = bytes.lastIndexOf(NEWLINE)
    const start = end <= 0 ? -1 : bytes.lastIndexOf(NEWLINE, end - 1)
    if (length < size && start === -1) {
      if (length > 2 * MAX_AUDIT_LINE) throw new Error(`the last line of ${file} is longer than any record`)
      continue
    }
    const torn = bytes.subarray(end + 1)
    return {
      line: end === -1 ? undefined : bytes.subarray(start + 1, end),
      torn: torn.length === 0 ? undefined : torn,
    }
  }
}

/** The files of an audit log, ordered by node and day; none if the directory does not exist. */
export async function* listAuditFiles(directory: string): AsyncGenerator<AuditFile> {
  for (const node of await nodesOf(directory)) {
    for (const day of await dayFilesOf(join(directory, node))) {
      const name = join(directory, node, day + DAY_FILE)
      yield { node, day, name, lines: () => readLines(name) }
    }
  }
}

async function nodesOf(directory: string): Promise<string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true })
    const nodes = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
    return nodes.sort()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}

/** The lines of a file, one at a time. A line longer than any record comes in pieces. */
async function* readLines(file: string): AsyncGenerator<AuditFileLine> {
  let parts: Buffer[] = []
  let length = 0
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      yield { bytes: Buffer.concat([...parts, chunk.subarray(start, end)]), isWhole: true }
      parts = []
      length = 0
      start = end + 1
    }
    parts.push(chunk.subarray(start))
    length += chunk.length - start
    if (length > MAX_AUDIT_LINE) {
      yield { bytes: Buffer.concat(parts), isWhole: true }
      parts = []
      length = 0
    }
  }
  if (length > 0) yield { bytes: Buffer.concat(parts), isWhole: false }
}
