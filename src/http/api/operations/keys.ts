import { z } from 'zod'
import { IMPORT_REPORT, KEY_LIST, SHOWN_KEYS } from '../../../operations/answers/keys.ts'
import { listKeys, showKey } from '../../../operations/contents/keys.ts'
import { importKeys } from '../../../operations/import/keys.ts'
import { contentIdText, contentKeyClass, contentParams, flag, forceOf, kid, reason } from '../fields.ts'
import { operation } from '../operation.ts'

const KID = '71d0c4be-2f35-4a1b-8e69-c0a4b7d3e101'
/** What a body is unless the query says otherwise. */
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
  summary: 'The keys of a content, without the keys themselves',
  description: 'Those that encryptors were given, and those that stand in their stead.',
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
  summary: 'What is known of the key of a kid, with its check value',
  description: 'In each class that it has. The check value tells two keys apart, and no more.',
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
  summary: 'Stores keys that somebody brings',
  description:
    'Everything is read and compared with what stands before anything is stored: one problem, or one key that would change what encryptors may hold, and nothing is, unless it is forced with a reason. The same again changes nothing. Answers show check values, never keys.',
  scope: 'keys:write',
  query: z.strictObject({
    format: z
      .enum(['json', 'csv', 'cpix', 'jwk', 'shaka-packager', 'bento4', 'reference-server', 'playready-seed'])
      .optional()
      .meta({ description: 'Not given: `json`, `csv` or `cpix`, by the media type.' }),
    contentId: contentIdText.optional().meta({ description: 'The content of keys that name none.' }),
    contentKeyClass: contentKeyClass.optional(),
    dryRun: flag('Only say what would become of each key.').optional(),
    ignoreSignature: flag('Import a document although its XML signatures are not verified.').optional(),
    force: flag('Change keys that encryptors may hold. It needs a reason.').optional(),
    reason: reason.optional(),
  }),
  rawBodies: [
    {
      mediaType: 'application/json',
      description: 'Keys, each with `contentId`, `kid`, `key` and maybe `iv` and `class`; or what `format` says.',
      example: JSON_EXAMPLE,
    },
    {
      mediaType: 'text/csv',
      description: 'A header `contentId,kid,key[,iv][,class]`, then a line for each key.',
      example: `contentId,kid,key\nmovie,${KID},00112233445566778899aabbccddeeff\n`,
    },
    {
      mediaType: 'application/xml',
      description: 'A CPIX document whose content keys are clear, or encrypted to the certificate of this server.',
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
