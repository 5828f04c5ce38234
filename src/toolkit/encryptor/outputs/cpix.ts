import type { Output } from './output.ts'

/** The answer as it came: for whatever reads CPIX. */
export const cpix: Output = {
  name: 'cpix',
  title: 'the document as it came',
  holdsKeys: ({ request }) => !request.encrypted,
  render: ({ document }) => ({ text: document }),
}
