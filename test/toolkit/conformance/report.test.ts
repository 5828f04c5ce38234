import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { guidBytes, kidOfBytes } from '../../../src/formats/cenc.ts'
import { encodePssh } from '../../../src/formats/drm/payloads/pssh.ts'
import { decodeWidevinePsshData, encodeWidevinePsshData } from '../../../src/formats/drm/payloads/widevine-pssh-data.ts'
import { causesOf, outcomesOf } from '../../../src/toolkit/conformance/causes.ts'
import type { CheckResult } from '../../../src/toolkit/conformance/check.ts'
import { pickChecks } from '../../../src/toolkit/conformance/checks.ts'
import { htmlReport } from '../../../src/toolkit/conformance/html.ts'
import { junitReport } from '../../../src/toolkit/conformance/junit.ts'
import { type ConformanceReport, jsonReport, totals } from '../../../src/toolkit/conformance/report.ts'
import { changeBoxes } from '../rules/editing.ts'
import { type Damage, startProvider } from './provider.ts'
import { verifying } from './verifying.ts'

const WIDEVINE = 'edef8ba9-79d6-4ace-a3c8-27dcd51d21ed'

async function verified(damage: Damage, only: readonly string[]): Promise<readonly CheckResult[]> {
  const provider = await startProvider(damage)
  try {
    return await verifying(provider.url, { only })
  } finally {
    provider.close()
  }
}

const reportOf = (results: readonly CheckResult[]): ConformanceReport => ({
  url: 'https://keys.example.com/copyProtection',
  as: 'spec',
  startedAt: '2026-01-01T00:00:00Z',
  seconds: 1,
  version: '0',
  results,
  showKeys: false,
})

/** Writes every Widevine kid in the byte order of PlayReady. */
const swapped: Damage = (reply) =>
  reply.status === 200
    ? {
        ...reply,
        body: Buffer.from(
          changeBoxes(Buffer.from(reply.body).toString(), WIDEVINE, (box) => {
            const message = decodeWidevinePsshData(box.data)
            const keyIds = message.keyIds.map((kid) => kidOfBytes(guidBytes(kid)))
            return encodePssh({ ...box, data: encodeWidevinePsshData({ ...message, keyIds }) })
          }),
        ),
      }
    : reply

describe('a wrong byte order in every answer', () => {
  test('fails one check and affects the others', async () => {
    const results = await verified(swapped, ['v2.0-vod', 'systems/2.0'])
    const outcomes = [...outcomesOf(results).values()]
    const [cause] = causesOf(results)
    assert.equal(cause?.rule, 'widevine-kid')
    assert.equal(cause?.harm, 'playback fails')
    assert.ok((cause?.failed.length ?? 0) > 20)
    assert.equal(outcomes.filter((outcome) => outcome === 'error').length, 1)
    assert.equal(outcomes.filter((outcome) => outcome === 'affected').length, (cause?.failed.length ?? 0) - 1)
    const junit = junitReport(reportOf(results))
    assert.equal(junit.match(/<failure /g)?.length, 1)
    const json = JSON.parse(jsonReport(reportOf(results)))
    assert.equal(json.causes.length, causesOf(results).length)
    assert.equal(json.causes[0].checks.length, cause?.failed.length)
    assert.equal(totals(results).withErrors, 1)
  })
})

describe('a feature that the key provider does not offer', () => {
  const without =
    (isUsed: (body: string, version: string | undefined) => boolean): Damage =>
    (reply, { body, version }) =>
      isUsed(body, version) ? { ...reply, status: 422, body: Buffer.from('not supported') } : reply

  for (const [feature, isUsed, only] of [
    ['content key encryption', (body: string) => body.includes('DeliveryData'), ['encryption', 'http']],
    ['SPEKE 2.1', (_: string, version: string | undefined) => version === '2.1', ['v2.1', 'errors', 'http']],
    ['FairPlay', (body: string) => body.includes('94ce86fb'), ['systems/2.0', 'v1']],
    ['the scheme cbcs', (body: string) => body.includes('"cbcs"'), ['systems/2.0', 'iv/2.0', 'determinism/2.0/again']],
  ] as const) {
    test(`${feature} is one warning`, async () => {
      const results = await verified(without(isUsed), only)
      const findings = results.flatMap((result) => result.findings)
      assert.deepEqual(
        findings.map(({ rule, severity }) => [rule, severity]),
        [['feature-not-offered', 'warning']],
      )
      assert.ok(findings[0]?.what.startsWith(`not offered: ${feature} (`), findings[0]?.what)
    })
  }

  test('a key provider that rejects everything gets an error in every check', async () => {
    const results = await verified(
      without(() => true),
      ['http/2.0'],
    )
    assert.ok(results.every(({ worst }) => worst === 'error'))
  })

  test('a failure with status 500 is no missing feature', async () => {
    const results = await verified(
      (reply, { body }) => (body.includes('DeliveryData') ? { ...reply, status: 500 } : reply),
      ['encryption/2.0'],
    )
    assert.ok(results.some(({ findings }) => findings.some(({ rule }) => rule === 'right-request-refused')))
  })
})

test('an unusual document may get keys or any answer with status 200', async () => {
  const results = await verified(
    (reply, { body }) =>
      reply.status === 200
        ? reply
        : {
            ...reply,
            status: 200,
            headers: { ...reply.headers, 'content-type': 'application/xml' },
            body: Buffer.from(body),
          },
    ['robustness/attack/deep', 'robustness/attack/many-*', 'robustness/attack/long-*'],
  )
  const found = results.flatMap(({ check, findings }) => findings.map(({ rule }) => `${check.name} ${rule}`))
  assert.deepEqual(
    found.filter((one) => one.includes('error-with-status-200') && !one.includes('many-recipients')),
    [],
  )
})

test('findings with more harm come first', async () => {
  const results = await verified(
    (reply) => {
      const { 'x-speke-user-agent': _, ...headers } = reply.headers
      return {
        ...reply,
        headers: { ...headers, 'cache-control': 'public, max-age=60' },
        body: Buffer.from(
          Buffer.from(reply.body)
            .toString()
            .replaceAll(/PlainValue>[^<]+/g, 'PlainValue>AAAAAAAAAAAAAAAAAAAAAA=='),
        ),
      }
    },
    ['systems/2.0/widevine+playready/cenc', 'v2.0-vod/video-2+audio-1'],
  )
  assert.deepEqual(
    causesOf(results)
      .map(({ severity, harm }) => [severity, harm])
      .slice(0, 2),
    [
      ['error', 'keys at risk'],
      ['error', 'keys at risk'],
    ],
  )
  const warnings = causesOf(results).filter(({ severity }) => severity === 'warning')
  assert.deepEqual(
    warnings.map(({ rule }) => rule),
    ['cacheable-keys', 'user-agent-header'],
  )
})

test('the HTML report is smaller than 1 MB, whatever the answers', async () => {
  const [result] = await verified(swapped, ['systems/2.0/widevine/cenc'])
  const large = Buffer.from(`<a>${'"&<'.repeat(100_000)}</a>`)
  const results = Array.from({ length: 600 }, (_, i): CheckResult => {
    const one = result ?? assert.fail()
    const exchanges = one.exchanges.map((exchange) => ({
      ...exchange,
      ...(exchange.reply !== undefined && { reply: { ...exchange.reply, body: large } }),
    }))
    const findings = Array.from({ length: 40 }, () => one.findings[0] ?? assert.fail())
    return { ...one, check: { ...one.check, name: `${one.check.name}/${i}` }, exchanges, findings, rules: [] }
  }).map((one, i) => ({ ...one, findings: one.findings.map((finding) => ({ ...finding, rule: `rule-${i % 130}` })) }))
  const html = htmlReport(reportOf(results))
  assert.ok(Buffer.byteLength(html) < 1_000_000, `${Buffer.byteLength(html)} bytes`)
})

test('--only and --skip select checks by group, start or pattern', () => {
  const checks = ['a/1/x', 'a/2/x', 'b/1', 'b/10'].map(
    (name) => ({ name, group: 'http', title: '', steps: [] }) as const,
  )
  const names = (picked: Parameters<typeof pickChecks>[1]): readonly string[] =>
    pickChecks(checks, picked).map(({ name }) => name)
  assert.deepEqual(names({}), ['a/1/x', 'a/2/x', 'b/1', 'b/10'])
  assert.deepEqual(names({ skip: ['a'] }), ['b/1', 'b/10'])
  assert.deepEqual(names({ only: ['a', 'b/1'], skip: ['*/2/*'] }), ['a/1/x', 'b/1'])
  assert.deepEqual(names({ only: ['a'], skip: ['a'] }), [])
})
