import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, describe, test } from 'node:test'
import { PACKAGE, type Run, type Running, startProcess, temporaryDirectory } from '../cli/run.ts'
import { blocksOf, pageOf } from './pages.ts'

/** A guide whose commands are run unchanged, one block after the other, in its own directory. */
interface Followed {
  readonly guide: string
  /** Whether a server runs meanwhile. */
  readonly serves?: boolean
  /** Contents that an encryptor requested before, with the first of their two kids. */
  readonly asked?: readonly { readonly contentId: string; readonly kid: string }[]
  /** Files that the guide assumes. */
  readonly files?: Readonly<Record<string, string>>
  /** A command that creates such a file: a certificate must be valid now. */
  readonly before?: string
}

const SAMPLE = readFileSync(join(PACKAGE, 'docs/examples/widevine-playready-cenc.xml'), 'utf8')
const FIRST_KID = '3f1c9a52-6b0e-4d87-9c34-1e5a70b2d801'
const LIVE_KID = '71d0c4be-2f35-4a1b-8e69-c0a4b7d3e101'
const CSV =
  blocksOf(pageOf('docs/guides/import-and-export-keys.md')).find(({ language }) => language === 'csv')?.text ?? ''
const FILM = `<CPIX contentId="from-partner" xmlns="urn:dashif:org:cpix" xmlns:pskc="urn:ietf:params:xml:ns:keyprov:pskc">
<ContentKeyList><ContentKey kid="${FIRST_KID}"><Data><pskc:Secret><pskc:PlainValue>AAECAwQFBgcICQoLDA0ODw==</pskc:PlainValue>
</pskc:Secret></Data></ContentKey></ContentKeyList></CPIX>`

const FOLLOWED: readonly Followed[] = [
  {
    guide: 'import-and-export-keys',
    files: { 'keys.csv': CSV, 'film.xml': FILM },
    before:
      "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj '/CN=partner' -keyout partner.key -out partner.crt",
  },
  { guide: 'override-a-key', files: { 'key.hex': '000102030405060708090a0b0c0d0e0f\n' } },
  { guide: 'cpix-transfer', serves: true },
  { guide: 'expire-and-rotate-keys', serves: true, asked: [{ contentId: 'live-7', kid: LIVE_KID }] },
  { guide: 'audit', asked: [{ contentId: 'sample-film', kid: FIRST_KID }] },
  { guide: 'operate' },
  {
    guide: 'back-up-and-restore',
    asked: [{ contentId: 'sample-film', kid: FIRST_KID }],
    files: { 'passphrase.txt': 'a passphrase of this test\n', 'media/safe/README': '' },
  },
  {
    guide: 'encrypt-keys-for-a-recipient',
    serves: true,
    files: { 'docs/examples/widevine-playready-cenc.xml': SAMPLE },
  },
]

const directory = temporaryDirectory()
const programs = join(directory, 'programs')
const running: Running[] = []
after(() => {
  for (const one of running) one.signal('SIGKILL')
})

/** `keyspring` and `npx` as a reader has them, and a curl that fails on an error status. */
function installPrograms(): void {
  mkdirSync(programs, { recursive: true })
  const bin = `exec '${process.execPath}' '${join(PACKAGE, 'bin/keyspring.js')}'`
  for (const [name, body] of [
    ['keyspring', `${bin} "$@"`],
    ['npx', 'shift\nexec keyspring "$@"'],
    ['curl', `PATH='${process.env.PATH}' exec curl --fail-with-body "$@"`],
  ] as const) {
    writeFileSync(join(programs, name), `#!/bin/sh\n${body}\n`)
    chmodSync(join(programs, name), 0o755)
  }
}

/** Runs lines in a shell and stops at the first failure. */
function shell(lines: string, cwd: string): Promise<Run> {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('KEYSPRING_'))
  const env = {
    ...Object.fromEntries(inherited),
    PATH: `${programs}:${process.env.PATH}`,
    KEYSPRING_DATA: join(cwd, 'data'),
    KEYSPRING_PORT: '0',
  }
  return new Promise((resolve) => {
    execFile('bash', ['--norc', '-euo', 'pipefail', '-c', lines], { cwd, env }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : 1, stdout, stderr }),
    )
  })
}

async function serve(cwd: string): Promise<{ readonly server: Running; readonly url: string }> {
  const args = ['serve', '--port', '0', '--data', join(cwd, 'data'), '--config', join(cwd, 'keyspring.yaml')]
  const server = startProcess(args)
  running.push(server)
  return { server, url: (await server.stderr(/listens on (http:\S+?),/))[1] ?? '' }
}

async function ask(url: string, { contentId, kid }: { readonly contentId: string; readonly kid: string }) {
  const response = await fetch(`${url}/copyProtection`, {
    method: 'POST',
    headers: { 'content-type': 'application/xml', 'x-speke-version': '2.0' },
    body: SAMPLE.replace('sample-film', contentId).replaceAll(FIRST_KID, kid),
  })
  assert.equal(response.status, 200, await response.text())
}

installPrograms()

describe('guides', { concurrency: 2 }, () => {
  for (const { guide, serves = false, asked = [], files = {}, before } of FOLLOWED) {
    test(`docs/guides/${guide}.md can be followed command by command`, async () => {
      const cwd = join(directory, guide)
      mkdirSync(cwd)
      const blocks = blocksOf(pageOf(`docs/guides/${guide}.md`))
      const yaml = blocks.find(({ language, text }) => language === 'yaml' && text.startsWith('# keyspring.yaml\n'))
      writeFileSync(join(cwd, 'keyspring.yaml'), yaml?.text ?? '# nothing is set\n')
      for (const [name, text] of Object.entries(files)) {
        mkdirSync(dirname(join(cwd, name)), { recursive: true })
        writeFileSync(join(cwd, name), text)
      }
      if (before !== undefined) assert.equal((await shell(before, cwd)).code, 0)

      const { server, url } = await serve(cwd)
      for (const one of asked) await ask(url, one)
      // The ledger has issued keys within a second, and at once when a server stops.
      const { url: here } = serves && asked.length === 0 ? { url } : await restart(server, cwd, serves)
      // This test starts its own servers, and has no medium to mount.
      const commands = blocks
        .filter(({ language }) => language === 'sh')
        .map(({ text }) => text.replace(/^npx keyspring serve .*\n/m, '').replaceAll(' /media/', ' media/'))
      assert.ok(commands.length > 0)
      for (const lines of commands) {
        const { code, stdout, stderr } = await shell(lines.replaceAll('http://127.0.0.1:8080', here), cwd)
        assert.equal(code, 0, `${lines}\n${stdout}\n${stderr}`)
      }
    })
  }
})

/** Stops a server, and starts another on its keys if `serves`. */
async function restart(server: Running, cwd: string, serves: boolean): Promise<{ readonly url: string }> {
  server.signal('SIGTERM')
  assert.equal((await server.done).code, 0)
  return serves ? serve(cwd) : { url: '' }
}
