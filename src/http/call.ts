import type { IncomingHttpHeaders } from 'node:http'
import type { BodyShare, ClientCertificate, Presented } from '../auth/presented.ts'
import { KeyProviderError } from '../core/errors.ts'
import type { ProxyTrust } from './listener/proxy-trust.ts'
import { bodyTooLarge, type IncomingRequest, UnsupportedEncodingError } from './request.ts'

export interface CallOptions {
  readonly proxies: ProxyTrust
  /** The size limit of the body, in bytes. */
  readonly maxBodyBytes: number
  readonly budget: BodyBudget
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number
}

/** One request on its way through checks and route. A route reads the body only after it has judged the head. */
export class Call implements Presented {
  readonly method: string
  readonly rawPath: string
  readonly headers: IncomingHttpHeaders
  readonly rawHeaders: readonly string[] | undefined
  readonly peer: string
  readonly httpVersion: string | undefined
  /** Whether nobody on the way could read the request: TLS ends here, or at a trusted proxy. */
  readonly secure: boolean
  readonly clientCertificate: ClientCertificate | undefined
  readonly requestId: string
  /** A problem that the operator can fix, although the request may have been answered. It is logged. */
  warning: string | undefined
  readonly #request: IncomingRequest
  readonly #options: CallOptions
  #body: Promise<Buffer> | undefined
  #bodyBytes = 0
  #readingMs = 0
  #strangerBytes = 0

  constructor(request: IncomingRequest, options: CallOptions) {
    this.method = request.method
    this.rawPath = request.rawPath
    this.headers = request.headers
    this.rawHeaders = request.rawHeaders
    this.peer = request.peer
    this.httpVersion = request.httpVersion
    this.secure = options.proxies.isSecure(request)
    this.clientCertificate = request.clientCertificate
    this.requestId = request.requestId
    this.#request = request
    this.#options = options
  }

  /** The address of the caller: the peer, or the address that a trusted proxy reports. */
  get address(): string {
    return this.#options.proxies.clientAddress(this.#request)
  }

  /** The address of the peer is one of `trustProxy`. */
  get isFromTrustedProxy(): boolean {
    return this.#options.proxies.isTrusted(this.peer)
  }

  /** How long the handler waited for the body, in milliseconds: the time of the sender, not of the server. */
  get readingMs(): number {
    return this.#readingMs
  }

  /** How many bytes of the body were received so far. */
  get bodyBytes(): number {
    return this.#bodyBytes
  }

  /**
   * The body, read once. `share` says whether the caller has proven who it is. Rejects with ERR_MEDIA_TYPE_UNSUPPORTED for
   * an encoded body (RFC 9110, 8.4), ERR_BODY_TOO_LARGE, and ERR_OVERLOADED if the bodies in flight need too much memory.
   */
  body(share: BodyShare = 'caller'): Promise<Buffer> {
    this.#body ??= this.#readBody(share)
    return this.#body
  }

  /** Gives the memory of the body back to the budget. Call it once, when the reply is made. */
  release(): void {
    if (this.#bodyBytes > 0) this.#options.budget.release(this.#bodyBytes, this.#strangerBytes)
  }

  async #readBody(share: BodyShare): Promise<Buffer> {
    const { maxBodyBytes, budget, now } = this.#options
    const encoding = this.headers['content-encoding']
    if (encoding !== undefined && encoding.toLowerCase() !== 'identity') throw new UnsupportedEncodingError()
    if (Number(this.headers['content-length'] ?? 0) > maxBodyBytes) throw bodyTooLarge(maxBodyBytes)
    const startedAt = now()
    try {
      return await this.#request.readBody(maxBodyBytes, (count) => {
        budget.take(count, share)
        this.#bodyBytes += count
        if (share === 'stranger') this.#strangerBytes += count
      })
    } finally {
      this.#readingMs = now() - startedAt
    }
  }
}

/** How much of the budget callers may use that have not proven who they are. */
const OF_STRANGERS = 0.5

/** The memory that all request bodies in flight may use together. A body counts from its first byte until its reply is made. */
export class BodyBudget {
  readonly maxBytes: number
  #used = 0
  #ofStrangers = 0

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes
  }

  /** The bytes of all bodies in flight. */
  get used(): number {
    return this.#used
  }

  /** Takes `count` bytes. Throws ERR_OVERLOADED if they do not fit; strangers leave half of the budget to known callers. */
  take(count: number, share: BodyShare): void {
    const isStranger = share === 'stranger'
    if (
      this.#used + count > this.maxBytes ||
      (isStranger && this.#ofStrangers + count > this.maxBytes * OF_STRANGERS)
    ) {
      throw new KeyProviderError(
        'ERR_OVERLOADED',
        `request bodies in flight: ${this.#used} of ${this.maxBytes} bytes are in use: try again`,
      )
    }
    this.#used += count
    if (isStranger) this.#ofStrangers += count
  }

  /** Gives back `count` bytes, `ofStrangers` of which a stranger took. */
  release(count: number, ofStrangers: number): void {
    this.#used -= count
    this.#ofStrangers -= ofStrangers
  }
}
