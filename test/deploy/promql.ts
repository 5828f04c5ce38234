/** A metric that an expression names, with the labels it asks of it: in braces, and in the `by` around it. */
export interface Selected {
  readonly metric: string
  readonly labels: readonly string[]
}

const TOKEN =
  /\s+|"(?:[^"\\]|\\.)*"|\$\{?\w+\}?|\d+(?:\.\d+)?(?:[smhdwy])?|[A-Za-z_:][\w:]*|=~|!~|!=|==|>=|<=|[-+*/%^<>=(){}[\],@]/y

/** Words of PromQL that are no metric. A function is known by the parenthesis behind it, a sum by its labels. */
const WORDS = new Set([
  ...['by', 'without', 'on', 'ignoring', 'group_left', 'group_right', 'offset', 'bool', 'and', 'or', 'unless'],
])
const LABEL_LISTS = new Set(['by', 'without', 'on', 'ignoring', 'group_left', 'group_right'])

/** The tokens of an expression, without space. Throws at what is no token of PromQL or of Grafana's variables. */
export function tokensOf(expression: string): readonly string[] {
  const tokens: string[] = []
  TOKEN.lastIndex = 0
  for (let at = 0; at < expression.length; at = TOKEN.lastIndex) {
    const [token] = TOKEN.exec(expression) ?? []
    if (token === undefined) throw new SyntaxError(`no token of PromQL at ${at}: ${expression.slice(at, at + 20)}`)
    if (token.trim() !== '') tokens.push(token)
  }
  requireBalance(tokens, expression)
  return tokens
}

/** What an expression selects. The labels of a `by` count for every metric of the expression: they stand for a sum over it. */
export function selectionsOf(expression: string): readonly Selected[] {
  const tokens = tokensOf(expression)
  const selected: { metric: string; labels: string[] }[] = []
  const grouped: string[] = []
  for (let at = 0; at < tokens.length; at++) {
    const [token = '', next] = [tokens[at], tokens[at + 1]]
    if (LABEL_LISTS.has(token)) {
      const end = tokens.indexOf(')', at)
      grouped.push(...tokens.slice(at + 2, end).filter((one) => one !== ','))
      at = end
    } else if (/^[A-Za-z_:]/.test(token) && !['(', 'by', 'without'].includes(next ?? '') && !WORDS.has(token)) {
      const end = next === '{' ? tokens.indexOf('}', at) : at
      const inside = tokens.slice(at + 2, end)
      selected.push({ metric: token, labels: inside.filter((one, i) => /^(?:=|!)/.test(inside[i + 1] ?? '') && one) })
      at = end
    }
  }
  return selected.map(({ metric, labels }) => ({ metric, labels: [...labels, ...grouped] }))
}

const CLOSES: Readonly<Record<string, string>> = { ')': '(', '}': '{', ']': '[' }

function requireBalance(tokens: readonly string[], expression: string): void {
  const open: string[] = []
  for (const token of tokens) {
    if (Object.values(CLOSES).includes(token)) open.push(token)
    const opener = CLOSES[token]
    if (opener !== undefined && open.pop() !== opener) throw new SyntaxError(`${token} closes nothing: ${expression}`)
  }
  if (open.length > 0) throw new SyntaxError(`${open.at(-1)} is not closed: ${expression}`)
}
