import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { ACCEPTED_BY_GUARD } from '../accepted.ts'
import { STACKS } from '../synthesize.ts'
import { compareFindings } from './findings.ts'
import { guard } from './guard.ts'
import { scratch, TEMPLATES } from './templates.ts'

describe('the rules of Control Tower', () => {
  const reports = Object.keys(STACKS).map((name) => ({ name, ...guard(join(TEMPLATES, `${name}.json`)) }))

  test('find nothing but what is accepted with a reason', () => {
    compareFindings(
      reports.flatMap(({ name, failed }) => failed.map((rule) => ({ rule, at: name }))),
      ACCEPTED_BY_GUARD,
    )
  })

  test('find a table without recovery and without protection: they are really asked', () => {
    const file = join(scratch(), 'bad.json')
    const table = {
      Type: 'AWS::DynamoDB::Table',
      Properties: { KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }] },
    }
    writeFileSync(file, JSON.stringify({ Resources: { Table: table } }))
    const { failed } = guard(file)
    const passed = reports.find(({ name }) => name === 'keyspring-serverless')?.passed ?? []
    assert.ok(failed.length >= 2, failed.join())
    for (const rule of failed) assert.ok(passed.includes(rule), `${rule} is not passed by the table of ours`)
  })
})
