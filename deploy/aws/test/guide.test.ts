import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { readConfig } from '../../../src/server/config/config.ts'
import { blocksOf, pageOf, rowsOf, sectionOf } from '../../../test/docs/pages.ts'
import { EVERYTHING, NODES } from './answers.ts'
import { ACCOUNT, deploy } from './resolve.ts'
import { templateOf } from './templates.ts'

const guide = pageOf('docs/guides/deploy-on-aws.md')
const [serverless, gateway] = [templateOf('keyspring-serverless'), templateOf('keyspring-gateway')]

/** Names of the guide that are written as code, and look like those of templates. */
const NAMED = new Set([...guide.text.matchAll(/`([A-Z][A-Za-z]+)(?:=[^`]*)?`/g)].map(([, name = '']) => name))

describe('the guide', () => {
  test('names only parameters, resources and outputs that there are', () => {
    const known = new Set(
      [serverless, gateway].flatMap(({ Parameters = {}, Resources, Outputs = {} }) => [
        ...Object.keys(Parameters),
        ...Object.keys(Resources),
        ...Object.keys(Outputs),
        ...Object.keys(Resources).map((id) => id.replace(/^Alarm/, '')),
      ]),
    )
    // Words of AWS and HTTP.
    const others = [
      'Retain',
      'Authorization',
      'Count',
      'GET',
      'POST',
      'OPTIONS',
      'Policy',
      'Signature',
      'PowerUserAccess',
    ]
    const unknown = [...NAMED].filter((name) => !known.has(name) && !others.includes(name))
    assert.deepEqual(unknown, [])
    assert.ok(NAMED.size > 25)
  })

  test('names every output', () => {
    const outputs = [...deploy(serverless, EVERYTHING).outputs.keys(), ...deploy(gateway, NODES).outputs.keys()]
    const unsaid = new Set(outputs.filter((name) => !guide.text.includes(name)))
    assert.deepEqual(
      [...unsaid],
      ['AlarmTopicArn', 'PlayerURL'].filter((name) => unsaid.has(name)),
    )
  })

  test('shows a configuration that the functions take', () => {
    const block = blocksOf(guide).find(({ text }) => text.startsWith('# the file of the functions'))
    assert.ok(block)
    const environment = {
      KEYSPRING_CONFIG_YAML: block.text,
      KEYSPRING_STORE: 'dynamodb',
      KEYSPRING_DYNAMODB_TABLE: 'keys',
      KEYSPRING_ROOT_KEY_KIND: 'aws-kms',
      KEYSPRING_ROOT_KEY_AWS_KMS_KEY_ID: 'alias/keys',
      KEYSPRING_PLAYBACK_ACCESS: 'open',
      KEYSPRING_AUTH_GATEWAY_CALLERS: ACCOUNT,
      KEYSPRING_AUTH_GATEWAY_SECRET_SHA256: 'ab'.repeat(32),
    }
    const { clients } = readConfig({ environment, runsAs: 'function' })
    assert.deepEqual(clients.map(({ tenant }) => tenant).sort(), ['default', 'studio-a'])
  })

  test('adds up what it costs', () => {
    const rows = rowsOf(sectionOf(guide, 'What it costs'))
    const amounts = rows.map((cells) => cells.at(-1)?.replaceAll('*', '') ?? '')
    const total = Number(amounts.at(-1))
    const sum = amounts.slice(0, -1).reduce((all, one) => all + Number(one), 0)
    assert.equal(sum.toFixed(2), total.toFixed(2))
    for (const [what = '', much = '', price = '', amount = ''] of rows.slice(0, -1)) {
      const quantity = MILLIONS.exec(much)
      const perMillion = /^([\d.]+) per million$/.exec(price)
      if (quantity === null || perMillion === null) continue
      const units = Number(quantity[1]) * Number(quantity[2] ?? 1)
      assert.equal((units * Number(perMillion[1])).toFixed(2), amount, what)
    }
  })

  test('upgrades by a format that there is', () => {
    const upgrade = readFileSync(
      new URL('../../../docs/guides/upgrade-from-the-reference-server.md', import.meta.url),
      'utf8',
    )
    assert.match(upgrade, /keys import secrets\.csv --format reference-server/)
  })
})

const MILLIONS = /^([\d.]+) M(?: × (\d+) units)?/
