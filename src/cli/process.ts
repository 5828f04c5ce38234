import { main } from './main.ts'
import { processWorld } from './shared/world.ts'

// The process of `keyspring`: bin/keyspring.js loads this file.
const world = processWorld()
await main(process.argv.slice(2), world)
// A connection that is kept alive must not delay the end.
process.exit(world.exitCode)
