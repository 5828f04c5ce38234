import assert from 'node:assert/strict'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { Validations } from 'aws-cdk-lib'
import { AwsSolutionsChecks } from 'cdk-nag'
import { ACCEPTED_BY_CDK, ACCEPTED_BY_NAG } from '../accepted.ts'
import { synthesize } from '../synthesize.ts'
import { compareFindings, findingsOf, type ValidationReport } from './findings.ts'
import { scratch } from './templates.ts'

describe('the checks of the CDK', () => {
  const directory = scratch()
  after(() => rmSync(directory, { recursive: true, force: true }))
  // Findings of cdk-nag stop the synthesis after its report is written.
  assert.throws(() => synthesize(directory, (app) => Validations.of(app).addPlugins(new AwsSolutionsChecks(app))))
  const report: ValidationReport = JSON.parse(readFileSync(join(directory, 'validation-report.json'), 'utf8'))

  test('CloudFormation itself would take the templates, but for what is accepted with a reason', () => {
    compareFindings(findingsOf(report, 'CloudFormation Validate'), ACCEPTED_BY_CDK)
  })

  test('cdk-nag finds nothing but what is accepted with a reason', () => {
    compareFindings(findingsOf(report, 'AwsSolutions'), ACCEPTED_BY_NAG)
  })
})
