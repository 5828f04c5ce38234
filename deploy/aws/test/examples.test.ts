import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { AUDIO_PRESET_NAMES, VIDEO_PRESET_NAMES } from '../../../src/toolkit/encryptor/request/presets.ts'
import type { CloudFormationTemplate } from '../plain-stack.ts'
import { CODE, NODES } from './answers.ts'
import { deploy, type Plain, resource } from './resolve.ts'
import { EXAMPLES, templateOf } from './templates.ts'

const exampleOf = (name: string): CloudFormationTemplate =>
  JSON.parse(readFileSync(join(EXAMPLES, `${name}.json`), 'utf8'))

const URL_OF_STACK = 'imported keyspring-SPEKEServerURL'
const ROLE_OF_MEDIAPACKAGE = 'imported keyspring-MediaPackageSPEKERoleArn'

describe('examples for encryptors', () => {
  test('are all looked at here', () => {
    assert.deepEqual(readdirSync(EXAMPLES).sort(), [
      'mediaconvert.json',
      'mediapackage-v1.json',
      'mediapackage-v2.json',
    ])
  })

  test('import only what both templates export', () => {
    const exported = [deploy(templateOf('keyspring-serverless'), CODE), deploy(templateOf('keyspring-gateway'), NODES)]
    for (const name of ['mediaconvert', 'mediapackage-v1', 'mediapackage-v2']) {
      const imports = [...readFileSync(join(EXAMPLES, `${name}.json`), 'utf8').matchAll(/\$\{Keyspring\}-(\w+)/g)]
      assert.ok(imports.length >= 2)
      for (const [, output = ''] of imports) for (const { outputs } of exported) assert.ok(outputs.has(output), output)
    }
  })

  test('MediaPackage v2 asks at the URL of the stack with its role, by SPEKE 2 with presets that there are', () => {
    const { Encryption } = resource(deploy(exampleOf('mediapackage-v2'), { ContentId: 'live-1' }), 'Endpoint')
      .properties.Segment
    const { SpekeKeyProvider } = Encryption
    assert.equal(SpekeKeyProvider.Url, URL_OF_STACK)
    assert.equal(SpekeKeyProvider.RoleArn, ROLE_OF_MEDIAPACKAGE)
    assert.equal(SpekeKeyProvider.ResourceId, 'live-1')
    assertPresets(SpekeKeyProvider.EncryptionContractConfiguration, 'PresetSpeke20Video', 'PresetSpeke20Audio')
  })

  test('MediaPackage v2 takes no rotation below 300 s, and contentIds of its letters alone', () => {
    const example = exampleOf('mediapackage-v2')
    assert.throws(() => deploy(example, { ContentId: 'live-1', RotationSeconds: 299 }), /does not take/)
    assert.throws(() => deploy(example, { ContentId: 'live 1' }), /does not take/)
  })

  test('MediaPackage v1 asks for HLS AES-128 by SPEKE 1.0: no presets', () => {
    const { HlsPackage } = resource(
      deploy(exampleOf('mediapackage-v1'), { ContentId: 'live-1' }),
      'Endpoint',
    ).properties
    const { SpekeKeyProvider, EncryptionMethod } = HlsPackage.Encryption
    assert.equal(EncryptionMethod, 'AES_128')
    assert.equal(SpekeKeyProvider.Url, URL_OF_STACK)
    assert.equal(SpekeKeyProvider.RoleArn, ROLE_OF_MEDIAPACKAGE)
    assert.equal(SpekeKeyProvider.EncryptionContractConfiguration, undefined)
    assert.deepEqual(SpekeKeyProvider.SystemIds, ['81376844-f976-481e-a84e-cc25d39b0b33'])
  })

  test('MediaConvert asks at the URL of the stack; the role is the job’s, and the stack names it', () => {
    const deployed = deploy(exampleOf('mediaconvert'), { ContentId: 'film-1', Destination: 's3://my-streams/film-1/' })
    const [group] = resource(deployed, 'JobTemplate').properties.SettingsJson.OutputGroups
    const { SpekeKeyProvider } = group.OutputGroupSettings.CmafGroupSettings.Encryption
    assert.equal(SpekeKeyProvider.Url, URL_OF_STACK)
    assert.equal(SpekeKeyProvider.RoleArn, undefined)
    assertPresets(SpekeKeyProvider.EncryptionContractConfiguration, 'SpekeVideoPreset', 'SpekeAudioPreset')
    assert.equal(deployed.outputs.get('Role'), 'imported keyspring-MediaConvertSPEKERoleArn')
  })
})

/** CloudFormation writes `PRESET_VIDEO_1`, our table `VIDEO-1`. */
function assertPresets(contract: Plain, video: string, audio: string): void {
  const names = (known: readonly string[]) => known.map((name) => `PRESET_${name.replaceAll('-', '_')}`)
  assert.ok(names(VIDEO_PRESET_NAMES).includes(contract[video]), contract[video])
  assert.ok(names(AUDIO_PRESET_NAMES).includes(contract[audio]), contract[audio])
}
