import type { RequestHead } from '../request.ts'

type Peer = Pick<RequestHead, 'peer' | 'headers'>

/** The proxies of `trustProxy`, and what Keyspring believes of the requests that they forward. */
export class ProxyTrust {
  readonly #addresses: ReadonlySet<string>

  constructor(trustProxy: readonly string[]) {
    this.#addresses = new Set(trustProxy)
  }

  /** Whether a peer is one of the proxies. */
  isTrusted(peer: string): boolean {
    return this.#addresses.size > 0 && this.#addresses.has(withoutMapping(peer))
  }

  /** The address of the caller: the peer, or the last hop in `X-Forwarded-For` that is not a trusted proxy itself. */
  clientAddress({ peer, headers }: Peer): string {
    const near = withoutMapping(peer)
    if (!this.#addresses.has(near)) return near
    // The caller itself may have written the hops further left.
    const hops = String(headers['x-forwarded-for'] ?? '').split(',')
    const far = hops.map((hop) => withoutMapping(hop.trim()))
    return far.findLast((hop) => hop !== '' && !this.#addresses.has(hop)) ?? near
  }

  /** Whether nobody on the way could read the request: TLS ends here, or at a trusted proxy. @see RFC 7239, 5.4 */
  isSecure(request: Peer & Pick<RequestHead, 'secure'>): boolean {
    return request.secure || (this.isTrusted(request.peer) && !cameInTheClear(request))
  }
}

/** A proxy reports that the request came to it without TLS. */
function cameInTheClear({ headers }: Peer): boolean {
  const forwarded = /\bproto="?(\w+)/i.exec(headers.forwarded ?? '')?.[1] ?? ''
  return /\bhttp\b/i.test(`${headers['x-forwarded-proto'] ?? ''},${forwarded}`)
}

/** The IPv4 address inside an IPv6 one, as a listener on both sees it. @see RFC 4291, 2.5.5.2 */
export function withoutMapping(address: string): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address
}
