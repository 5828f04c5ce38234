import type { PostDecision } from '../../protocols/playback/callback-access.ts'

/** Bytes of an answer that are read. */
const MAX_ANSWER = 64 * 1024

/** Posts to the authorization service at `url`. A redirect is a failure: the token would go where nobody said. */
export function postDecision(url: string): PostDecision {
  return async (json, signal) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: json,
      redirect: 'error',
      signal,
    })
    return { status: response.status, body: await readCapped(response) }
  }
}

async function readCapped({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of body ?? []) {
    length += chunk.length
    if (length > MAX_ANSWER) throw new Error(`the answer is longer than ${MAX_ANSWER} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}
