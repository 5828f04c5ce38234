import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { run, serveOnce } from './commands.ts'
import { type Containerfile, isInContext, readContainerfile, type Stage } from './containerfile.ts'

/** The root of the image that a Containerfile makes, built by running its steps as plain commands, without its base images. */
export function buildImageTree(source: string, into: string): { readonly root: string; readonly file: Containerfile } {
  const file = readContainerfile(readFileSync(join(source, 'deploy/container/Containerfile'), 'utf8'))
  const ignore = readFileSync(join(source, '.containerignore'), 'utf8')
  const roots = new Map<string, string>()
  for (const stage of file.stages) {
    const root = join(into, `stage-${roots.size}`)
    mkdirSync(join(root, stage.workdir), { recursive: true })
    roots.set(stage.name ?? 'image', root)
    buildStage(stage, root, (from) => roots.get(from), source, ignore)
  }
  const root = roots.get('image')
  if (root === undefined) throw new Error('the Containerfile has no last stage without a name')
  return { root, file }
}

function buildStage(
  { workdir, steps }: Stage,
  root: string,
  rootOf: (stage: string) => string | undefined,
  source: string,
  ignore: string,
): void {
  const cwd = join(root, workdir)
  for (const step of steps) {
    if (step.kind === 'run') {
      run('sh', ['-ec', step.command], cwd, withoutOurs())
      continue
    }
    const from = step.from === undefined ? source : rootOf(step.from)
    if (from === undefined) throw new Error(`COPY --from=${step.from}: there is no such stage before it`)
    for (const path of step.sources) {
      if (step.from === undefined && !isInContext(ignore, path)) throw new Error(`COPY ${path}: it is ignored`)
      const to = step.to.startsWith('/') ? join(root, step.to) : join(cwd, step.to)
      const target = step.to.endsWith('/') ? join(to, basename(path)) : to
      mkdirSync(dirname(target), { recursive: true })
      cpSync(join(from, path), target, { recursive: true, verbatimSymlinks: true })
    }
  }
}

/** The environment without what npm tells its scripts, which would change what npm does in there. */
function withoutOurs(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(?:npm_(?!config_(?:registry|cache|_))|KEYSPRING_)/.test(name),
  )
  return Object.fromEntries(kept)
}

const NOBODY = 65532

/** Starts what is in the image from a tree that cannot be written, and sees that it writes to its data directory alone. */
export async function runImageTree(root: string, file: Containerfile): Promise<'nobody' | 'ourselves'> {
  const data = join(root, file.volumes[0] ?? '')
  const isRoot = process.getuid?.() === 0
  if (isRoot) chownSync(data, NOBODY, NOBODY)
  protect(root, data)
  const before = listing(root, data)
  const [, ...args] = file.entrypoint
  const inTree = args.map((arg) => (arg.startsWith('/') ? join(root, arg) : arg))
  const environment = { ...file.environment, KEYSPRING_DATA: data, KEYSPRING_PORT: '0', KEYSPRING_HOST: '127.0.0.1' }
  await serveOnce(
    {
      program: process.execPath,
      args: [...inTree, ...file.command],
      cwd: join(root, file.stages.at(-1)?.workdir ?? ''),
      environment,
      uid: isRoot ? NOBODY : undefined,
    },
    join(root, 'app/docs/examples/widevine-playready-cenc.xml'),
  )
  const after = listing(root, data)
  const written = after.filter((path) => !before.includes(path))
  if (written.length > 0) throw new Error(`it wrote outside its data directory: ${written.join(', ')}`)
  if (!existsSync(join(data, 'root.key'))) throw new Error('it made no root key in its data directory')
  return isRoot ? 'nobody' : 'ourselves'
}

/** Takes the right to write from everything but the data directory. */
function protect(directory: string, data: string): void {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name)
    if (path === data || entry.isSymbolicLink()) continue
    if (entry.isDirectory()) protect(path, data)
    else chmodSync(path, 0o444)
  }
  chmodSync(directory, 0o555)
}

function listing(directory: string, data: string): readonly string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name)
    if (path === data) return []
    return entry.isDirectory() ? listing(path, data) : [`${path} ${entry.isFile() ? statSync(path).mtimeMs : ''}`]
  })
}
