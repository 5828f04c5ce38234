import type { KeyObject } from 'node:crypto'
import type { XmlElement } from '../../formats/xml/document.ts'
import type { SpekeRefusal } from '../../protocols/speke/tables/refusals.ts'
import type { SpekeVersion } from '../../protocols/speke/tables/versions.ts'
import type { Side } from './side.ts'
import type { CpixView } from './view.ts'
import type { Viewpoint } from './viewpoints.ts'

/** The worst first. `error`: an encryptor or player fails, or a key is at risk. `warning`: some fail. `note`: better otherwise. */
export const SEVERITIES = ['error', 'warning', 'note'] as const
export type Severity = (typeof SEVERITIES)[number]

/** What rules are about, and the title of each group. */
export const RULE_GROUPS = {
  http: 'HTTP',
  document: 'The document',
  request: 'Requests',
  contract: 'The encryption contract',
  echo: 'What the answer keeps of the request',
  keys: 'Content keys and IVs',
  encryption: 'Content key encryption',
  signaling: 'Signalling of any system',
  hls: 'HLS lines',
  pssh: 'pssh boxes and ContentProtectionData',
  widevine: 'Widevine',
  playready: 'PlayReady',
  fairplay: 'FairPlay and key URLs',
  levels: 'HDCP, robustness and CPC labels',
  determinism: 'Several answers together',
  refusals: 'Refusals',
} as const
export type RuleGroup = keyof typeof RULE_GROUPS

/** What a key provider sent back, headers by lower-case name. */
export interface JudgedReply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

/** A request that must be refused. */
export interface ExpectedRefusal {
  /** `wrong`: it breaks a rule of SPEKE or CPIX; `policy`: SPEKE leaves it to the key provider; `bomb`: an attack on the reader;
   * `free`: it may be answered, if it is survived. */
  readonly kind: 'wrong' | 'policy' | 'bomb' | 'free'
  /** The message to refuse it with, where SPEKE has one. */
  readonly message: { readonly of: SpekeRefusal; readonly text: string } | undefined
  /** What the reader makes of an entity that it must not resolve, where the request holds one. */
  readonly entityText?: string
}

/** How another answer is related to the one at hand. */
export type Relation =
  /** The same request once more. */
  | 'again'
  /** The same content and kids, asked for in another way: SPEKE version, DRM systems, spelling. */
  | 'otherwise'
  /** The same content and kids, once in the clear and once encrypted. */
  | 'encryption'
  /** Other kids, of another content or key period. */
  | 'other-kids'
export interface RelatedAnswer {
  readonly relation: Relation
  /** What is different, in words. */
  readonly how: string
  readonly answer: CpixView
}

/** What a rule is given, by its subject. */
export interface Subjects {
  /** Any document, before it is known what it says. */
  readonly document: { readonly side: Side }
  readonly request: { readonly request: CpixView }
  /** An answer alone, and its request where there is one. */
  readonly answer: {
    readonly answer: CpixView
    readonly request: CpixView | undefined
    /** Reads keys that are encrypted. */
    readonly privateKey: KeyObject | undefined
  }
  readonly pair: { readonly request: CpixView; readonly answer: CpixView }
  /** A reply to a request that is right; undefined where none came. */
  readonly reply: {
    readonly reply: JudgedReply | undefined
    readonly version: SpekeVersion
    readonly failure: string | undefined
  }
  /** A reply to a request that must be refused. */
  readonly refusal: { readonly reply: JudgedReply; readonly expected: ExpectedRefusal; readonly version: SpekeVersion }
  readonly related: { readonly answer: CpixView; readonly other: RelatedAnswer }
}
export type Subject = keyof Subjects

/** Something found: what it is, in words that hold no key, and where. */
export interface Problem {
  readonly what: string
  readonly at?: XmlElement | undefined
  readonly attribute?: string
  /** Where `at` stands; left out: in the answer, for rules of requests in the request. */
  readonly side?: 'request' | 'answer'
  /** The header at fault. */
  readonly header?: string
}

interface RuleText {
  /** Stable: it names the page of the rule, and stands in reports that people keep. */
  readonly id: string
  readonly group: RuleGroup
  /** `off`: only encryptors that `severityAs` names care. */
  readonly severity: Severity | 'off'
  /** Where an encryptor is stricter, or does not care. */
  readonly severityAs?: Readonly<Partial<Record<Viewpoint, Severity | 'off'>>>
  /** The clause of the specification or guide that says so. */
  readonly clause: string
  /** What holds when all is well, in one line. */
  readonly title: string
  /** What happens otherwise, and which product shows it. */
  readonly why: string
  /** What to change, as a command. */
  readonly fix: string
}

/** One rule over one kind of subject. */
export interface RuleOf<S extends Subject> extends RuleText {
  readonly subject: S
  /** Whether it has anything to say of SPEKE 1.0 or 2; left out: of both. */
  readonly majors?: readonly (1 | 2)[]
  readonly check: (subject: Subjects[S] & { readonly as: Viewpoint }) => Iterable<Problem>
}
export type Rule = { readonly [S in Subject]: RuleOf<S> }[Subject]
