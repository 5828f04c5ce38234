import { createHash } from 'node:crypto'
import { STATUS } from '../errors.ts'
import { type OpenApiDocument, type OpenApiOperation, refusalsOf } from './document.ts'
import type { Operation } from './operation.ts'
import { OPERATIONS } from './operations/operations.ts'
import { titleOf } from './problem.ts'

const STYLE = `
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.6rem; } h2 { margin-top: 2.5rem; text-transform: capitalize; } h3 { margin-bottom: 0.25rem; }
section { border-top: 1px solid var(--line); padding-top: 0.5rem; }
code, pre { font: 0.875rem/1.5 ui-monospace, monospace; }
pre { background: var(--soft); padding: 0.75rem; overflow: auto; border-radius: 0.25rem; }
.method { font-weight: 700; margin-right: 0.5rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 0.25rem 0.75rem 0.25rem 0; border-bottom: 1px solid var(--line); }
`

/** The headers of a page that runs no script and loads nothing. */
export const DOCS_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  'referrer-policy': 'no-referrer',
}

/** The description of the API as one HTML page. */
export function docsPage({ info, paths }: OpenApiDocument): string {
  const byTag = Map.groupBy(OPERATIONS, ({ tag }) => tag)
  const parts = Array.from(byTag, ([tag, operations]) => [
    `<h2>${escaped(tag)}</h2>`,
    ...operations.map((operation) => sectionOf(operation, paths[operation.path]?.[operation.method])),
  ])
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escaped(info.title)}</title><style>${STYLE}</style></head><body>`,
    `<h1>${escaped(info.title)} ${escaped(info.version)}</h1>`,
    `<p>${marked(info.description)} <a href="/openapi.json">openapi.json</a></p>`,
    contentsOf(byTag),
    ...parts.flat(),
    codes(),
    '</body></html>',
    '',
  ].join('\n')
}

function contentsOf(byTag: ReadonlyMap<string, readonly Operation[]>): string {
  const lists = Array.from(byTag, ([tag, operations]) => {
    const items = operations.map(({ id, summary }) => `<li><a href="#${id}">${escaped(summary)}</a></li>`)
    return `<li>${escaped(tag)}<ul>${items.join('')}</ul></li>`
  })
  return `<nav><ul>${lists.join('')}<li><a href="#codes">codes</a></li></ul></nav>`
}

function sectionOf(operation: Operation, described: OpenApiOperation | undefined): string {
  const { parameters = [], requestBody } = described ?? {}
  const { id, method, path, summary, description, scope } = operation
  const answers = operation.rawAnswers ?? [{ mediaType: 'application/json', example: operation.example }]
  const bodies = Object.entries(requestBody?.content ?? {}).map(
    ([mediaType, body]) => `<p>Body, <code>${mediaType}</code>:</p>${exampleOf(body.example)}`,
  )
  const refusals = refusalsOf(operation).map((code) => `<a href="#${code}">${STATUS[code]} ${titleOf(code)}</a>`)
  return [
    `<section id="${id}"><h3>${escaped(summary)}</h3>`,
    `<p><code><span class="method">${method.toUpperCase()}</span>${escaped(path)}</code></p>`,
    `<p>${marked(description)} Scope: <code>${scope}</code>.</p>`,
    parametersOf(parameters),
    ...bodies,
    ...answers.map(({ mediaType, example }) => `<p>Answer, <code>${mediaType}</code>:</p>${exampleOf(example)}`),
    `<p>Errors: ${refusals.join(', ')}.</p></section>`,
  ].join('\n')
}

function parametersOf(parameters: NonNullable<OpenApiOperation['parameters']>): string {
  if (parameters.length === 0) return ''
  const rows = parameters.map(({ name, in: place, required, description }) => {
    const text = marked(description ?? '')
    return `<tr><td><code>${escaped(name)}</code></td><td>${place}${required ? ', required' : ''}</td><td>${text}</td></tr>`
  })
  return `<table><tr><th>parameter</th><th>in</th><th></th></tr>${rows.join('')}</table>`
}

function codes(): string {
  const all = [...new Set(OPERATIONS.flatMap(refusalsOf))].sort()
  const rows = all.map(
    (code) => `<tr id="${code}"><td><code>${code}</code></td><td>${STATUS[code]}</td><td>${titleOf(code)}</td></tr>`,
  )
  return `<h2 id="codes">Codes</h2><table><tr><th>code</th><th>status</th><th></th></tr>${rows.join('')}</table>`
}

function exampleOf(example: unknown): string {
  const text = typeof example === 'string' ? example : JSON.stringify(example, undefined, 2)
  return `<pre>${escaped(text)}</pre>`
}

/** Escaped text, with code in place of backticks. */
function marked(text: string): string {
  return escaped(text).replaceAll(/`([^`]+)`/g, '<code>$1</code>')
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}

/** The page for a browser that sent no valid credential: how to send one. */
export function loginHintPage(status: number, detail: string): string {
  return [
    '<!doctype html>',
    `<html lang="en"><head><meta charset="utf-8"><title>Keyspring: ${status}</title><style>${STYLE}</style></head><body>`,
    '<h1>Log in to read the description of the API</h1>',
    `<p>${escaped(detail)}.</p>`,
    '<p>A browser can log in with a user name and password (Basic over TLS, or Digest) or with a client certificate. Add such a credential on the server:</p>',
    '<pre>keyspring client add --name me --scope keys:read --method digest --id me</pre>',
    '<p>With a token, use a program:</p>',
    `<pre>curl -H "Authorization: Bearer $TOKEN" $SERVER/api/docs -o api.html</pre>`,
    '</body></html>',
    '',
  ].join('\n')
}
