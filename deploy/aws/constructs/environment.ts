import { Aws, type CfnCondition, type CfnParameter, Fn } from 'aws-cdk-lib'
import { only } from './conditions.ts'
import type { Configuration } from './configuration.ts'
import type { SERVERLESS_PARAMETERS } from './parameter-table.ts'
import type { Storage } from './storage.ts'

/** Settings of Keyspring as a function has them. @see docs/config.md */
export type Environment = Readonly<Record<string, string>>

export interface EnvironmentOptions {
  readonly parameters: Readonly<Record<keyof typeof SERVERLESS_PARAMETERS, CfnParameter>>
  readonly storage: Storage
  readonly configuration: Configuration
  readonly conditions: Readonly<
    Record<
      'players' | 'hasBus' | 'usesRootSecret' | 'usesJwt' | 'usesJwks' | 'usesJwtSecret' | 'hasOrigins' | 'hasCookie',
      CfnCondition
    >
  >
}

/** Where players ask for keys and licences. */
const PLAYER_URL = Fn.sub('https://${PlayerDomainName}')
/** What stands in key URLs while players are off: a name that never resolves. */
const NOBODY = 'https://players-are-off.invalid'

/** What every function is told. */
function commonEnvironment(options: EnvironmentOptions): Environment {
  const { storage, configuration, parameters, conditions } = options
  const { usesRootSecret } = conditions
  return {
    // The dimension by which the alarms find the metrics of this stack.
    AWS_EMF_SERVICE_NAME: Aws.STACK_NAME,
    KEYSPRING_CONFIG: configuration.arn,
    KEYSPRING_CONFIG_YAML: configuration.text,
    KEYSPRING_STORE: 'dynamodb',
    KEYSPRING_DYNAMODB_TABLE: storage.tableName,
    KEYSPRING_ROOT_KEY_KIND: 'aws-kms',
    KEYSPRING_ROOT_KEY_AWS_KMS_KEY_ID: storage.keyArn,
    KEYSPRING_CONTENT_KEYS_POLICY: Fn.conditionIf(usesRootSecret.logicalId, 'derived-root', 'derived').toString(),
    KEYSPRING_CONTENT_KEYS_ROOT_SECRET_FILE: only(usesRootSecret, parameters.RootSecretArn.valueAsString),
    // Whoever of this account IAM lets call the API. No other account can be let in: that would need a policy of the API.
    KEYSPRING_AUTH_GATEWAY_CALLERS: Aws.ACCOUNT_ID,
  }
}

/** What the functions for encryptors, for sweeping and for watching are told. */
export function issuerEnvironment(options: EnvironmentOptions): Environment {
  const { conditions, parameters } = options
  return {
    ...commonEnvironment(options),
    KEYSPRING_PUBLIC_URL: Fn.conditionIf(conditions.players.logicalId, PLAYER_URL, NOBODY).toString(),
    KEYSPRING_SIGNALING_PROFILE: parameters.SignalingProfile.valueAsString,
    KEYSPRING_EVENTS_EVENT_BUS: only(conditions.hasBus, parameters.EventBusName.valueAsString),
    // Its API has no path for players.
    KEYSPRING_PLAYBACK_ACCESS: 'open',
  }
}

/** What the function for players is told. Where CloudFront checks signed cookies, whoever gets here may have the key. */
export function playerEnvironment(options: EnvironmentOptions): Environment {
  const { parameters, conditions } = options
  const { usesJwt, usesJwks, usesJwtSecret, hasOrigins, hasCookie } = conditions
  return {
    ...commonEnvironment(options),
    KEYSPRING_PUBLIC_URL: PLAYER_URL,
    KEYSPRING_PLAYBACK_ACCESS: Fn.conditionIf(usesJwt.logicalId, 'jwt', 'open').toString(),
    KEYSPRING_PLAYBACK_JWT_JWKS: only(usesJwks, parameters.PlayerJwksUrl.valueAsString),
    KEYSPRING_PLAYBACK_JWT_SECRET_FILE: only(usesJwtSecret, parameters.PlayerJwtSecretArn.valueAsString),
    KEYSPRING_PLAYBACK_ORIGINS: only(hasOrigins, Fn.join(',', parameters.PlayerOrigins.valueAsList)),
    KEYSPRING_PLAYBACK_TOKEN_COOKIE: only(hasCookie, parameters.PlayerTokenCookie.valueAsString),
    // The address that the API sees is CloudFront's: viewers would share a limit. The API has its own.
    KEYSPRING_PLAYBACK_RATE_LIMIT_PER_SECOND: '0',
  }
}
