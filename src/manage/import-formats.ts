import { cpixImport } from './import-cpix.ts'
import { csvImport } from './import-csv.ts'
import type { ImportFormat } from './import-format.ts'
import { jsonImport } from './import-json.ts'
import { playreadySeedImport } from './import-playready-seed.ts'
import { referenceServerImport } from './import-reference-server.ts'

/** Every way in which keys can be given to an import, by name. */
export const IMPORT_FORMATS: ReadonlyMap<string, ImportFormat> = new Map(
  [cpixImport, csvImport, jsonImport, referenceServerImport, playreadySeedImport].map((format) => [
    format.name,
    format,
  ]),
)
