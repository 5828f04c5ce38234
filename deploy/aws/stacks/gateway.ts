import { type App, CfnCondition, Fn } from 'aws-cdk-lib'
import { CfnClientCertificate } from 'aws-cdk-lib/aws-apigateway'
import { API_ALARMS } from '../constructs/alarm-table.ts'
import { alarmTopic } from '../constructs/alarm-topic.ts'
import { alarms } from '../constructs/alarms.ts'
import { apiGatewayLogRole } from '../constructs/api-logs.ts'
import { only, under, whenEqual, whenSet } from '../constructs/conditions.ts'
import { encryptorRoles } from '../constructs/encryptor-roles.ts'
import { nodeIntegration } from '../constructs/node-integration.ts'
import { output } from '../constructs/outputs.ts'
import { ENCRYPTOR_PARAMETERS, GATEWAY_PARAMETERS, OPERATION_PARAMETERS } from '../constructs/parameter-table.ts'
import { parameters } from '../constructs/parameters.ts'
import { methodArn, restApi, stageUrl } from '../constructs/rest-api.ts'
import { encryptorOutputs } from '../constructs/role-outputs.ts'
import { SPEKE_ROUTES, SPEKE_STAGE } from '../constructs/routes.ts'
import { encryptorWebAcl } from '../constructs/web-acl.ts'
import { PlainStack } from '../plain-stack.ts'

/** API Gateway in front of nodes of your own: it checks the signatures of encryptors and says who they are. */
export function gatewayStack(app: App, name: string): PlainStack {
  const stack = new PlainStack(app, name, 'API Gateway in front of nodes of Keyspring')
  const asked = parameters(stack, { ...GATEWAY_PARAMETERS, ...ENCRYPTOR_PARAMETERS, ...OPERATION_PARAMETERS })
  const logRetentionDays = asked.LogRetentionDays.valueAsNumber

  const hasA = new CfnCondition(stack, 'HasCertificateA', { expression: notEqual('b') })
  const hasB = new CfnCondition(stack, 'HasCertificateB', { expression: notEqual('a') })
  const usesA = new CfnCondition(stack, 'UsesCertificateA', { expression: Fn.conditionOr(equal('a'), equal('ab')) })
  const certificateA = new CfnClientCertificate(stack, 'CertificateA', {
    description: 'By what the gateway proves itself, a',
  })
  const certificateB = new CfnClientCertificate(stack, 'CertificateB', {
    description: 'By what the gateway proves itself, b',
  })
  under(hasA, certificateA)
  under(hasB, certificateB)

  const hasSecret = whenSet(stack, 'HasGatewaySecret', asked.GatewaySecretArn)
  const api = restApi(stack, 'SpekeApi', {
    description: 'Keyspring: SPEKE, for encryptors that sign with IAM; nodes of your own answer',
    stageName: SPEKE_STAGE,
    routes: SPEKE_ROUTES,
    integration: nodeIntegration,
    requestsPerSecond: asked.EncryptorRequestsPerSecond.valueAsNumber,
    burst: asked.EncryptorBurst.valueAsNumber,
    logRetentionDays,
    clientCertificateId: Fn.conditionIf(usesA.logicalId, certificateA.ref, certificateB.ref).toString(),
    variables: {
      host: Fn.select(2, Fn.split('/', asked.KeyspringUrl.valueAsString)),
      secret: only(hasSecret, Fn.sub('{{resolve:secretsmanager:${GatewaySecretArn}:SecretString}}')),
    },
    stageDescription: apiGatewayLogRole(stack, whenEqual(stack, 'MakesLogRole', asked.ApiGatewayLogRole, 'create')),
  })
  encryptorWebAcl(stack, whenEqual(stack, 'HasWebAcl', asked.WebAcl, 'true'), api.api, api.stage)
  const roles = encryptorRoles(
    stack,
    asked,
    SPEKE_ROUTES.map((route) => methodArn(api.api, SPEKE_STAGE, route)),
  )
  const topic = alarmTopic(stack, asked.AlarmEmail)
  alarms(stack, API_ALARMS, {
    topicArn: topic.ref,
    dimensions: { spekeApi: { ApiName: Fn.sub('${AWS::StackName}-SpekeApi'), Stage: SPEKE_STAGE } },
  })

  output(
    stack,
    'SPEKEServerURL',
    `${stageUrl(api.api, SPEKE_STAGE)}/copyProtection`,
    'The URL for encryptors: any version of SPEKE',
  )
  encryptorOutputs(stack, roles)
  output(stack, 'CertificateIdA', certificateA.ref, 'aws apigateway get-client-certificate tells its text', hasA)
  output(stack, 'CertificateIdB', certificateB.ref, 'aws apigateway get-client-certificate tells its text', hasB)
  output(stack, 'AlarmTopicArn', topic.ref, 'Where alarms go')
  return stack
}

function equal(value: string) {
  return Fn.conditionEquals(Fn.ref('ClientCertificates'), value)
}

function notEqual(value: string) {
  return Fn.conditionNot(equal(value))
}
