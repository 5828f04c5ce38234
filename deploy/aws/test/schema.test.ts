import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { countTypes, membersBelow, schemaProblems } from './schema.ts'
import { EVERY_TEMPLATE } from './templates.ts'

describe('the schema of CloudFormation', () => {
  for (const [name, template] of EVERY_TEMPLATE) {
    test(`knows every type and property of ${name}, and misses none`, async () => {
      assert.deepEqual(await schemaProblems(template), [])
    })
  }

  test('has been asked: it knows types by the hundred, and says what is wrong', async () => {
    assert.ok((await countTypes()) > 1_000)
    const Resources = {
      A: { Type: 'AWS::MediaPackage3::Endpoint' },
      B: { Type: 'AWS::DynamoDB::Table', Properties: { Colour: 'red' } },
      C: {
        Type: 'AWS::DynamoDB::Table',
        Properties: {
          KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
          SSESpecification: { 'Fn::If': ['Yes', { Enabled: true }, []] },
        },
      },
    }
    assert.deepEqual(await schemaProblems({ Resources }), [
      'A: no resource type AWS::MediaPackage3::Endpoint',
      'B: no property Colour',
      'B: KeySchema is missing',
      'C.SSESpecification: no property Enabled',
      'C.SSESpecification: SSEEnabled is missing',
      'C.SSESpecification: expected an object',
    ])
  })

  test('has no member for the SPEKE version of a MediaPackage v2 endpoint: the example takes it when it comes', async () => {
    const members = await membersBelow('AWS::MediaPackageV2::OriginEndpoint')
    assert.ok(members.includes('EncryptionContractConfiguration'))
    assert.deepEqual(
      members.filter((name) => /version|period.?timing/i.test(name)),
      [],
    )
  })
})
