import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Secret } from '../../../../src/core/secret.ts'

const PROCESS = new URL('./process.ts', import.meta.url).pathname

/** What races of first requests gave. */
export interface Races {
  readonly requests: number
  /** Contents that were given more than one answer. */
  readonly differing: number
}

/** Runs `processes` nodes on one database, each asking 32 times at once for the same new content, round by round. */
export async function raceFirstRequests(
  url: Secret<string>,
  rootKey: string,
  processes: number,
  rounds: number,
): Promise<Races> {
  const answers = new Map<number, Set<string>>()
  let requests = 0
  const nodes = Array.from({ length: processes }, async () => {
    const child = spawn(process.execPath, [PROCESS], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {
        ...process.env,
        KEYSPRING_TEST_URL: url.reveal(),
        KEYSPRING_TEST_ROOT_KEY: rootKey,
        KEYSPRING_TEST_ROUNDS: String(rounds),
      },
    })
    const exited = once(child, 'exit')
    let output = ''
    for await (const chunk of child.stdout) output += chunk
    const [code] = await exited
    if (code !== 0) throw new Error(`a node ended with ${code}`)
    for (const line of output.trimEnd().split('\n')) {
      const [round, given, count] = JSON.parse(line) as [number, readonly string[], number]
      const known = answers.get(round) ?? new Set()
      for (const one of given) known.add(one)
      answers.set(round, known)
      requests += count
    }
  })
  await Promise.all(nodes)
  return { requests, differing: [...answers.values()].filter(({ size }) => size !== 1).length }
}
