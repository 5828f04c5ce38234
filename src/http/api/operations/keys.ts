import { z } from 'zod'
import { IMPORT_REPORT, KEY_LIST, SHOWN_KEYS } from '../../../operations/answers/keys.ts'
import { listKeys, showKey } from '../../../operations/contents/keys.ts'
import { importKeys } from '../../../operations/import/keys.ts'
import { contentIdText, contentKeyClass, contentParams, flag, forceOf, kid, reason } from '../fields.ts'
import { operation } from '../operation.ts'

const KID = '71d0c4be-2f35-4a1b-8e69-c0a4b7d3e101'
/** The format of a body, by its media type, unless the query names one. */
const FORMATS: Readonly<Record<string, string>> = {
  'application/json': 'json',
  'text/csv': 'csv',
  'application/xml': 'cpix',
}
const JSON_EXAMPLE = { keys: [{ contentId: 'movie', kid: KID, key: '00112233445566778899aabbccddeeff' }] }

const KEY = {
  kid: KID,
  class: 'drm',
  source: 'derived',
  issued: true,
  commonEncryptionScheme: 'cbcs',
  intendedTrackTypes: ['VIDEO'],
}

export const list = operation({
  id: 'listKeys',
  method: 'get',
  path: '/api/contents/{content}/keys',
  tag: 'keys',
  summary: 'Lists the keys of a content, without the key values',
  description: 'The keys that encryptors received, and stored overrides.',
  scope: 'keys:read',
  params: contentParams,
  answer: KEY_LIST,
  example: { contentId: 'live-1', keys: [KEY], more: false },
  refusals: ['ERR_CONTENT_NOT_FOUND'],
  handle: ({ path, caller }, { management }) => listKeys(management, caller.operator, { contentId: path.content }),
})

export const show = operation({
  id: 'showKey',
  method: 'get',
  path: '/api/contents/{content}/keys/{kid}',
  tag: 'keys',
  summary: 'Shows the key of a kid, with its check value',
  description: 'In each class that the kid has. The check value distinguishes two keys and does not reveal them.',
  scope: 'keys:read',
  params: z.strictObject({ ...contentParams.shape, kid }),
  answer: SHOWN_KEYS,
  example: { keys: [{ ...KEY, checkValue: 'fde4fb' }] },
  refusals: ['ERR_CONTENT_NOT_FOUND', 'ERR_KEY_NOT_FOUND', 'ERR_CONTENT_GONE', 'ERR_CONTENT_EXPIRED'],
  async handle({ path, caller }, { management }) {
    return { keys: await showKey(management, caller.operator, { contentId: path.content, kid: path.kid }) }
  },
})

export const importing = operation({
  id: 'importKeys',
  method: 'post',
  path: '/api/keys/import',
  tag: 'keys',
  summary: 'Imports keys',
  description:
    'Keyspring reads the whole import and compares it with the stored keys first. It stores nothing if there is one problem, or one key that would change keys which encryptors may hold, unless the import is forced with a reason. The same import again changes nothing. Answers show check values, never keys.',
  scope: 'keys:write',
  query: z.strictObject({
    format: z
      .enum(['json', 'csv', 'cpix', 'jwk', 'shaka-packager', 'bento4', 'reference-server', 'playready-seed'])
      .optional()
      .meta({ description: 'Default: `json`, `csv` or `cpix`, by the media type.' }),
    contentId: contentIdText.optional().meta({ description: 'The content of keys that name no content.' }),
    contentKeyClass: contentKeyClass.optional(),
    dryRun: flag('Report what would happen to each key, and store nothing.').optional(),
    ignoreSignature: flag('Import a document although its XML signatures are not verified.').optional(),
    force: flag('Change keys that encryptors may hold. Requires a reason.').optional(),
    reason: reason.optional(),
  }),
  rawBodies: [
    {
      mediaType: 'application/json',
      description:
        'Keys, each with `contentId`, `kid`, `key` and optionally `iv` and `class`; or the format in `format`.',
      example: JSON_EXAMPLE,
    },
    {
      mediaType: 'text/csv',
      description: 'A header line `contentId,kid,key[,iv][,class]`, then one line for each key.',
      example: `contentId,kid,key\nmovie,${KID},00112233445566778899aabbccddeeff\n`,
    },
    {
      mediaType: 'application/xml',
      description:
        'A CPIX document whose content keys are in the clear, or encrypted to the certificate of this server.',
      example: `<CPIX xmlns="urn:dashif:org:cpix" xmlns:pskc="urn:ietf:params:xml:ns:keyprov:pskc" contentId="movie" version="2.3"><ContentKeyList><ContentKey kid="${KID}"><Data><pskc:Secret><pskc:PlainValue>ABEiM0RVZneImaq7zN3u/w==</pskc:PlainValue></pskc:Secret></Data></ContentKey></ContentKeyList></CPIX>`,
    },
  ],
  answer: IMPORT_REPORT,
  example: {
    dryRun: false,
    stored: 1,
    same: 0,
    refused: 0,
    keys: [{ contentId: 'movie', kid: KID, contentKeyClass: 'drm', status: 'stored', checkValue: 'fde4fb' }],
    notes: [],
  },
  refusals: ['ERR_IMPORT_INVALID', 'ERR_OVERRIDE_EXISTS', 'ERR_CONTENT_GONE', 'ERR_KEY_UNWRAP_FAILED'],
  once: true,
  handle({ query, bytes, mediaType, caller }, { management, importKey }) {
    const { format = FORMATS[mediaType] ?? '', contentId, contentKeyClass: keyClass, dryRun, ignoreSignature } = query
    return importKeys(management, caller.operator, {
      ...forceOf(query),
      format,
      bytes,
      contentId,
      contentKeyClass: keyClass,
      dryRun,
      ignoreSignature,
      importKey,
      authorize: (id) => caller.authorize({ scope: 'keys:write', contentId: id }),
    })
  },
})
