import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, parseAllDocuments } from 'yaml'
import { PACKAGE } from '../cli/run.ts'

/** The text of a file of the repository. */
export function textOf(file: string): string {
  return readFileSync(join(PACKAGE, file), 'utf8')
}

/** What a YAML file of one document says; `<<` merges. */
export function yamlOf<T>(file: string): T {
  return parse(textOf(file), { merge: true })
}

/** Every document of a directory of YAML files, with the file it is in. */
export function documentsIn<T>(directory: string): readonly { readonly file: string; readonly document: T }[] {
  return readdirSync(join(PACKAGE, directory))
    .filter((name) => name.endsWith('.yaml'))
    .flatMap((name) => {
      const file = join(directory, name)
      return parseAllDocuments(textOf(file)).map((document) => {
        if (document.errors.length > 0) throw new Error(`${file}: ${document.errors.join()}`)
        return { file, document: document.toJS() as T }
      })
    })
}
