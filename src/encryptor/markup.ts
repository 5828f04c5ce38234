import { escapeAttribute, escapeText } from '../xml/escape.ts'

/** An element to write: its children, or its text. */
export interface Markup {
  readonly name: string
  readonly attributes?: readonly (readonly [name: string, value: string])[]
  readonly children?: readonly Markup[]
  readonly text?: string
}

/** How an encryptor writes what is empty. */
export type EmptyElements = 'self-closing' | 'pair'

/** The document of `root`, two spaces a level. */
export function writeMarkup(root: Markup, emptyElements: EmptyElements): string {
  return `${lines(root, emptyElements, '').join('\n')}\n`
}

function lines({ name, attributes = [], children = [], text }: Markup, empty: EmptyElements, indent: string): string[] {
  const start = [name, ...attributes.map(([key, value]) => `${key}="${escapeAttribute(value)}"`)].join(' ')
  if (text !== undefined) return [`${indent}<${start}>${escapeText(text)}</${name}>`]
  if (children.length > 0) {
    const inner = children.flatMap((child) => lines(child, empty, `${indent}  `))
    return [`${indent}<${start}>`, ...inner, `${indent}</${name}>`]
  }
  return [empty === 'pair' ? `${indent}<${start}></${name}>` : `${indent}<${start}/>`]
}
