import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { synthesize } from './synthesize.ts'

const TEMPLATES = fileURLToPath(new URL('templates', import.meta.url))

/** Writes the templates: `node deploy/aws/app.ts`. */
mkdirSync(TEMPLATES, { recursive: true })
const scratch = mkdtempSync(join(tmpdir(), 'keyspring-aws-'))
try {
  for (const [name, text] of Object.entries(synthesize(scratch))) {
    const file = join(TEMPLATES, `${name}.json`)
    writeFileSync(file, text)
    console.log(`${file} ${text.length} bytes`)
  }
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
