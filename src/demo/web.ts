import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join, normalize, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

/** What the web server serves at a path: a file, a folder, or JSON built for each request. */
type Served = { readonly file: string } | { readonly folder: string } | { readonly json: () => Promise<unknown> }

interface Web {
  /** The base URL. */
  readonly url: string
  close(): Promise<void>
}

const INSTALLED = fileURLToPath(new URL('../../node_modules/', import.meta.url))

/** The players from npm. */
export const PLAYERS: Readonly<Record<string, Served>> = {
  '/players/shaka-player.js': { file: join(INSTALLED, 'shaka-player/dist/shaka-player.compiled.js') },
  '/players/dash.js': { file: join(INSTALLED, 'dashjs/dist/modern/umd/dash.all.min.js') },
  '/players/hls.js': { file: join(INSTALLED, 'hls.js/dist/hls.min.js') },
}

/** Serves a table of paths on 127.0.0.1. The path of a folder ends with a slash. Rejects if the port is in use. */
export async function serveWeb(table: Readonly<Record<string, Served>>, port = 0): Promise<Web> {
  const server = createServer((request, response) => {
    const found = request.method === 'GET' || request.method === 'HEAD' ? find(table, request.url ?? '') : undefined
    if (found === undefined) response.writeHead(404).end('not found')
    else if ('json' in found) {
      found.json().then(
        (value) => {
          response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' })
          response.end(JSON.stringify(value))
        },
        () => response.writeHead(500).end('internal error'),
      )
    } else {
      stat(found.file).then(
        ({ size }) => {
          const type = TYPES[extname(found.file)] ?? 'application/octet-stream'
          response.writeHead(200, { 'content-type': type, 'content-length': size, 'cache-control': 'no-store' })
          if (request.method === 'HEAD') response.end()
          else createReadStream(found.file).pipe(response)
        },
        () => response.writeHead(404).end('not found'),
      )
    }
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.mpd': 'application/dash+xml',
  '.m3u8': 'application/vnd.apple.mpegurl',
  '.mp4': 'video/mp4',
  '.m4s': 'video/iso.segment',
  '.ts': 'video/mp2t',
}

function find(table: Readonly<Record<string, Served>>, url: string) {
  const path = url.replace(/[?#].*$/s, '')
  const served = table[path]
  if (served !== undefined) return 'folder' in served ? undefined : served
  for (const [prefix, one] of Object.entries(table)) {
    if (!('folder' in one) || !path.startsWith(prefix)) continue
    const file = normalize(join(one.folder, path.slice(prefix.length)))
    // A path must not leave its folder.
    if (file.startsWith(one.folder + sep)) return { file }
  }
  return undefined
}
