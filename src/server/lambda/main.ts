import { createLambda } from './handler.ts'
import { startLambda } from './start.ts'

// What the bundle is made of. The server starts while the instance does, when Lambda gives it the whole processor.

const lambda = createLambda(startLambda)

export const { handler } = lambda
await lambda.prepare()
