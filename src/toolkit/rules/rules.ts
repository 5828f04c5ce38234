import { CONTRACT_RULES } from './groups/contract.ts'
import { DETERMINISM_RULES } from './groups/determinism.ts'
import { DOCUMENT_RULES } from './groups/document.ts'
import { ECHO_RULES } from './groups/echo.ts'
import { ENCRYPTION_RULES } from './groups/encryption.ts'
import { FAIRPLAY_RULES } from './groups/fairplay.ts'
import { HLS_RULES } from './groups/hls.ts'
import { HTTP_RULES } from './groups/http.ts'
import { KEY_RULES } from './groups/keys.ts'
import { LEVEL_RULES } from './groups/levels.ts'
import { PLAYREADY_RULES } from './groups/playready.ts'
import { PSSH_RULES } from './groups/pssh.ts'
import { REFUSAL_RULES } from './groups/refusals.ts'
import { REQUEST_RULES } from './groups/request.ts'
import { SIGNALING_RULES } from './groups/signaling.ts'
import { WIDEVINE_RULES } from './groups/widevine.ts'
import type { Rule } from './rule.ts'

/** Every rule. To add one, add an entry to the file of its group and a broken document to test/toolkit/rules. */
export const RULES: readonly Rule[] = [
  ...HTTP_RULES,
  ...DOCUMENT_RULES,
  ...REQUEST_RULES,
  ...CONTRACT_RULES,
  ...ECHO_RULES,
  ...KEY_RULES,
  ...ENCRYPTION_RULES,
  ...SIGNALING_RULES,
  ...HLS_RULES,
  ...PSSH_RULES,
  ...WIDEVINE_RULES,
  ...PLAYREADY_RULES,
  ...FAIRPLAY_RULES,
  ...LEVEL_RULES,
  ...DETERMINISM_RULES,
  ...REFUSAL_RULES,
]

/** The rules by ID. */
export const RULE_BY_ID: ReadonlyMap<string, Rule> = new Map(RULES.map((rule) => [rule.id, rule]))
