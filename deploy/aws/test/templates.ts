import { mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { CloudFormationTemplate } from '../plain-stack.ts'
import type { TemplateName } from '../synthesize.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** Where the templates that people deploy are. */
export const TEMPLATES = join(ROOT, 'templates')
export const EXAMPLES = join(ROOT, 'examples')

/** A template as it is kept, which is what people deploy. */
export function templateOf(name: TemplateName): CloudFormationTemplate {
  return JSON.parse(readFileSync(join(TEMPLATES, `${name}.json`), 'utf8'))
}

/** Every file of templates and examples by its name. */
export const EVERY_TEMPLATE: readonly (readonly [name: string, template: CloudFormationTemplate])[] = [
  TEMPLATES,
  EXAMPLES,
].flatMap((directory) =>
  readdirSync(directory).map(
    (file) => [file, JSON.parse(readFileSync(join(directory, file), 'utf8')) as CloudFormationTemplate] as const,
  ),
)

/** A directory for the CDK to write into. */
export function scratch(): string {
  return mkdtempSync(join(tmpdir(), 'keyspring-aws-'))
}
