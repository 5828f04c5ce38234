import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rulePage, rulesIndexPage } from '../src/toolkit/rules/page.ts'
import { RULES } from '../src/toolkit/rules/rules.ts'

/** Writes docs/rules from the table of rules: a page for each, and the list of all. */
const directory = fileURLToPath(new URL('../docs/rules', import.meta.url))
mkdirSync(directory, { recursive: true })
for (const name of readdirSync(directory)) rmSync(join(directory, name))
writeFileSync(join(directory, 'README.md'), rulesIndexPage(RULES))
for (const rule of RULES) writeFileSync(join(directory, `${rule.id}.md`), rulePage(rule))
