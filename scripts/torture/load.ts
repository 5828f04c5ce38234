import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'

const DOCUMENT = readFileSync(new URL('../../docs/examples/widevine-playready-cenc.xml', import.meta.url), 'utf8')
const KIDS = [...DOCUMENT.matchAll(/<cpix:ContentKey [^>]*kid="([^"]+)"/g)].map(([, kid = '']) => kid)

/** What a request was answered. */
export interface Answer {
  readonly status: number
  readonly keys: string
  readonly retryAfter: string | null
  readonly ms: number
}

/** Asks for the keys of a content; `kid` asks for another one in place of the document's first, as a rotation does. */
export async function ask(url: string, contentId: string, kid?: string): Promise<Answer> {
  const startedAt = performance.now()
  const named = DOCUMENT.replace(/contentId="[^"]*"/, `contentId="${contentId}"`)
  const response = await fetch(`${url}/copyProtection`, {
    method: 'POST',
    headers: { 'content-type': 'application/xml', 'x-speke-version': '2.0' },
    body: kid === undefined ? named : named.replaceAll(KIDS[0] ?? '', kid),
    signal: AbortSignal.timeout(30_000),
  })
  const text = await response.text()
  const keys = (text.match(/PlainValue>[^<]+</g) ?? []).join()
  return {
    status: response.status,
    keys,
    retryAfter: response.headers.get('retry-after'),
    ms: performance.now() - startedAt,
  }
}

/** Everything that was acknowledged: what must be the same for ever. */
export class Acknowledged {
  readonly keys = new Map<string, string>()
  /** Answers that differ from an earlier one. */
  differing = 0
  refused = 0
  asked = 0

  /** Asks for new contents, and now and then for an old one, until `isOver`. */
  async load(url: string, isOver: () => boolean): Promise<void> {
    for (let n = 0; !isOver(); n++) {
      const old = n % 4 === 3 ? this.random() : undefined
      const contentId = old ?? `t-${randomUUID()}`
      this.asked++
      try {
        const { status, keys } = await ask(url, contentId)
        if (status === 200) this.take(contentId, keys)
        else this.refused++
      } catch {
        // The server was killed while it was asked: nothing was acknowledged.
        this.refused++
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    }
  }

  take(contentId: string, keys: string): void {
    const known = this.keys.get(contentId)
    if (known === undefined) this.keys.set(contentId, keys)
    else if (known !== keys) this.differing++
  }

  /** Asks again for every content, or the newest so many. A content that was lost is given other keys, so it differs. */
  async verify(url: string, newest = this.keys.size): Promise<void> {
    const all = [...this.keys].slice(-newest)
    const worker = async (): Promise<void> => {
      for (let one = all.pop(); one !== undefined; one = all.pop()) {
        const [contentId, keys] = one
        const answer = await ask(url, contentId)
        if (answer.status !== 200 || answer.keys !== keys) this.differing++
      }
    }
    await Promise.all(Array.from({ length: 8 }, worker))
  }

  private random(): string | undefined {
    const place = Math.floor(Math.random() * this.keys.size)
    let at = 0
    // Near the end, where a kill would tear.
    const skip = Math.max(0, this.keys.size - 200)
    for (const contentId of this.keys.keys()) if (at++ >= Math.max(skip, place)) return contentId
    return undefined
  }
}
