import { fileURLToPath } from 'node:url'
import { buildLambda } from './lambda/build.ts'

// npm run build:lambda [DIRECTORY]: the function for AWS Lambda as one file, and that as a zip file whose name holds its hash.

const directory = process.argv[2] ?? fileURLToPath(new URL('../dist-lambda', import.meta.url))
const { file, zip, bytes, zippedBytes, sha256 } = await buildLambda(directory)
const kilobytes = (size: number): string => `${(size / 1_024).toFixed(0)} KB`
process.stdout.write(
  `${file}\n  ${kilobytes(bytes)}, sha256 ${sha256}\n${zip}\n  ${kilobytes(zippedBytes)}, handler index.handler, runtime nodejs24.x\n`,
)
