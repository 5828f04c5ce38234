import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { settingTables } from '../src/server/config/setting-docs.ts'

// Writes the two tables of settings into docs/config.md: `node scripts/settings-page.ts`.

const file = fileURLToPath(new URL('../docs/config.md', import.meta.url))
const tables = settingTables()
const isTable = /^\| setting \|.*\n(?:\|.*\n)+/gm
let next = 0
writeFileSync(
  file,
  readFileSync(file, 'utf8').replace(isTable, (table) => tables[next++] ?? table),
)
