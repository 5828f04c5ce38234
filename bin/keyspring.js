#!/usr/bin/env -S node --max-semi-space-size=16
// The flag keeps the memory of short-lived garbage to 48 MB: V8 would let it grow to 128 and more.
//
// Plain old JavaScript: an old Node must be able to read it, to say that it is too old.
var major = Number(process.versions.node.split('.')[0])

if (major < 24) {
  console.error(`keyspring: needs Node.js 24 or newer, this is ${process.versions.node}`)
  process.exit(2)
} else {
  start()
}

function start() {
  Promise.all([import('node:module'), import('node:fs')]).then((modules) => {
    modules[0].enableCompileCache()
    var built = new URL('../dist/cli/main.js', import.meta.url)
    var source = new URL('../src/cli/main.ts', import.meta.url)
    return import((modules[1].existsSync(built) ? built : source).href)
  })
}
