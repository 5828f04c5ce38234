#!/usr/bin/env -S node --max-semi-space-size=16
// The flag limits the memory for short-lived objects to 48 MB: V8 would let it grow to 128 MB and more.
//
// Old JavaScript on purpose: an old Node must be able to read it, to report that it is too old.
var major = Number(process.versions.node.split('.')[0])

if (major < 24) {
  console.error(`keyspring: needs Node.js 24 or newer, this is ${process.versions.node}`)
  process.exit(2)
} else {
  start()
}

function start() {
  // Without a listener, SIGHUP ends the process. A server that still starts has nothing to reload yet.
  if (process.argv[2] === 'serve') process.on('SIGHUP', () => {})
  Promise.all([import('node:module'), import('node:fs')]).then((modules) => {
    modules[0].enableCompileCache()
    // A clone has the source, and after `npm pack` also a build that edits make stale. A package has only the build.
    var source = new URL('../src/cli/process.ts', import.meta.url)
    var built = new URL('../dist/cli/process.js', import.meta.url)
    return import((modules[1].existsSync(source) ? source : built).href)
  })
}
