import { KeyProviderError } from '../../core/errors.ts'
import type { Call } from '../call.ts'
import type { RouteName } from '../route.ts'

/** A check that throws for a call that is not to be served; `route` is what it asks for, undefined where there is no such thing. */
export type CallCheck = (call: Call, route?: RouteName) => void

/**
 * Serves only calls that a program on this machine made to this machine: the rule while nobody has to authenticate. A
 * page in a browser reaches a loopback address by DNS rebinding, with its own name as Host; the outside reaches it
 * through a proxy, which leaves a forwarding header. `trustProxy` lists the addresses of proxies that may forward.
 */
export function onlyLocalCalls(trustProxy: readonly string[]): CallCheck {
  const trusted = new Set(trustProxy)
  return (call) => {
    if (trusted.size > 0 && trusted.has(withoutMapping(call.peer))) return
    if (isForwarded(call)) {
      throw new KeyProviderError(
        'ERR_REQUEST_FORWARDED',
        'a proxy forwarded this request and nobody has to authenticate here: name the proxy in trustProxy, or start with --allow-anonymous',
      )
    }
    if (!isLoopbackHost(call.headers.host ?? '')) {
      throw new KeyProviderError(
        'ERR_REQUEST_FORWARDED',
        'Host: expected localhost or a loopback address, for nobody has to authenticate here: start with --allow-anonymous to serve other names',
      )
    }
  }
}

/** Whether the call came straight from this machine, by no proxy. */
export function isLocalCall(call: Call): boolean {
  return isLoopbackAddress(withoutMapping(call.peer)) && !isForwarded(call)
}

/** Whether `address` can be reached from this machine alone. @see RFC 1122, 3.2.1.3 (g); RFC 4291, 2.5.3 */
export function isLoopbackAddress(address: string): boolean {
  return address === 'localhost' || address === '::1' || LOOPBACK_IPV4.test(address)
}

const OCTET = '(?:25[0-5]|2[0-4]\\d|1?\\d?\\d)'
const LOOPBACK_IPV4 = new RegExp(`^127(?:\\.${OCTET}){3}$`)
const HOST = /^(\[[0-9a-f:.]+\]|[^[\]:]*)(?::\d{1,5})?$/

const knownHosts = new Set(['localhost', '127.0.0.1'])

/** Whether a Host header names this machine. What was found to is remembered, up to a bound: it is the hot path. */
function isLoopbackHost(host: string): boolean {
  if (knownHosts.has(host)) return true
  const name = HOST.exec(host.toLowerCase())?.[1] ?? ''
  const local = isLoopbackAddress(name.startsWith('[') ? name.slice(1, -1) : name)
  if (local && knownHosts.size < 64) knownHosts.add(host)
  return local
}

function isForwarded({ headers }: Call): boolean {
  if (headers.forwarded !== undefined || headers.via !== undefined) return true
  for (const name in headers) if (name.startsWith('x-forwarded')) return true
  return false
}

/**
 * Refuses what a page of another site makes a browser send: it may hold credentials of its own accord (Basic, a certificate), or
 * need none on this machine. @see https://www.w3.org/TR/fetch-metadata/
 */
export function refuseOtherSites({ headers }: Call): void {
  const site = headers['sec-fetch-site']
  const isOther = site === undefined ? isOtherOrigin(headers) : site !== 'same-origin' && site !== 'none'
  if (!isOther) return
  throw new KeyProviderError(
    'ERR_REQUEST_FORWARDED',
    'a page of another origin sent this request: the management API is not for browsers elsewhere',
  )
}

function isOtherOrigin({ origin, host }: Call['headers']): boolean {
  return origin !== undefined && !(URL.canParse(origin) && new URL(origin).host === host)
}

/** The address of who calls: that of the peer, or of the last hop that the trusted proxies before it name. */
export function clientAddress(trustProxy: readonly string[]): (call: Call) => string {
  const trusted = new Set(trustProxy)
  return ({ peer, headers }) => {
    const near = withoutMapping(peer)
    if (!trusted.has(near)) return near
    // What stands further left was written by whoever it names.
    const hops = String(headers['x-forwarded-for'] ?? '').split(',')
    const far = hops.map((hop) => withoutMapping(hop.trim())).findLast((hop) => hop !== '' && !trusted.has(hop))
    return far ?? near
  }
}

/** Whether a peer is one of the proxies that are trusted. */
export function proxyAmong(trustProxy: readonly string[]): (peer: string) => boolean {
  const trusted = new Set(trustProxy)
  return (peer) => trusted.size > 0 && trusted.has(withoutMapping(peer))
}

/** Whether a proxy says that the request came to it without TLS. @see RFC 7239, 5.4 */
export function wasInTheClear({ headers }: Call): boolean {
  const said = `${headers['x-forwarded-proto'] ?? ''},${/\bproto="?(\w+)/i.exec(headers.forwarded ?? '')?.[1] ?? ''}`
  return /\bhttp\b/i.test(said)
}

/** The IPv4 address inside an IPv6 one, as a listener on both sees it. @see RFC 4291, 2.5.5.2 */
function withoutMapping(address: string): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address
}
