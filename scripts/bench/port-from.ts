/**
 * The first group of `pattern` in what a process prints. Reading goes on afterwards: a process whose output nobody reads
 * ends with EPIPE at its next line.
 */
export function portFrom(output: NodeJS.ReadableStream | null, pattern: RegExp): Promise<number> {
  return new Promise((resolve, reject) => {
    let text = ''
    output?.on('data', (chunk) => {
      if (text.length > 65_536) return
      text += String(chunk)
      const port = pattern.exec(text)?.[1]
      if (port !== undefined) resolve(Number(port))
    })
    output?.on('end', () => reject(new Error(`the server did not start: ${text}`)))
  })
}
