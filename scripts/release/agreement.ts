import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

interface Versioned {
  readonly version: string
  readonly packages?: Readonly<Record<string, { readonly version?: string }>>
}

/** What of a release does not agree with the version of package.json. `tag`: also what only a release has to have. */
export function disagreements(root: string, tag: string | undefined): readonly string[] {
  const read = (file: string): string => readFileSync(join(root, file), 'utf8')
  const { version } = JSON.parse(read('package.json')) as Versioned
  const lock = JSON.parse(read('package-lock.json')) as Versioned
  const changelog = read('CHANGELOG.md')
  const problems: string[] = []
  if (lock.version !== version || lock.packages?.['']?.version !== version) {
    problems.push(`package-lock.json: expected version ${version}: run npm install`)
  }
  if (!/^## \[Unreleased\]$/m.test(changelog)) problems.push('CHANGELOG.md: expected a section [Unreleased]')
  for (const directory of ['deploy/compose', 'deploy/kubernetes']) {
    for (const name of readdirSync(join(root, directory)).filter((one) => one.endsWith('.yaml'))) {
      for (const [, found] of read(join(directory, name)).matchAll(/image: keyspring:(\S+)/g)) {
        if (found !== version) problems.push(`${directory}/${name}: expected the image keyspring:${version}`)
      }
    }
  }
  if (tag === undefined) return problems
  if (tag !== `v${version}`) problems.push(`the tag: expected v${version}`)
  if (!new RegExp(`^## \\[${version.replaceAll('.', '\\.')}\\] - \\d{4}-\\d\\d-\\d\\d$`, 'm').test(changelog)) {
    problems.push(`CHANGELOG.md: expected a section [${version}] with its date`)
  }
  return problems
}
