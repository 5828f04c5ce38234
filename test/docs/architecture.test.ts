import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { architecturePicture, PICTURE } from '../../scripts/architecture-picture.ts'
import { PACKAGE } from '../cli/run.ts'
import { pageOf, rowsOf } from './pages.ts'

const page = pageOf('docs/architecture.md')

test('docs/architecture.md says what every room of src/ is for, and names none that is not there', () => {
  const rooms = readdirSync(join(PACKAGE, 'src'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
  const places = rowsOf(page.text).flatMap(([place = '']) =>
    [...place.matchAll(/^`([a-z]+)\/`$/g)].map(([, name = '']) => name),
  )
  const named = places.filter((name) => name !== 'deploy')
  assert.deepEqual([...new Set(named)].sort(), rooms.sort())
})

test('docs/architecture.md names every export of the package', () => {
  const { exports, name } = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8'))
  for (const path of Object.keys(exports).filter((one) => !one.endsWith('.json')))
    assert.ok(page.text.includes(`\`${name}${path.slice(1)}\``), path)
})

test('files that docs/architecture.md names are there', () => {
  for (const [, path = ''] of page.text.matchAll(/`((?:[a-z-]+\/)+[a-z-]+\.ts)`/g)) {
    const places = path.startsWith('test/') ? [path] : [join('src', path)]
    assert.ok(
      places.some((place) => existsSync(join(PACKAGE, place))),
      path,
    )
  }
})

test('docs/images/architecture.svg shows the rooms and imports of src/', () => {
  const isCurrent = readFileSync(PICTURE, 'utf8') === architecturePicture()
  assert.ok(isCurrent, 'rooms, sub-folders or imports have changed: run `npm run picture` and commit the picture')
})

test('docs/architecture.md shows the picture of the rooms', () => {
  assert.match(page.text, /!\[[^\]]+\]\(images\/architecture\.svg\)/)
})
