import { test } from 'node:test'
import { selfTestKeys } from '../../../src/keys/crypto/self-test.ts'

test('derivation and sealing give what they always gave', () => selfTestKeys())
