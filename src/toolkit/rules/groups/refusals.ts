import type { JudgedReply, Rule } from '../rule.ts'
import { holdsKeys, sayingOf } from './http.ts'

/** Rules about the reply to a request that a key provider must reject. */
export const REFUSAL_RULES: readonly Rule[] = [
  {
    id: 'wrong-request-accepted',
    group: 'refusals',
    subject: 'refusal',
    severity: 'error',
    clause: "SPEKE 2.0, Constraints; AWS's verification suite (negative cases)",
    title: 'The key provider rejects a request that breaks a rule',
    why: 'The key provider issues keys for a request it did not understand. If it ignores a filter, a key applies to more tracks than the encryptor asked for.',
    fix: 'Check the request as the clause says and return 422 with the error message of SPEKE.',
    *check({ reply, expected }) {
      if (expected.kind === 'wrong' && isAccepted(reply))
        yield { what: `the key provider answers with keys${wanted(expected.message)}` }
    },
  },
  {
    id: 'unsafe-contract-accepted',
    group: 'refusals',
    subject: 'refusal',
    severity: 'warning',
    clause: 'SPEKE 2.0, Encryption contract (Requested CPIX encryption contract not supported)',
    title: 'The key provider rejects one key for audio and UHD video',
    why: 'Most devices decrypt audio in software, so the audio key leaks more easily, and this key also decrypts UHD. SPEKE gives this contract as an example.',
    fix: 'Return "Requested CPIX encryption contract not supported", unless your licence policy allows the contract.',
    *check({ reply, expected }) {
      if (expected.kind === 'policy' && isAccepted(reply))
        yield { what: `the key provider answers with keys${wanted(expected.message)}` }
    },
  },
  {
    id: 'bomb-accepted',
    group: 'refusals',
    subject: 'refusal',
    severity: 'error',
    clause: 'CPIX 2.3 uses no DTD; OWASP, XML External Entity Prevention',
    title: 'The key provider rejects a document that attacks the XML reader',
    why: 'Anyone who can send a request can stop the key provider, or read its files and network through entities.',
    fix: 'Reject a DOCTYPE before you read further. Limit bytes, depth, elements, attributes and recipients.',
    *check({ reply, expected }) {
      if (expected.kind === 'bomb' && reply.status === 200) yield { what: 'the key provider answers with status 200' }
    },
  },
  {
    id: 'entity-resolved',
    group: 'refusals',
    subject: 'refusal',
    severity: 'error',
    clause: 'OWASP, XML External Entity Prevention',
    title: 'The XML reader resolves no entity of the document',
    why: 'The answer or the error contains the resolved text. An entity that names a file or URL then discloses that file or URL.',
    fix: 'Switch off DTDs and entities in the XML reader.',
    *check({ reply, expected }) {
      const { entityText } = expected
      if (entityText !== undefined && Buffer.from(reply.body).toString('utf8').includes(entityText)) {
        yield { what: 'the reply contains the text of an entity of the request' }
      }
    },
  },
  {
    id: 'error-with-status-200',
    group: 'refusals',
    subject: 'refusal',
    severity: 'error',
    clause: 'SPEKE 2.0, Constraints (an error must never be 200)',
    title: 'A rejection has a status of 400 or more',
    why: 'Encryptors decide by the status. They read the error text as a document, or keep their current keys.',
    fix: 'Return 422 for a request that breaks SPEKE or CPIX, and 400 for a body that is not XML.',
    *check({ reply, expected }) {
      // A well-formed document that is only unusual may get any answer with status 200.
      if (expected.kind === 'free' && reply.status === 200) return
      if (reply.status < 400 && !isAccepted(reply)) {
        yield { what: `the key provider answers without keys and with status ${reply.status}` }
      }
    },
  },
  {
    id: 'error-status-5xx',
    group: 'refusals',
    subject: 'refusal',
    severity: 'warning',
    clause: 'MediaPackage User Guide, Implementing SPEKE 2.0 (422)',
    title: 'A rejection of a faulty request has a 4XX status',
    why: 'Encryptors and gateways retry a 5XX, and alarms reach the wrong team. The usual cause is an exception that the key provider does not catch.',
    fix: 'Return 422. Keep 5XX for failures of the key provider itself.',
    *check({ reply }) {
      if (reply.status >= 500) yield { what: `the key provider rejects the request with status ${reply.status}` }
    },
  },
  {
    id: 'error-message',
    group: 'refusals',
    subject: 'refusal',
    severity: 'error',
    clause: 'SPEKE 2.0, Constraints (error messages)',
    title: 'A rejection has the error message of SPEKE',
    why: 'The operator of the encryptor sees only this message, and MediaPackage monitoring classifies errors by it.',
    fix: 'Write the message into the body word for word, with the kid or system ID as the request spells it.',
    *check({ reply, expected: { message } }) {
      if (message === undefined || reply.status < 400) return
      const text = Buffer.from(reply.body).toString('utf8')
      if (!text.includes(message.text)) yield { what: `the body does not contain "${message.text}"${sayingOf(reply)}` }
      else if (text.trim() !== message.text && isBare(reply)) {
        yield { what: `the body contains more than "${message.text}"` }
      }
    },
  },
  {
    id: 'error-without-words',
    group: 'refusals',
    subject: 'refusal',
    severity: 'warning',
    clause: 'SPEKE 2.0, Constraints (the message must be returned in the body)',
    title: 'A rejection states a reason',
    why: 'The operator of the encryptor sees that the request failed, but not what to correct.',
    fix: 'Write what is wrong, and where, into the body.',
    *check({ reply }) {
      if (reply.status >= 400 && Buffer.from(reply.body).toString('utf8').trim() === '')
        yield { what: 'the body is empty' }
    },
  },
  {
    id: 'error-tells-too-much',
    group: 'refusals',
    subject: 'refusal',
    severity: 'warning',
    clause: 'OWASP, Error Handling; good practice',
    title: 'A rejection contains no stack trace',
    why: 'A stack trace shows every caller which software runs here and where its files are.',
    fix: 'Log the stack trace and return one sentence.',
    *check({ reply }) {
      const text = Buffer.from(reply.body).toString('utf8')
      if (reply.status >= 400 && TRACE.test(text)) yield { what: 'the body contains a stack trace' }
    },
  },
  {
    id: 'error-headers',
    group: 'refusals',
    subject: 'refusal',
    majors: [2],
    severity: 'note',
    clause: 'SPEKE 2.0, Live workflow method call examples',
    title: 'A rejection has the SPEKE headers',
    why: 'Without X-Speke-User-Agent, an operator cannot tell whether the key provider or a gateway rejected the request.',
    fix: 'Send X-Speke-Version and X-Speke-User-Agent with every status.',
    *check({ reply, version }) {
      if (reply.status < 400) return
      if (!reply.headers['x-speke-user-agent'])
        yield { what: 'X-Speke-User-Agent is missing', header: 'X-Speke-User-Agent' }
      if (reply.headers['x-speke-version'] === undefined && version.major === 2) {
        yield { what: 'X-Speke-Version is missing', header: 'X-Speke-Version' }
      }
    },
  },
]

const TRACE =
  /^\s+at .+[:(]\d+|Traceback \(most recent call last\)|^\S*Exception(:| in )|\bat [\w.$]+\(\w+\.java:\d+\)/m

function isAccepted(reply: JudgedReply): boolean {
  return reply.status === 200 && holdsKeys(reply.body)
}

function wanted(message: { readonly text: string } | undefined): string {
  return message === undefined ? '' : `, expected the error "${message.text}"`
}

/** Whether the body is only the message. Other media types, such as JSON, contain it among other fields. */
function isBare({ headers }: JudgedReply): boolean {
  return /text\/plain/i.test(headers['content-type'] ?? '')
}
