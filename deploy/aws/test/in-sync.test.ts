import assert from 'node:assert/strict'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { STACKS, synthesize } from '../synthesize.ts'
import { scratch, TEMPLATES, templateOf } from './templates.ts'

describe('the templates that are kept', () => {
  const directory = scratch()
  after(() => rmSync(directory, { recursive: true, force: true }))
  // The CDK's own checks of CloudFormation are errors here: one that is not accepted throws.
  const made = synthesize(directory)

  for (const [name, text] of Object.entries(made)) {
    test(`${name}.json is what the code makes: node deploy/aws/app.ts writes it anew`, () => {
      assert.equal(readFileSync(join(TEMPLATES, `${name}.json`), 'utf8'), text)
    })

    test(`${name}.json is plain CloudFormation, for any account, without the tools of the CDK`, () => {
      assert.doesNotMatch(text, /BootstrapVersion|aws:cdk|CDKMetadata|cdk-hnb|AssetParameters/)
      assert.doesNotMatch(text, /\b\d{12}\b(?!:user\/bitmovinCustomerSpekeAccess)/)
    })

    test(`${name}.json is within what CloudFormation takes`, () => {
      const template = templateOf(name as keyof typeof STACKS)
      assert.ok(Buffer.byteLength(text) < 1_000_000, 'a template may have 1 MB, from a bucket')
      assert.ok(Object.keys(template.Resources).length <= 500)
      assert.ok(Object.keys(template.Parameters ?? {}).length <= 200)
      assert.ok(Object.keys(template.Outputs ?? {}).length <= 200)
      for (const { Description = '' } of Object.values(template.Parameters ?? {})) {
        assert.ok(Description.length > 0 && Description.length <= 4_000)
      }
    })
  }

  test('are all there, and no others', () => {
    assert.deepEqual(
      readdirSync(TEMPLATES).sort(),
      Object.keys(STACKS)
        .map((name) => `${name}.json`)
        .sort(),
    )
  })
})
