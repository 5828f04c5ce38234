import { cpixExport } from './cpix.ts'
import type { ExportFormat } from './format.ts'
import { csvExport, jsonExport } from './rows.ts'

/** Every way in which keys can leave, by name. */
export const EXPORT_FORMATS: ReadonlyMap<string, ExportFormat> = new Map(
  [cpixExport, jsonExport, csvExport].map((format) => [format.name, format]),
)
