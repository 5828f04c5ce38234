import { KeyProviderError } from '../../core/errors.ts'
import type { RequestHead } from '../request.ts'
import { withoutMapping } from './proxy-trust.ts'

/** What these checks read of a request. */
type Head = Pick<RequestHead, 'peer' | 'headers' | 'httpVersion'>

/**
 * Throws ERR_REQUEST_FORWARDED unless a program on this machine sent the request to this machine: the rule of a private
 * listener, which asks for no credentials. A page in a browser reaches a loopback address by DNS rebinding, with its own
 * name as Host. Other machines reach it through a proxy, which leaves a forwarding header or speaks HTTP/1.0.
 */
export function requireLocalCall(head: Head): void {
  if (head.httpVersion === '1.0') {
    throw new KeyProviderError(
      'ERR_REQUEST_FORWARDED',
      'HTTP/1.0: proxies use it when they forward requests, and no credentials are required here. Send HTTP/1.1, name the proxy in trustProxy and add a client, or start with --allow-anonymous',
    )
  }
  if (isForwarded(head)) {
    throw new KeyProviderError(
      'ERR_REQUEST_FORWARDED',
      'a proxy forwarded this request, and no credentials are required here. Name the proxy in trustProxy and add a client, or start with --allow-anonymous',
    )
  }
  if (!isLoopbackHost(head.headers.host ?? '')) {
    throw new KeyProviderError(
      'ERR_REQUEST_FORWARDED',
      'Host: expected localhost or a loopback address, because no credentials are required here. Use http://127.0.0.1, or start with --allow-anonymous to serve other names',
    )
  }
}

/** Whether the request came straight from this machine, through no proxy. */
export function isLocalCall(head: Head): boolean {
  return isLoopbackAddress(withoutMapping(head.peer)) && head.httpVersion !== '1.0' && !isForwarded(head)
}

/** Whether only this machine can reach `address`. @see RFC 1122, 3.2.1.3 (g); RFC 4291, 2.5.3 */
export function isLoopbackAddress(address: string): boolean {
  return address === 'localhost' || address === '::1' || LOOPBACK_IPV4.test(address)
}

const OCTET = '(?:25[0-5]|2[0-4]\\d|1?\\d?\\d)'
const LOOPBACK_IPV4 = new RegExp(`^127(?:\\.${OCTET}){3}$`)
const HOST = /^(\[[0-9a-f:.]+\]|[^[\]:]*)(?::\d{1,5})?$/

const knownHosts = new Set(['localhost', '127.0.0.1'])

/** Whether a Host header names this machine. The hot path: up to 64 accepted values are remembered. */
function isLoopbackHost(host: string): boolean {
  if (knownHosts.has(host)) return true
  const name = HOST.exec(host.toLowerCase())?.[1] ?? ''
  const isLocal = isLoopbackAddress(name.startsWith('[') ? name.slice(1, -1) : name)
  if (isLocal && knownHosts.size < 64 && host.length <= 64) knownHosts.add(host)
  return isLocal
}

/** The headers that proxies, load balancers and CDNs add to the requests they forward, besides `X-Forwarded-*`. */
const FORWARDING_HEADERS: ReadonlySet<string> = new Set([
  'forwarded',
  'via',
  'x-real-ip',
  'x-client-ip',
  'client-ip',
  'x-cluster-client-ip',
  'x-original-forwarded-for',
  'x-original-host',
  'x-original-uri',
  'x-original-url',
  'x-proxyuser-ip',
  'wl-proxy-client-ip',
  'proxy-client-ip',
  'true-client-ip',
  'akamai-origin-hop',
  'fastly-client-ip',
  'fastly-ff',
  'fly-client-ip',
  'cf-connecting-ip',
  'cf-connecting-ipv6',
  'cf-pseudo-ipv4',
  'cf-ray',
  'cf-visitor',
  'cf-worker',
  'cdn-loop',
  'x-azure-clientip',
  'x-azure-socketip',
  'x-azure-ref',
  'x-appengine-user-ip',
  'x-envoy-external-address',
  'x-envoy-internal',
  'x-envoy-original-path',
  'x-envoy-attempt-count',
  'x-envoy-expected-rq-timeout-ms',
  'x-amz-cf-id',
  'x-varnish',
  'x-haproxy-server-state',
  'x-scheme',
  'x-arr-log-id',
  'x-arr-ssl',
  'x-nginx-proxy',
  'ngrok-trace-id',
])

function isForwarded({ headers }: Head): boolean {
  for (const name in headers) {
    if (name.startsWith('x-forwarded') || FORWARDING_HEADERS.has(name)) return true
  }
  return false
}
