import type { KeyObject } from 'node:crypto'
import type { XmlElement } from '../../formats/xml/document.ts'
import type { EncryptorName } from '../../protocols/speke/tables/presets.ts'
import type { SpekeRefusal } from '../../protocols/speke/tables/refusals.ts'
import type { SpekeVersion } from '../../protocols/speke/tables/versions.ts'
import type { Side } from './side.ts'
import type { CpixView } from './view.ts'

/** The worst first. `error`: encryptors or players fail, or a key is exposed. `warning`: some fail. `note`: an improvement. */
export const SEVERITIES = ['error', 'warning', 'note'] as const
export type Severity = (typeof SEVERITIES)[number]

/** The groups of rules, each with its title. */
export const RULE_GROUPS = {
  http: 'HTTP',
  document: 'Document',
  request: 'Requests',
  contract: 'Encryption contract',
  echo: 'Answer compared with its request',
  keys: 'Content keys and IVs',
  encryption: 'Content key encryption',
  signaling: 'Signalling of every DRM system',
  hls: 'HLS lines',
  pssh: 'pssh boxes and ContentProtectionData',
  widevine: 'Widevine',
  playready: 'PlayReady',
  fairplay: 'FairPlay and key URLs',
  levels: 'HDCP, robustness and CPC labels',
  determinism: 'Several answers together',
  refusals: 'Rejections',
} as const
export type RuleGroup = keyof typeof RULE_GROUPS

/** The HTTP reply of a key provider; header names are in lower case. */
export interface JudgedReply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

/** How a key provider must reject a request. */
export interface ExpectedRefusal {
  /**
   * `wrong`: the request breaks SPEKE or CPIX. `policy`: SPEKE allows the key provider to reject it. `bomb`: it attacks the
   * XML reader. `free`: the key provider may answer it, but must keep running.
   */
  readonly kind: 'wrong' | 'policy' | 'bomb' | 'free'
  /** The error message that SPEKE prescribes, if any. */
  readonly message: { readonly of: SpekeRefusal; readonly text: string } | undefined
  /** The text of an entity in the request, which the reader must not resolve. */
  readonly entityText?: string
}

/** How an earlier answer is related to this one. */
export type Relation =
  /** The same request, sent again. */
  | 'again'
  /** The same content and kids with another SPEKE version, other DRM systems or another spelling. */
  | 'otherwise'
  /** The same content and kids, once in the clear and once encrypted. */
  | 'encryption'
  /** Other kids, of another content or key period. */
  | 'other-kids'
export interface RelatedAnswer {
  readonly relation: Relation
  /** The difference, as text for messages. */
  readonly how: string
  readonly answer: CpixView
}

/** The input of a rule, by the subject of the rule. */
export interface Subjects {
  /** A document that may not be readable. */
  readonly document: { readonly side: Side }
  readonly request: { readonly request: CpixView }
  /** An answer, with its request if known. */
  readonly answer: {
    readonly answer: CpixView
    readonly request: CpixView | undefined
    /** Decrypts encrypted keys. */
    readonly privateKey: KeyObject | undefined
  }
  readonly pair: { readonly request: CpixView; readonly answer: CpixView }
  /** The reply to a valid request; undefined if none arrived. */
  readonly reply: {
    readonly reply: JudgedReply | undefined
    readonly version: SpekeVersion
    readonly failure: string | undefined
  }
  /** The reply to a request that the key provider must reject. */
  readonly refusal: { readonly reply: JudgedReply; readonly expected: ExpectedRefusal; readonly version: SpekeVersion }
  readonly related: { readonly answer: CpixView; readonly other: RelatedAnswer }
}
export type Subject = keyof Subjects

/** A problem that a rule found: a text without keys, and its place. */
export interface Problem {
  readonly what: string
  readonly at?: XmlElement | undefined
  readonly attribute?: string
  /** The document of `at`. Default: the answer, or the request for rules about requests. */
  readonly side?: 'request' | 'answer'
  /** The header at fault. */
  readonly header?: string
}

interface RuleText {
  /** Never changes: it names the page of the rule and appears in stored reports. */
  readonly id: string
  readonly group: RuleGroup
  /** `off`: the rule applies only to the encryptors in `severityAs`. */
  readonly severity: Severity | 'off'
  /** Other severities for single encryptors. */
  readonly severityAs?: Readonly<Partial<Record<EncryptorName, Severity | 'off'>>>
  /** The clause of the specification or guide that requires it. */
  readonly clause: string
  /** The requirement, as a fact in one line. */
  readonly title: string
  /** The consequence of breaking the rule, and the products that show it. */
  readonly why: string
  /** What to change, as a command. */
  readonly fix: string
}

/** One rule over one kind of subject. */
export interface RuleOf<S extends Subject> extends RuleText {
  readonly subject: S
  /** Whether it applies only to SPEKE: not to CPIX documents of other systems, which name no SPEKE version. */
  readonly spekeOnly?: true
  /** The major SPEKE versions it applies to. Default: both. */
  readonly majors?: readonly (1 | 2)[]
  readonly check: (subject: Subjects[S] & { readonly as: EncryptorName }) => Iterable<Problem>
}
export type Rule = { readonly [S in Subject]: RuleOf<S> }[Subject]
