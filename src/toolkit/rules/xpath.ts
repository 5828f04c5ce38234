import type { XmlElement } from '../../formats/xml/document.ts'

/** Where an element or attribute is, as an XPath with the document's own prefixes: `/cpix:CPIX/cpix:ContentKeyList/cpix:ContentKey[2]/@kid`. */
export function xpathOf(element: XmlElement, attribute?: string): string {
  const steps: string[] = attribute === undefined ? [] : [`@${attribute}`]
  for (let at: XmlElement | undefined = element; at !== undefined; at = at.parent) {
    const { name } = at
    const same = at.parent?.children.filter((child) => child.name === name) ?? []
    steps.push(same.length > 1 ? `${name}[${same.indexOf(at) + 1}]` : name)
  }
  return `/${steps.reverse().join('/')}`
}
