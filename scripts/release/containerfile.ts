/** One step of a stage, as far as the image of this package needs it. */
export type Step =
  | {
      readonly kind: 'copy'
      readonly from: string | undefined
      readonly sources: readonly string[]
      readonly to: string
    }
  | { readonly kind: 'run'; readonly command: string }

export interface Stage {
  readonly name: string | undefined
  /** The base image, with arguments filled in. */
  readonly base: string
  readonly workdir: string
  readonly steps: readonly Step[]
}

/** What a Containerfile says. Of the last stage, what the image runs as. */
export interface Containerfile {
  readonly stages: readonly Stage[]
  readonly environment: Readonly<Record<string, string>>
  readonly user: string | undefined
  readonly volumes: readonly string[]
  readonly expose: readonly number[]
  readonly entrypoint: readonly string[]
  readonly command: readonly string[]
  readonly healthcheck: readonly string[]
}

/** Reads a Containerfile. Throws for an instruction it does not know: nothing of it may go unchecked. */
export function readContainerfile(text: string): Containerfile {
  const stages: { name: string | undefined; base: string; workdir: string; steps: Step[] }[] = []
  const args = new Map<string, string>()
  const environment: Record<string, string> = {}
  const volumes: string[] = []
  const expose: number[] = []
  let user: string | undefined
  const lists = new Map<string, readonly string[]>()

  const stage = () => {
    const last = stages.at(-1)
    if (last === undefined) throw new SyntaxError('an instruction before FROM')
    return last
  }
  const READ: Readonly<Record<string, (rest: string) => void>> = {
    ARG(rest) {
      const [name = '', value = ''] = rest.split('=')
      args.set(name, value)
    },
    FROM(rest) {
      const [base = '', , name] = rest.split(/\s+/)
      const filled = base.replace(/\$\{(\w+)\}/g, (_, arg: string) => args.get(arg) ?? '')
      stages.push({ name, base: filled, workdir: '/', steps: [] })
    },
    WORKDIR(rest) {
      stage().workdir = rest
    },
    COPY(rest) {
      const words = rest.split(/\s+/)
      const from = words.find((word) => word.startsWith('--from='))?.slice('--from='.length)
      const paths = words.filter((word) => !word.startsWith('--'))
      stage().steps.push({ kind: 'copy', from, sources: paths.slice(0, -1), to: paths.at(-1) ?? '' })
    },
    RUN: (rest) => void stage().steps.push({ kind: 'run', command: rest }),
    ENV(rest) {
      for (const pair of rest.split(/\s+/))
        environment[pair.slice(0, pair.indexOf('='))] = pair.slice(pair.indexOf('=') + 1)
    },
    USER(rest) {
      user = rest
    },
    VOLUME: (rest) => void volumes.push(rest),
    EXPOSE: (rest) => void expose.push(...rest.split(/\s+/).map(Number)),
    HEALTHCHECK: (rest) => void lists.set('HEALTHCHECK', JSON.parse(rest.slice(rest.indexOf('[')))),
    ENTRYPOINT: (rest) => void lists.set('ENTRYPOINT', JSON.parse(rest)),
    CMD: (rest) => void lists.set('CMD', JSON.parse(rest)),
  }
  for (const line of text.replaceAll(/\\\n\s*/g, ' ').split('\n')) {
    const [, instruction = '', rest = ''] = /^([A-Z]+)\s+(.*)$/.exec(line.trim()) ?? []
    if (line.trim() === '' || line.startsWith('#')) continue
    const read = READ[instruction]
    if (read === undefined) throw new SyntaxError(`an instruction that is not known here: ${line}`)
    read(rest)
  }
  const listOf = (name: string): readonly string[] => lists.get(name) ?? []
  return {
    stages,
    environment,
    user,
    volumes,
    expose,
    entrypoint: listOf('ENTRYPOINT'),
    command: listOf('CMD'),
    healthcheck: listOf('HEALTHCHECK'),
  }
}

/** Whether a path of the context gets into a build, by the lines of a .dockerignore that names what does. */
export function isInContext(ignore: string, path: string): boolean {
  const allowed = ignore
    .split('\n')
    .filter((line) => line.startsWith('!'))
    .map((line) => line.slice(1))
  return allowed.some((name) => path === name || path.startsWith(`${name}/`))
}
