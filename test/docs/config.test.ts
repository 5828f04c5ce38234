import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { parse } from 'yaml'
import { PLACEHOLDERS } from '../../src/formats/drm/template/text.ts'
import { DEFAULT_PROFILE } from '../../src/protocols/speke/profile.ts'
import { readConfig } from '../../src/server/config/config.ts'
import { settingTables } from '../../src/server/config/setting-docs.ts'
import { SECTIONS } from '../../src/server/config/settings.ts'
import { SIGNALING_PROFILE } from '../../src/server/config/shapes.ts'
import { DRM_SYSTEM_EXAMPLES } from '../formats/drm/template/examples.ts'
import { blocksOf, codeIn, PAGES, pageOf, rowsOf, sectionOf } from './pages.ts'

const page = pageOf('docs/config.md')
const shown = (value: unknown): string => (value === undefined ? 'not set' : `\`${printed(value)}\``)
const printed = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))

test('docs/config.md has the tables of settings.ts', () => {
  for (const table of settingTables()) {
    assert.ok(sectionOf(page, 'Settings').includes(table), 'run: node scripts/settings-page.ts')
  }
})

test('docs/config.md has a row for each member of a signalling profile, with its default', () => {
  const written = rowsOf(sectionOf(page, 'Signalling profiles')).slice(0, membersOf(SIGNALING_PROFILE).length)
  assert.deepEqual(written.map(([member]) => codeIn(member)).sort(), membersOf(SIGNALING_PROFILE).sort())
  const { settings: ofSystems, ...rest } = DEFAULT_PROFILE
  for (const [member, standard] of written) {
    const path = codeIn(member) ?? ''
    if (!path.includes('*')) assert.equal(standard, shown(at({ ...ofSystems, ...rest }, path)), path)
  }
})

test('docs/config.md has a row for each member of a DRM system', () => {
  const written = rowsOf(sectionOf(page, 'DRM systems by template')).map(([member]) => codeIn(member))
  const members = membersOf(SECTIONS.drmSystems)
  assert.deepEqual(written.slice(0, members.length).sort(), members.sort())
})

test('docs/config.md has a row for each member of a Widevine signer', () => {
  const written = rowsOf(sectionOf(page, 'Widevine signers')).map(([member]) => codeIn(member))
  assert.deepEqual(written, ['name', 'tenant', 'contentIds', 'aesKeyFile', 'aesIvFile', 'rsaPublicKeyFile'])
})

test('docs/config.md explains every placeholder', () => {
  const written = rowsOf(sectionOf(page, 'Placeholders')).flatMap(
    ([names = '']) => names.match(/(?<=\{)\w+(?=\})/g) ?? [],
  )
  assert.deepEqual(written.sort(), [...PLACEHOLDERS, 'pssh'].sort())
})

const directory = mkdtempSync(join(tmpdir(), 'keyspring-docs-'))
after(() => rmSync(directory, { recursive: true }))

/** Every block that a reader may save as a whole file. */
const files = PAGES.flatMap((one) => {
  const blocks = blocksOf(one).filter(
    ({ language, text }) => language === 'yaml' && text.startsWith('# keyspring.yaml\n'),
  )
  return blocks.map(({ text }, i) => ({ title: `${one.file}, configuration ${i + 1}`, text }))
})

describe('configurations in the documentation', () => {
  for (const { title, text } of files) {
    test(`${title} is valid`, () => {
      const file = join(directory, 'keyspring.yaml')
      writeFileSync(file, text)
      assert.doesNotThrow(() => readConfig({ file, environment: {} }))
    })
  }

  test('the DRM systems to copy are those that the signalling is tested with', () => {
    const copied = files
      .map(({ text }) => parse(text).drmSystems)
      .find((systems) => systems?.length === DRM_SYSTEM_EXAMPLES.length)
    assert.deepEqual(copied, DRM_SYSTEM_EXAMPLES)
  })
})

function at(tree: unknown, path: string): unknown {
  return path.split('.').reduce((place: unknown, step) => Object(place)[step], tree)
}

/** What a zod schema may have, by what is asked of it here. */
interface Schema {
  readonly shape?: Readonly<Record<string, object>>
  readonly valueType?: object
  readonly unwrap?: () => object
}

/** The members of a section, those of sections in it by `section.member`, of a section by name by `section.*.member`. */
function membersOf(schema: object): string[] {
  const { shape = {} } = bare(schema)
  return Object.entries(shape).flatMap(([name, member]) => {
    const inner = bare(member)
    if (inner.shape !== undefined) {
      const members = membersOf(inner).map((path) => `${name}.${path}`)
      // A section that may be left out as a whole has a row of its own.
      return Object.hasOwn(inner.shape, 'encoding') ? [name, ...members] : members
    }
    const value = inner.valueType && bare(inner.valueType)
    return value?.shape === undefined ? [name] : [name, ...membersOf(value).map((path) => `${name}.*.${path}`)]
  })
}

function bare(schema: object): Schema {
  const one: Schema = schema
  return one.shape === undefined && one.unwrap !== undefined ? bare(one.unwrap()) : one
}
