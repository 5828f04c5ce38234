import { CfnCondition, type CfnParameter, Fn, type Stack } from 'aws-cdk-lib'
import { CfnKeyGroup, CfnPublicKey } from 'aws-cdk-lib/aws-cloudfront'
import { isSet, only, under } from './conditions.ts'

/** A key that signatures of players may be made with: CloudFront's name of it, and when there is one. */
export interface PlayerKey {
  readonly id: string
  readonly isMade: CfnCondition
}

/** Two places for public keys and the group of those that are there. CloudFront never changes a key: a new one takes the other place. */
export function playerKeys(stack: Stack, isSigned: CfnCondition, a: CfnParameter, b: CfnParameter) {
  const keyOf = (letter: 'A' | 'B', parameter: CfnParameter): PlayerKey => {
    const isMade = new CfnCondition(stack, `HasPlayerKey${letter}`, {
      expression: Fn.conditionAnd(isSigned, isSet(parameter)),
    })
    const name = Fn.sub(`\${AWS::StackName}-\${AWS::Region}-players-${letter.toLowerCase()}`)
    const key = new CfnPublicKey(stack, `PlayerKey${letter}`, {
      publicKeyConfig: { name, callerReference: name, encodedKey: pemOf(parameter) },
    })
    under(isMade, key)
    return { id: key.ref, isMade }
  }
  const keys = [keyOf('A', a), keyOf('B', b)] as const
  const group = new CfnKeyGroup(stack, 'PlayerKeyGroup', {
    keyGroupConfig: {
      name: Fn.sub('${AWS::StackName}-${AWS::Region}-players'),
      items: keys.map(({ id, isMade }) => only(isMade, id)),
    },
  })
  under(isSigned, group)
  return { group, keys }
}

/** The console has one line for an answer: lines of the key are separated by spaces there. */
function pemOf(parameter: CfnParameter): string {
  const lines = Fn.join('\n', Fn.split(' ', parameter.valueAsString))
  return Fn.join('\n', ['-----BEGIN PUBLIC KEY-----', lines, '-----END PUBLIC KEY-----', ''])
}
