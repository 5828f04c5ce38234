/** What `keyspring/lambda` exports: the handler of an AWS Lambda function. */
import { createLambda, type LambdaHandler } from '../server/lambda/handler.ts'
import { startLambda } from '../server/lambda/start.ts'

export type { LambdaHandler } from '../server/lambda/handler.ts'

/** Answers events of API Gateway, function URLs and load balancers by the settings of the environment, from the first one on. */
export const handler: LambdaHandler = createLambda(startLambda).handler
