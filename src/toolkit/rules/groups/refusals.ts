import type { JudgedReply, Rule } from '../rule.ts'
import { holdsKeys, sayingOf } from './http.ts'

/** Rules over the reply to a request that must be refused. @see speke.md 2.3, 3 */
export const REFUSAL_RULES: readonly Rule[] = [
  {
    id: 'wrong-request-accepted',
    group: 'refusals',
    subject: 'refusal',
    severity: 'error',
    clause: "SPEKE 2.0, Constraints; AWS's verification suite (negative cases)",
    title: 'A request that breaks a rule is refused',
    why: 'Keys are given for what nobody understood: a filter that was ignored puts a key on more tracks than it was asked for.',
    mend: 'Check the request as the clause says and answer 422 with the message of SPEKE.',
    *check({ reply, expected }) {
      if (expected.kind === 'wrong' && isAccepted(reply))
        yield { what: `answered with keys${wanted(expected.message)}` }
    },
  },
  {
    id: 'unsafe-contract-accepted',
    group: 'refusals',
    subject: 'refusal',
    severity: 'warning',
    clause: 'SPEKE 2.0, Encryption contract (Requested CPIX encryption contract not supported)',
    title: 'One key for audio and UHD video is refused',
    why: 'Audio is decrypted in software on most devices: its key is the one that leaks, and opens UHD here. SPEKE has it as the example.',
    mend: 'Refuse it with "Requested CPIX encryption contract not supported", unless your licence policy allows it.',
    *check({ reply, expected }) {
      if (expected.kind === 'policy' && isAccepted(reply))
        yield { what: `answered with keys${wanted(expected.message)}` }
    },
  },
  {
    id: 'bomb-accepted',
    group: 'refusals',
    subject: 'refusal',
    severity: 'error',
    clause: 'CPIX 2.3 uses no DTD; OWASP, XML External Entity Prevention',
    title: 'A document made to exhaust or trick the reader is refused',
    why: 'Whoever can send a request can stop the key provider, or read its files and network through entities.',
    mend: 'Refuse a DOCTYPE before reading on; limit bytes, depth, elements, attributes and recipients.',
    *check({ reply, expected }) {
      if (expected.kind === 'bomb' && reply.status === 200) yield { what: 'answered with status 200' }
    },
  },
  {
    id: 'entity-resolved',
    group: 'refusals',
    subject: 'refusal',
    severity: 'error',
    clause: 'OWASP, XML External Entity Prevention',
    title: 'No entity of a document is resolved',
    why: 'What is resolved comes back in the answer or in an error: with a file or URL as entity, it is that of the server.',
    mend: 'Switch DTDs and entities off in the XML reader.',
    *check({ reply, expected }) {
      const { entityText } = expected
      if (entityText !== undefined && Buffer.from(reply.body).toString('utf8').includes(entityText)) {
        yield { what: 'the reply holds what an entity of the request stands for' }
      }
    },
  },
  {
    id: 'error-with-status-200',
    group: 'refusals',
    subject: 'refusal',
    severity: 'error',
    clause: 'SPEKE 2.0, Constraints (an error must never be 200)',
    title: 'A refusal has a status of 400 or more',
    why: 'Encryptors go by the status: they take the text of the error for a document, or for keys that do not change.',
    mend: 'Answer 422 for what breaks SPEKE or CPIX, 400 for what is no XML.',
    *check({ reply }) {
      if (reply.status < 400 && !isAccepted(reply)) yield { what: `refused with status ${reply.status}` }
    },
  },
  {
    id: 'error-status-5xx',
    group: 'refusals',
    subject: 'refusal',
    severity: 'warning',
    clause: 'MediaPackage User Guide, Implementing SPEKE 2.0 (422)',
    title: 'What the request is to blame for is refused with 4XX',
    why: 'Encryptors and gateways try 5XX again, alarms wake the wrong people, and it mostly is an exception that nobody caught.',
    mend: 'Answer 422; keep 5XX for failures of the key provider.',
    *check({ reply }) {
      if (reply.status >= 500) yield { what: `refused with status ${reply.status}` }
    },
  },
  {
    id: 'error-message',
    group: 'refusals',
    subject: 'refusal',
    severity: 'error',
    clause: 'SPEKE 2.0, Constraints (error messages)',
    title: 'A refusal says the words of SPEKE',
    why: 'The message is all that the operator of an encryptor sees, and monitoring of MediaPackage tells errors apart by it.',
    mend: 'Put the message into the body, word for word, the kid or system id as the request spells it.',
    *check({ reply, expected: { message } }) {
      if (message === undefined || reply.status < 400) return
      const text = Buffer.from(reply.body).toString('utf8')
      if (!text.includes(message.text)) yield { what: `the body does not say "${message.text}"${sayingOf(reply)}` }
      else if (text.trim() !== message.text && isBare(reply)) {
        yield { what: `the body says more than "${message.text}"` }
      }
    },
  },
  {
    id: 'error-without-words',
    group: 'refusals',
    subject: 'refusal',
    severity: 'warning',
    clause: 'SPEKE 2.0, Constraints (the message must be returned in the body)',
    title: 'A refusal says why',
    why: 'The operator of the encryptor sees "error" and nothing to mend.',
    mend: 'Put what is wrong, and where, into the body.',
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
    title: 'A refusal holds no stack trace',
    why: 'It tells everyone who can send a request which software this is, and where it lives.',
    mend: 'Log the trace, answer with a sentence.',
    *check({ reply }) {
      const text = Buffer.from(reply.body).toString('utf8')
      if (reply.status >= 400 && TRACE.test(text)) yield { what: 'the body holds a stack trace' }
    },
  },
  {
    id: 'error-headers',
    group: 'refusals',
    subject: 'refusal',
    majors: [2],
    severity: 'note',
    clause: 'SPEKE 2.0, Live workflow method call examples',
    title: 'A refusal has the headers of SPEKE too',
    why: 'Without X-Speke-User-Agent nobody knows whether the key provider or a gateway refused.',
    mend: 'Send X-Speke-Version and X-Speke-User-Agent with every status.',
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
  return message === undefined ? '' : `, expected the refusal "${message.text}"`
}

/** Other forms, such as JSON, hold the message among other things. */
function isBare({ headers }: JudgedReply): boolean {
  return /text\/plain/i.test(headers['content-type'] ?? '')
}
