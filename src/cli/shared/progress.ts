/** Says how far something has come on standard error: over and over on one line of a terminal, now and then otherwise. */
export function progressLine(every = 10_000): {
  readonly say: (done: number, text: string) => void
  readonly end: () => void
} {
  const { isTTY = false } = process.stderr
  let isOpen = false
  let told = 0
  return {
    say(done, text) {
      if (isTTY) process.stderr.write(`\r${text}\u001b[K`)
      else if (done - told >= every) {
        told = done
        process.stderr.write(`${text}\n`)
      }
      isOpen = isTTY
    },
    end() {
      if (isOpen) process.stderr.write('\n')
      isOpen = false
    },
  }
}
