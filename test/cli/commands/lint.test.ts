import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { PACKAGE, run, temporaryDirectory } from '../run.ts'

const directory = temporaryDirectory()
const example = (name: string): string => join(PACKAGE, 'test/protocols/speke/examples', name)
const REQUEST = example('v2.0-live-request.xml')
const ANSWER = example('v2.0-live-response.xml')

const written = (name: string, text: string): string => {
  const file = join(directory, name)
  writeFileSync(file, text)
  return file
}

test('lint prints nothing for a valid request and answer', async () => {
  const { code, stdout, stderr } = await run(['lint', REQUEST, ANSWER])
  assert.deepEqual({ code, stdout }, { code: 0, stdout: '' })
  assert.match(stderr, /a request and its answer of SPEKE 2\.0 as spec, \d+ rules: 0 errors, 0 warnings, 0 notes/)
})

test('lint prints what is wrong, where, why and how to fix it, and ends with 6', async () => {
  const file = written('broken.xml', '<cpix:CPIX xmlns:cpix="urn:dashif:org:cpix" version="2.3">\n</cpix:CPIX>')
  const { code, stdout } = await run(['lint', file])
  assert.equal(code, 6)
  assert.ok(stdout.includes('error: CPIX/@contentId is missing or empty [content-id-missing]'))
  assert.ok(stdout.includes(`where: ${file}:1:1 /cpix:CPIX`))
  assert.match(stdout, /why: +Key providers reject the request/)
  assert.match(stdout, /fix: +Set CPIX@contentId/)
})

test('lint prints annotations for GitHub Actions', async () => {
  const file = written('a,b.xml', '<a/>')
  const { code, stdout } = await run(['lint', file, '--annotations'])
  assert.equal(code, 6)
  assert.match(stdout, /^::error file=.*a%2Cb\.xml,line=1,col=1,title=unreadable::the root element is a, expected CPIX/)
})

test('lint prints JSON, checks what the encryptor requires, and fails from --fail-on', async () => {
  const args = ['lint', REQUEST, '-', '--json', '--as', 'mediapackage-v2']
  const reordered = readFileSync(ANSWER, 'utf8').replace('version="2.3"', 'id="a" version="2.3"')
  for (const [failOn, code] of [
    ['error', 0],
    ['warning', 7],
    ['note', 7],
    ['never', 0],
  ] as const) {
    const result = await run([...args, '--fail-on', failOn], { stdin: reordered })
    const report = JSON.parse(result.stdout)
    assert.equal(result.code, code, failOn)
    assert.deepEqual(
      report.findings.map(({ rule, severity }: { rule: string; severity: string }) => [rule, severity]),
      [['cpix-id-in-v2', 'warning']],
    )
    assert.equal(report.findings[0].where.xpath, '/cpix:CPIX/@id')
  }
})

test('lint never prints a key', async () => {
  const answer = readFileSync(ANSWER, 'utf8')
  const [, key = ''] = /PlainValue>([^<]+)</.exec(answer) ?? []
  const file = written('answer.xml', answer.replace(/explicitIV="[^"]+"/, `explicitIV="${key}"`))
  for (const format of [[], ['--json'], ['--annotations']]) {
    const { code, stdout, stderr } = await run(['lint', file, ...format])
    assert.equal(code, 6)
    assert.match(stdout, /iv-equals-key/)
    assert.ok(!stdout.includes(key) && !stderr.includes(key))
  }
})

test('lint rejects options that exclude each other', async () => {
  for (const args of [
    ['--json', '--annotations'],
    ['--private-key', REQUEST],
  ]) {
    assert.equal((await run(['lint', REQUEST, ...args])).code, 2)
  }
  assert.equal((await run(['lint', REQUEST, ANSWER, '--kind', 'answer'])).code, 2)
  assert.equal((await run(['lint', join(directory, 'none.xml')])).code, 1)
})
