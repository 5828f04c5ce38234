import { CPIX_NAMESPACE, SPEKE_NAMESPACE, XMLDSIG_NAMESPACE } from '../../../formats/cpix/names.ts'
import type { XmlElement } from '../../../formats/xml/document.ts'
import { attributeOf, textOf } from '../../../formats/xml/reader.ts'
import { hasIdentity, matchChildren, ownAttributes } from '../match.ts'
import type { Problem, Rule } from '../rule.ts'
import { FAIRPLAY } from '../systems.ts'
import type { CpixView } from '../view.ts'

/** Rules over what an answer keeps of its request: SPEKE fills the request's own document. @see speke.md 4, 6, 8 */
export const ECHO_RULES: readonly Rule[] = [
  {
    id: 'element-dropped',
    group: 'echo',
    subject: 'pair',
    severity: 'error',
    clause: 'SPEKE 2.0, Constraints ("everything the encryptor put in the request shall carry a valid value")',
    title: 'Every element of the request is in the answer',
    why: 'The encryptor stops with an error when something it asked for is not there (MediaPackage, MediaConvert).',
    mend: 'Fill the document of the request and return it, rather than write a new one.',
    *check({ request, answer }) {
      for (const { element, parent } of droppedIn(request, answer)) {
        yield { what: `${element.name}${named(element)} of the request is not in the answer`, at: parent }
      }
    },
  },
  {
    id: 'element-added',
    group: 'echo',
    subject: 'pair',
    severity: 'warning',
    clause: 'SPEKE 2.0, Standard payload components (only what is marked supported)',
    title: 'Only what was asked for is in the answer',
    why: 'A DRMSystem or PSSH that nobody asked for ends up in manifests of containers that cannot have it, or stops the encryptor.',
    mend: 'Fill the elements of the request; add Data to ContentKey, DocumentKey and MACMethod to DeliveryData, in 2.1 HDCPData.',
    *check({ request, answer }) {
      for (const { element } of addedIn(request, answer)) {
        yield { what: `${element.name}${named(element)} is not in the request`, at: element }
      }
    },
  },
  {
    id: 'attribute-changed',
    group: 'echo',
    subject: 'pair',
    severity: 'error',
    clause: 'SPEKE 2.0, Constraints',
    title: 'Attributes of the request are in the answer, unchanged',
    why: 'Encryptors find their elements again by attributes such as id, name, playlist and systemId.',
    mend: 'Leave the attributes of the request as they are, those you do not know included.',
    *check({ request, answer }) {
      for (const pair of pairsIn(request, answer)) {
        if (OWN_RULES.has(pair.request.local)) continue
        yield* changedAttributes(pair, request.version.major)
      }
    },
  },
  {
    id: 'order-changed',
    group: 'echo',
    subject: 'pair',
    severity: 'warning',
    clause: 'SPEKE 2.0, KID override',
    title: 'Entries of lists come back in the order of the request',
    why: 'When a key provider answers with other kids, an encryptor can only tell its keys by their place.',
    mend: 'Keep ContentKey, DRMSystem, ContentKeyPeriod and ContentKeyUsageRule in document order.',
    *check({ request, answer }) {
      for (const list of pairsIn(request, answer)) {
        const answered = matchChildren(list.request, list.answer)
          .matched.filter((pair) => hasIdentity(pair.request))
          .flatMap((pair) => pair.answer ?? [])
        const early = answered.find((element, i) => element.start < (answered[i - 1]?.start ?? 0))
        if (early !== undefined) yield { what: `the children of ${list.answer.name} are in another order`, at: early }
      }
    },
  },
  {
    id: 'period-changed',
    group: 'echo',
    subject: 'pair',
    severity: 'error',
    clause: 'SPEKE 2.1, Standard payload components (ContentKeyPeriod)',
    title: 'Key periods come back word for word',
    why: 'MediaPackage v2 holds them against its own: a key provider cannot move the boundaries of a rotation, nor write a time in another way.',
    mend: 'Echo id, index, start, end, startOffset and endOffset as text; do not parse and print times.',
    *check({ request, answer }) {
      for (const pair of pairsIn(request, answer)) {
        if (pair.request.local === 'ContentKeyPeriod') yield* changedAttributes(pair, request.version.major)
      }
    },
  },
  {
    id: 'contract-changed',
    group: 'echo',
    subject: 'pair',
    majors: [2],
    severity: 'error',
    clause: 'SPEKE 2.0, Encryption contract (the key provider must not modify it)',
    title: 'The encryption contract comes back unchanged',
    why: "It is the encryptor's: AWS's verification suite and MediaPackage compare it, and a changed filter puts a key on other tracks.",
    mend: 'Echo ContentKeyUsageRule with its filters; only kid may change, where the key of that kid does.',
    *check({ request, answer }) {
      for (const pair of pairsIn(request, answer)) {
        const isRule = pair.request.local === 'ContentKeyUsageRule'
        if (isRule || CONTRACT.has(pair.request.local)) yield* changedAttributes(pair, request.version.major)
      }
    },
  },
  {
    id: 'recipient-changed',
    group: 'echo',
    subject: 'pair',
    severity: 'error',
    clause: 'SPEKE 2.0, Content key encryption (DeliveryKey)',
    title: 'The certificate of a recipient comes back unchanged',
    why: 'The encryptor looks for its own DeliveryData by the certificate and finds none.',
    mend: 'Echo DeliveryKey with its X509Data.',
    *check({ request, answer }) {
      for (const pair of pairsIn(request, answer)) {
        const { namespace, local } = pair.request
        if (namespace !== XMLDSIG_NAMESPACE || local !== 'X509Certificate') continue
        const compact = (view: CpixView, element: XmlElement): string =>
          textOf(view.document, element).replaceAll(/\s+/g, '')
        if (compact(request, pair.request) !== compact(answer, pair.answer)) {
          yield { what: 'the certificate is not that of the request', at: pair.answer }
        }
      }
    },
  },
  {
    id: 'kid-spelling',
    group: 'echo',
    subject: 'pair',
    severity: 'warning',
    clause: 'SPEKE 2.0, Constraints (everything in the request comes back); RFC 9562, 4 (letter case)',
    title: 'Kids and system ids are spelled as in the request',
    why: 'Kids mean the same in any letter case, but some encryptors compare them as text and find nothing.',
    mend: 'Compare without letter case, echo the letters as they came.',
    *check({ request, answer }) {
      for (const pair of pairsIn(request, answer)) {
        for (const name of ['kid', 'systemId']) {
          const [asked, answered] = [attributeOf(pair.request, name), attributeOf(pair.answer, name)]
          if (asked !== answered && asked?.toLowerCase() === answered?.toLowerCase()) {
            yield { what: `@${name} is spelled in another letter case`, at: pair.answer, attribute: name }
          }
        }
      }
    },
  },
  {
    id: 'kid-inconsistent',
    group: 'echo',
    subject: 'answer',
    severity: 'error',
    clause: 'SPEKE 2.0, KID override',
    title: 'Every kid of the answer is that of a ContentKey',
    why: 'A DRMSystem or rule without its key is signalling that no player can use, or a track that nobody encrypts.',
    mend: 'Use a replaced kid in ContentKey, every DRMSystem, every ContentKeyUsageRule and inside every box alike.',
    *check({ answer }) {
      const kids = new Set(answer.keys.map(({ kid }) => kid))
      const elements = [
        ...answer.systems.map(({ element }) => element),
        ...answer.usageRules.map(({ element }) => element),
      ]
      for (const element of elements) {
        const kid = attributeOf(element, 'kid')?.toLowerCase()
        if (![...kids].some((one) => one === kid)) {
          yield { what: 'its kid is that of no ContentKey', at: element, attribute: 'kid' }
        }
      }
    },
  },
  {
    id: 'kid-replaced',
    group: 'echo',
    subject: 'pair',
    severity: 'note',
    clause: 'SPEKE 2.0, KID override',
    title: 'The kids of the answer are those of the request',
    why: 'A key provider may answer with other kids; how an encryptor with several keys follows is stated nowhere.',
    mend: 'Keep the kids of the request unless the licence service wants its own.',
    *check({ request, answer }) {
      const asked = new Set(request.keys.map(({ kid }) => kid))
      for (const { kid, element } of answer.keys) {
        if (kid !== undefined && !asked.has(kid)) {
          yield { what: `the kid ${kid} is not of the request`, at: element, attribute: 'kid' }
        }
      }
    },
  },
]

interface Pair {
  readonly request: XmlElement
  readonly answer: XmlElement
}

/** The elements whose attributes have rules of their own. */
const CONTRACT: ReadonlySet<string> = new Set(['KeyPeriodFilter', 'VideoFilter', 'AudioFilter', 'BitrateFilter'])
const OWN_RULES: ReadonlySet<string> = new Set([...CONTRACT, 'ContentKeyUsageRule', 'ContentKeyPeriod'])
/** Attributes with rules of their own, by element. */
const OWN_ATTRIBUTES: Readonly<Record<string, readonly string[]>> = {
  CPIX: ['id', 'contentId', 'version'],
  ContentKey: ['kid', 'explicitIV', 'commonEncryptionScheme'],
  DRMSystem: ['kid', 'systemId'],
  ContentKeyUsageRule: ['kid'],
}

/** Every element that both have, roots first. */
function* pairsIn(request: CpixView, answer: CpixView): Iterable<Pair> {
  yield* pairsBelow({ request: request.root, answer: answer.root })
}

function* pairsBelow(pair: Pair): Iterable<Pair> {
  yield pair
  for (const { request, answer } of matchChildren(pair.request, pair.answer).matched) {
    if (answer !== undefined) yield* pairsBelow({ request, answer })
  }
}

function* changedAttributes({ request, answer }: Pair, major: 1 | 2): Iterable<Problem> {
  for (const { name, local, value } of ownAttributes(request)) {
    if (OWN_ATTRIBUTES[request.local]?.includes(local)) continue
    const answered = attributeOf(answer, name) ?? ownAttributes(answer).find((one) => one.local === local)?.value
    if (answered === value || (major === 2 && name.startsWith('speke:'))) continue
    const what = answered === undefined ? 'is missing' : 'is not that of the request'
    yield { what: `@${name} of ${answer.name} ${what}`, at: answer, ...(answered !== undefined && { attribute: name }) }
  }
}

interface Lost {
  readonly element: XmlElement
  /** Where in the answer it is missed. */
  readonly parent: XmlElement
}

function* droppedIn(request: CpixView, answer: CpixView): Iterable<Lost> {
  for (const pair of pairsIn(request, answer)) {
    for (const child of matchChildren(pair.request, pair.answer).matched) {
      if (child.answer === undefined && !mayBeDropped(child.request, request.version.major)) {
        yield { element: child.request, parent: pair.answer }
      }
    }
  }
}

function* addedIn(request: CpixView, answer: CpixView): Iterable<Lost> {
  for (const pair of pairsIn(request, answer)) {
    for (const element of matchChildren(pair.request, pair.answer).added) {
      const allowed = MAY_BE_ADDED[pair.request.local] ?? []
      if (!allowed.includes(element.local)) yield { element, parent: pair.answer }
    }
  }
}

/** What a key provider adds. */
const MAY_BE_ADDED: Readonly<Record<string, readonly string[]>> = {
  ContentKey: ['Data', 'HDCPData'],
  DeliveryData: ['DocumentKey', 'MACMethod'],
}

/** What has no place in an answer. @see speke.md 4.2, 5.2 */
function mayBeDropped(element: XmlElement, major: 1 | 2): boolean {
  const { namespace, local, parent } = element
  if (namespace === XMLDSIG_NAMESPACE && local === 'Signature') return true
  if (local === 'UpdateHistoryItemList') return true
  if (major === 1) return false
  if (namespace === SPEKE_NAMESPACE || (namespace === CPIX_NAMESPACE && local === 'URIExtXKey')) return true
  const system = parent && attributeOf(parent, 'systemId')?.toLowerCase()
  return local === 'ContentProtectionData' && system === FAIRPLAY
}

function named(element: XmlElement): string {
  const texts = ['kid', 'systemId', 'playlist', 'id'].flatMap((name) => {
    const value = attributeOf(element, name)
    return value === undefined ? [] : [`${name} ${value.slice(0, 64)}`]
  })
  return texts.length === 0 ? '' : ` (${texts.join(', ')})`
}
