import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { type Command, Option } from 'commander'
import { wrongUsage } from '../../core/errors.ts'
import { Secret } from '../../core/secret.ts'
import type { Credentials, CredentialsKind } from '../../toolkit/encryptor/credentials.ts'
import type { Shape } from '../../toolkit/encryptor/request/shapes.ts'
import type { ConnectionOptions, TlsOptions } from '../../toolkit/encryptor/send.ts'
import { readNumber } from './options.ts'
import { readInput, type World } from './world.ts'

/** Adds the options that say how to reach a key provider and how to authenticate. */
export function addSendingOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--auth <method>', 'how to authenticate')
        .choices(['none', 'basic', 'digest', 'bearer', 'sigv4'])
        .default('none'),
    )
    .option('--user <name>', 'user of basic and digest, access key ID of sigv4 (default: AWS_ACCESS_KEY_ID)')
    .option('--secret-file <file>', 'file with the password, token or secret access key; - for standard input')
    .option('--secret-env <name>', 'environment variable with the secret (default for sigv4: AWS_SECRET_ACCESS_KEY)')
    .option('--region <region>', 'region of sigv4 (default: from the URL, or AWS_REGION)')
    .option('--service <service>', 'service of sigv4', 'execute-api')
    .option('--header <header...>', 'another header to send, "Name: value"; @FILE for a file of such lines')
    .option('--cert <file>', 'client certificate for mTLS (PEM)')
    .option('--cert-key <file>', 'private key of --cert (PEM)')
    .option('--ca <file>', 'certificate authorities to trust (PEM) instead of the default ones')
    .option('--allow-clear-text', 'send a password or token over http://')
    .option('--timeout <seconds>', 'how long to wait for an answer', '10')
}

/** The options that `addSendingOptions` adds. */
export interface SendingOptions {
  readonly auth: CredentialsKind
  readonly user?: string
  readonly secretFile?: string
  readonly secretEnv?: string
  readonly region?: string
  readonly service: string
  readonly header?: readonly string[]
  readonly cert?: string
  readonly certKey?: string
  readonly ca?: string
  readonly allowClearText?: boolean
  readonly timeout: string
}

/**
 * How to connect to a key provider. Secrets come from a file, standard input or the environment, never from an argument: `ps`
 * shows arguments. Throws ERR_USAGE_INVALID.
 */
export function readSending(url: string, shape: Shape, options: SendingOptions, world: World): ConnectionOptions {
  return {
    url,
    shape,
    credentials: readCredentials(url, options, world),
    headers: readHeaders(options.header ?? []),
    timeoutMs: readNumber('--timeout', options.timeout, 1, 3600) * 1000,
    tls: readTls(options),
    allowClearText: options.allowClearText === true,
    now: Date.now,
    ticks: () => performance.now(),
    randomBytes,
  }
}

function readCredentials(url: string, options: SendingOptions, world: World): Credentials {
  switch (options.auth) {
    case 'none':
      return { kind: 'none' }
    case 'bearer':
      return { kind: 'bearer', token: readSecret(options, world) }
    case 'basic':
    case 'digest': {
      if (options.user === undefined) throw wrongUsage(`--auth ${options.auth} needs --user`)
      return { kind: options.auth, user: options.user, password: readSecret(options, world) }
    }
    case 'sigv4':
      return readSigV4(url, options, world)
  }
}

/** SigV4 credentials: from the options, else from the environment variables of the AWS tools. */
function readSigV4(url: string, options: SendingOptions, world: World): Credentials {
  const { env } = world
  const accessKeyId = options.user ?? env.AWS_ACCESS_KEY_ID
  const isOwn = options.secretFile !== undefined || options.secretEnv !== undefined
  const secretAccessKey = isOwn
    ? readSecret(options, world)
    : readSecret({ ...options, secretEnv: 'AWS_SECRET_ACCESS_KEY' }, world)
  const sessionToken = isOwn ? undefined : env.AWS_SESSION_TOKEN
  const ofHost = /\.execute-api\.([a-z0-9-]+)\.amazonaws\.com/.exec(url)?.[1]
  const region = options.region ?? ofHost ?? env.AWS_REGION
  if (accessKeyId === undefined) throw wrongUsage('--auth sigv4 needs --user or AWS_ACCESS_KEY_ID')
  if (region === undefined) throw wrongUsage('--auth sigv4 needs --region or AWS_REGION')
  return {
    kind: 'sigv4',
    accessKey: {
      accessKeyId,
      secretAccessKey,
      sessionToken: sessionToken === undefined ? undefined : new Secret(sessionToken),
    },
    scope: { region, service: options.service },
  }
}

function readSecret({ secretFile, secretEnv }: SendingOptions, world: World): Secret<string> {
  if (secretFile !== undefined) {
    const text = readInput(world, secretFile)
      .toString('utf8')
      .replace(/\r?\n$/, '')
    if (text === '') throw wrongUsage('--secret-file: the file is empty')
    return new Secret(text)
  }
  if (secretEnv === undefined) throw wrongUsage('--auth needs a secret: give --secret-file or --secret-env')
  const text = world.env[secretEnv]
  if (text === undefined || text === '')
    throw wrongUsage(`--secret-env: the environment variable ${secretEnv} is not set`)
  return new Secret(text)
}

function readHeaders(texts: readonly string[]): Readonly<Record<string, string>> {
  const lines = texts.flatMap((text) =>
    text.startsWith('@') ? readFileSync(text.slice(1), 'utf8').split(/\r?\n/) : [text],
  )
  return Object.fromEntries(
    lines
      .filter((line) => line.trim() !== '')
      .map((line) => {
        const [, name, value] = /^([!#$%&'*+.^_`|~\w-]+)\s*:\s*([^\p{Cc}]*?)\s*$/u.exec(line) ?? []
        // The message does not quote the text: it may be a key.
        if (name === undefined || value === undefined)
          throw wrongUsage('--header: expected "Name: value", or @FILE with such lines')
        return [name, value]
      }),
  )
}

function readTls({ ca, cert, certKey }: SendingOptions): TlsOptions {
  if ((cert === undefined) !== (certKey === undefined)) throw wrongUsage('--cert and --cert-key: give both or neither')
  const read = (file: string): string => readFileSync(file, 'utf8')
  return {
    ...(ca !== undefined && { ca: read(ca) }),
    ...(cert !== undefined && { cert: read(cert) }),
    ...(certKey !== undefined && { key: read(certKey) }),
  }
}
