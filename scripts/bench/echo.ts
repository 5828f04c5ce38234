import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'

/**
 * The bare server that Keyspring is measured against: node:http, which reads the whole body and sends the bytes of the file
 * named after its path. `node scripts/bench/echo.ts DIRECTORY` prints its port.
 */
const [directory = '.'] = process.argv.slice(2)
const answers = new Map<string, Buffer>()

const server = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const name = request.url?.slice(1) ?? ''
    const body = answers.get(name) ?? readFileSync(`${directory}/${name}`)
    answers.set(name, body)
    response.writeHead(200, { 'Content-Type': 'application/xml', 'Content-Length': body.length })
    response.end(body)
  })
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  console.log(typeof address === 'object' ? address?.port : address)
})
process.on('SIGTERM', () => process.exit(0))
