import { test } from 'node:test'
import { selfTestKeys } from '../../src/keys/self-test.ts'

test('derivation and sealing give what they always gave', () => selfTestKeys())
