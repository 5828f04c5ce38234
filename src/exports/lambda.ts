/** Exports of `keyspring/lambda`: the handler of an AWS Lambda function. */
import { createLambda, type LambdaHandler } from '../server/lambda/handler.ts'
import { startLambda } from '../server/lambda/start.ts'

export type { LambdaHandler } from '../server/lambda/handler.ts'

/** Answers events of API Gateway, function URLs and load balancers. Reads its settings from the environment at the first event. */
export const handler: LambdaHandler = createLambda(startLambda).handler
