import { escapeAttribute, escapeText } from './escape.ts'

/** An element to write: its children, or its text. */
export interface Markup {
  readonly name: string
  readonly attributes?: readonly (readonly [name: string, value: string])[]
  readonly children?: readonly Markup[]
  readonly text?: string
}

/** The document of `root`, two spaces a level. What is empty is written `<a/>`, or `<a></a>` where `pairs` has its name. */
export function writeMarkup(root: Markup, pairs: readonly string[] = []): string {
  return `${lines(root, pairs, '').join('\n')}\n`
}

/** Elements without white space between them, for text that goes into a document. What is empty is written `<a/>`. */
export function writeFragment(elements: readonly Markup[]): string {
  return elements
    .map(({ name, attributes = [], children = [], text }) => {
      const start = [name, ...attributes.map(([key, value]) => `${key}="${escapeAttribute(value)}"`)].join(' ')
      const content = text === undefined ? writeFragment(children) : escapeText(text)
      return content === '' ? `<${start}/>` : `<${start}>${content}</${name}>`
    })
    .join('')
}

function lines(
  { name, attributes = [], children = [], text }: Markup,
  pairs: readonly string[],
  indent: string,
): string[] {
  const start = [name, ...attributes.map(([key, value]) => `${key}="${escapeAttribute(value)}"`)].join(' ')
  if (text !== undefined) return [`${indent}<${start}>${escapeText(text)}</${name}>`]
  if (children.length > 0) {
    const inner = children.flatMap((child) => lines(child, pairs, `${indent}  `))
    return [`${indent}<${start}>`, ...inner, `${indent}</${name}>`]
  }
  return [pairs.includes(name) ? `${indent}<${start}></${name}>` : `${indent}<${start}/>`]
}
