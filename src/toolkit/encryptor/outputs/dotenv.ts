import { clearKey, type Output, schemeOf } from './output.ts'

/** Lines of NAME=value for a shell or a .env file. No value requires quotes. */
export const dotenv: Output = {
  name: 'dotenv',
  title: 'KID_TRACK, KEY_TRACK, IV_TRACK, PSSH_SYSTEM_TRACK',
  holdsKeys: () => true,
  render(answer) {
    const rotates = new Set(answer.keys.map(({ requested }) => requested.period?.id)).size > 1
    const suffixes = new Map(
      answer.keys.map(({ kid, requested }) => [
        kid,
        nameOf(`${requested.intendedTrackType}${rotates ? `_PERIOD_${requested.period?.number}` : ''}`),
      ]),
    )
    const lines = [`SCHEME=${schemeOf(answer)}`]
    for (const key of answer.keys) {
      const { keyHex, kidHex, ivHex } = clearKey(key)
      const suffix = suffixes.get(key.kid)
      lines.push(`KID_${suffix}=${kidHex}`, `KEY_${suffix}=${keyHex}`)
      if (ivHex !== undefined) lines.push(`IV_${suffix}=${ivHex}`)
    }
    for (const { name, kid, pssh } of answer.systems) {
      if (pssh !== undefined)
        lines.push(`PSSH_${nameOf(name)}_${suffixes.get(kid)}=${Buffer.from(pssh).toString('base64')}`)
    }
    return { text: lines.map((line) => `${line}\n`).join('') }
  },
}

function nameOf(text: string): string {
  return text.toUpperCase().replaceAll(/[^A-Z0-9]+/g, '_')
}
