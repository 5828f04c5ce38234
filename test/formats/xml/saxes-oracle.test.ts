import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SaxesParser, type SaxesTagNS } from 'saxes'
import { XML_NAMESPACE, XMLNS_NAMESPACE, type XmlDocument, type XmlElement } from '../../../src/formats/xml/document.ts'
import { XmlError } from '../../../src/formats/xml/error.ts'
import { readXml, textOf } from '../../../src/formats/xml/reader.ts'
import { anyDocument, mutated, type Random, random, withFlippedBit } from './generator.ts'
import { bytesOf } from './sample.ts'

/** A document as both parsers must see it. */
interface Tree {
  readonly name: string
  readonly local: string
  readonly namespace: string
  readonly attributes: readonly (readonly [name: string, namespace: string, value: string])[]
  readonly text: string
  readonly children: readonly Tree[]
}

type Verdict = { readonly tree: Tree } | { readonly refusal: string }

/** A way in which Keyspring and saxes are meant to differ. It must be shown by the source and by what both made of it. */
interface Difference {
  readonly why: string
  explains(source: string, ours: Verdict, theirs: Verdict): boolean
}

const XML_PREFIX = `the prefix "xml" must be bound to ${XML_NAMESPACE}`

// Every one must explain some document of the corpus, so none outlives its reason.
const DIFFERENCES: readonly Difference[] = [
  {
    why: 'a DOCTYPE is refused: a key provider needs none, and it is where entity bombs come from',
    explains: (source, ours) => refuses(ours, 'a DOCTYPE is not allowed') && source.includes('<!DOCTYPE'),
  },
  {
    why: 'processing instructions are refused',
    explains: (source, ours) => refuses(ours, 'a processing instruction is not allowed') && source.includes('<?'),
  },
  {
    why: 'only XML 1.0 is read; saxes knows 1.1 and takes any 1.x for it',
    explains: (source, ours) =>
      refuses(ours, 'the XML version must be 1.0') &&
      /^\ufeff?<\?xml\s+version\s*=\s*["']1\.(?!0["'])[0-9]+["']/.test(source),
  },
  {
    why: 'only UTF-8 and its subset US-ASCII are read; saxes is given text and believes any encoding',
    explains: (source, ours) =>
      refuses(ours, 'the XML declaration names another encoding than that of the document; send it in UTF-8') &&
      /^\ufeff?<\?xml[^>]*\sencoding/.test(source),
  },
  {
    // Namespaces in XML 1.0, productions 4 and 11.
    why: 'a local name cannot begin with a digit, "-" or "."; saxes looks at the first character of the whole name only',
    explains: (source, ours) =>
      refuses(ours, 'a local name was expected after the colon') &&
      /:(?:[-.0-9\u00b7\u203f\u2040]|[\u0300-\u036f])/.test(source),
  },
  {
    // Namespaces in XML 1.0, 2.3.
    why: 'a namespace name is compared as the string it is; saxes trims it, and refuses one that is then empty',
    explains: (_source, ours, theirs) => {
      if ('refusal' in ours) return 'tree' in theirs && isPadded(theirs.tree) && refuses(ours, XML_PREFIX)
      if (!isPadded(ours.tree)) return false
      if ('tree' in theirs) return JSON.stringify(trimmed(ours.tree)) === JSON.stringify(theirs.tree)
      return /duplicate attribute|undefine prefix|may not|must be bound/.test(theirs.refusal)
    },
  },
]

// Of saxes, and of the decoder before it.
const REFUSAL = /^\d+:\d+: |not valid for encoding utf-8/

const DOCUMENTS = 8_000
const MUTANTS_OF_EACH = 4

test(`gives the verdict and the tree of saxes for ${DOCUMENTS * (MUTANTS_OF_EACH + 1)} documents`, () => {
  const next: Random = random(0x5eed)
  const explained = new Set<string>()
  const counts = { read: 0, refused: 0 }
  for (let i = 0; i < DOCUMENTS; i++) {
    const document = anyDocument(next)
    const sources = [document]
    for (let j = 0; j < MUTANTS_OF_EACH; j++) sources.push(mutated(next, sources[next(sources.length)] ?? document))
    for (const text of sources) {
      const bytes = next(10) === 0 ? withFlippedBit(next, bytesOf(text)) : bytesOf(text)
      const source = new TextDecoder().decode(bytes)
      const ours = verdictOf(() => treeOfDocument(readXml(bytes)))
      const theirs = verdictOf(() => treeOfSaxes(bytes))
      counts['tree' in ours ? 'read' : 'refused']++
      if (isSame(ours, theirs)) continue
      const rule = DIFFERENCES.find(({ explains }) => explains(source, ours, theirs))
      if (rule === undefined) assert.deepEqual({ source, ...ours }, { source, ...theirs })
      else explained.add(rule.why)
    }
  }
  for (const { why } of DIFFERENCES) assert.ok(explained.has(why), `no document shows that ${why}`)
  // Both sides of the line are well covered, or the corpus proves little.
  assert.ok(counts.read > DOCUMENTS && counts.refused > DOCUMENTS, JSON.stringify(counts))
})

function refuses(verdict: Verdict, problem: string): boolean {
  return 'refusal' in verdict && verdict.refusal.endsWith(`: ${problem}`)
}

/** Whether a namespace is declared with white space around its name. */
function isPadded({ attributes, children }: Tree): boolean {
  const isDeclared = ([, namespace, value]: Tree['attributes'][number]): boolean =>
    namespace === XMLNS_NAMESPACE && value !== value.trim()
  return attributes.some(isDeclared) || children.some(isPadded)
}

function trimmed(tree: Tree): Tree {
  return {
    ...tree,
    namespace: tree.namespace.trim(),
    attributes: tree.attributes.map(([name, namespace, value]) => [name, namespace.trim(), value] as const),
    children: tree.children.map(trimmed),
  }
}

function isSame(ours: Verdict, theirs: Verdict): boolean {
  if (!('tree' in ours) || !('tree' in theirs)) return 'tree' in ours === 'tree' in theirs
  return JSON.stringify(ours.tree) === JSON.stringify(theirs.tree)
}

function verdictOf(read: () => Tree): Verdict {
  try {
    return { tree: read() }
  } catch (error) {
    // Anything else than a refusal is a bug of the reader; saxes and the decoder throw plain errors.
    const isRefusal = error instanceof XmlError || (error instanceof Error && REFUSAL.test(error.message))
    assert.ok(isRefusal, String(error))
    return { refusal: error.message }
  }
}

function treeOfDocument(document: XmlDocument): Tree {
  const treeOf = (element: XmlElement): Tree => ({
    name: element.name,
    local: element.local,
    namespace: element.namespace,
    attributes: element.attributes.map(({ name, namespace, value }) => [name, namespace, value] as const),
    text: textOf(document, element),
    children: element.children.map(treeOf),
  })
  return treeOf(document.root)
}

function treeOfSaxes(bytes: Uint8Array): Tree {
  const parser = new SaxesParser({ xmlns: true, position: true })
  const top: { children: Tree[]; text: string } = { children: [], text: '' }
  const open: { children: Tree[]; text: string }[] = [top]
  const addText = (text: string): void => {
    const last = open.at(-1)
    if (last !== undefined) last.text += text
  }
  parser.on('text', addText)
  parser.on('cdata', addText)
  parser.on('opentag', () => {
    open.push({ children: [], text: '' })
  })
  parser.on('closetag', (tag: SaxesTagNS) => {
    const { text, children } = open.pop() ?? assert.fail('saxes closed what it had not opened')
    const attributes = Object.values(tag.attributes).map(({ name, uri, value }) => [name, uri, value] as const)
    open.at(-1)?.children.push({ name: tag.name, local: tag.local, namespace: tag.uri, attributes, text, children })
  })
  parser.write(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)).close()
  return top.children[0] ?? assert.fail('saxes read no root')
}
