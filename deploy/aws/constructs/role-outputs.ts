import type { Stack } from 'aws-cdk-lib'
import type { EncryptorRoles } from './encryptor-roles.ts'
import { output } from './outputs.ts'

/** The ARNs of the roles, under the names of the reference server where it had them. */
export function encryptorOutputs(stack: Stack, roles: EncryptorRoles): void {
  const { mediaPackage, mediaConvert, mediaConnect, bitmovin, hasBitmovin } = roles
  output(stack, 'MediaPackageSPEKERoleArn', mediaPackage.attrArn, 'The role for MediaPackage, v1 and v2')
  output(stack, 'MediaConvertSPEKERoleArn', mediaConvert.attrArn, 'The role for jobs of MediaConvert')
  output(stack, 'MediaConnectSPEKERoleArn', mediaConnect.attrArn, 'The role for flows of MediaConnect')
  output(stack, 'BitmovinSPEKERoleArn', bitmovin.attrArn, 'The role for Bitmovin, with its external id', hasBitmovin)
}
