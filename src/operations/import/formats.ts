import { cpixImport } from './cpix.ts'
import { csvImport } from './csv.ts'
import type { ImportFormat } from './format.ts'
import { jsonImport } from './json.ts'
import { playreadySeedImport } from './playready-seed.ts'
import { referenceServerImport } from './reference-server.ts'

/** Every way in which keys can be given to an import, by name. */
export const IMPORT_FORMATS: ReadonlyMap<string, ImportFormat> = new Map(
  [cpixImport, csvImport, jsonImport, referenceServerImport, playreadySeedImport].map((format) => [
    format.name,
    format,
  ]),
)
