import { createLambda } from './handler.ts'
import { startLambda } from './start.ts'

// The entry point of the bundle. The server starts with the instance, while Lambda gives it the whole processor.

const lambda = createLambda(startLambda)

export const { handler } = lambda
await lambda.prepare()
