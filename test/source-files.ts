import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Program, parseSync } from 'oxc-parser'

const SRC = fileURLToPath(new URL('../src', import.meta.url))

/** One import of a source file. `target` is a path below `src/` for a file, else the name of a package or `node:` module. */
export interface SourceImport {
  readonly target: string
  readonly isFile: boolean
  readonly isTypeOnly: boolean
}

/** A TypeScript file of `src/`, parsed. `path` is below `src/`, with `/`. */
export interface SourceFile {
  readonly path: string
  readonly text: string
  readonly program: Program
  readonly imports: readonly SourceImport[]
}

/** Every TypeScript file of `src/`. */
export function sourceFiles(): readonly SourceFile[] {
  const paths = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'))
  return paths.sort().map(readSourceFile)
}

function readSourceFile(path: string): SourceFile {
  const text = readFileSync(join(SRC, path), 'utf8')
  const { program, module, errors } = parseSync(path, text)
  if (errors[0] !== undefined) throw new Error(`src/${path}: ${errors[0].message}`)
  const toImport = (specifier: string, isTypeOnly: boolean): SourceImport => {
    const isFile = specifier.startsWith('.')
    return { target: isFile ? normalize(join(dirname(path), specifier)) : specifier, isFile, isTypeOnly }
  }
  const imports = [
    ...module.staticImports.map(({ moduleRequest, entries }) =>
      toImport(moduleRequest.value, entries.length > 0 && entries.every(({ isType }) => isType)),
    ),
    ...module.staticExports.flatMap(({ entries }) =>
      entries.flatMap(({ moduleRequest, isType }) => (moduleRequest ? [toImport(moduleRequest.value, isType)] : [])),
    ),
    // A dynamic import gives only its place; one of a computed name is nothing that a table could allow.
    ...module.dynamicImports.map(({ moduleRequest: { start, end } }) =>
      toImport(text.slice(start + 1, end - 1), false),
    ),
  ]
  return { path, text, program, imports }
}
