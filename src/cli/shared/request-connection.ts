import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { Secret } from '../../core/secret.ts'
import type { Credentials, CredentialsKind } from '../../toolkit/encryptor/credentials.ts'
import type { Shape } from '../../toolkit/encryptor/request/shapes.ts'
import { type Connection, connect, type TlsOptions } from '../../toolkit/encryptor/send.ts'
import { readNumber, wrong } from './request-options.ts'

/** The options of `request` that say how to ask. */
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

/** Connects as the options say. */
export function connectWith(url: string, shape: Shape, options: SendingOptions): Connection {
  return connector(url, shape, options)({})
}

/**
 * Reads the options once, and makes connections with more headers. A secret comes from a file or the environment: arguments
 * show in `ps`.
 */
export function connector(
  url: string,
  shape: Shape,
  options: SendingOptions,
): (headers: Readonly<Record<string, string>>) => Connection {
  const timeout = readNumber('--timeout', options.timeout, 1, 3600) ?? 10
  const credentials = readCredentials(url, options)
  const given = readHeaders(options.header ?? [])
  const tls = readTls(options)
  return (headers) =>
    connect({
      url,
      shape,
      credentials,
      headers: { ...given, ...headers },
      timeoutMs: timeout * 1000,
      tls,
      allowClearText: options.allowClearText === true,
      now: Date.now,
      ticks: () => performance.now(),
      randomBytes,
    })
}

function readCredentials(url: string, options: SendingOptions): Credentials {
  switch (options.auth) {
    case 'none':
      return { kind: 'none' }
    case 'bearer':
      return { kind: 'bearer', token: readSecret(options) }
    case 'basic':
    case 'digest': {
      if (options.user === undefined) throw wrong(`--auth ${options.auth} needs --user`)
      return { kind: options.auth, user: options.user, password: readSecret(options) }
    }
    case 'sigv4':
      return readSigV4(url, options)
  }
}

/** The environment of the AWS tools, where options say nothing else. */
function readSigV4(url: string, options: SendingOptions): Credentials {
  const { env } = process
  const accessKeyId = options.user ?? env.AWS_ACCESS_KEY_ID
  const isOwn = options.secretFile !== undefined || options.secretEnv !== undefined
  const secretAccessKey = isOwn ? readSecret(options) : readSecret({ ...options, secretEnv: 'AWS_SECRET_ACCESS_KEY' })
  const sessionToken = isOwn ? undefined : env.AWS_SESSION_TOKEN
  const ofHost = /\.execute-api\.([a-z0-9-]+)\.amazonaws\.com/.exec(url)?.[1]
  const region = options.region ?? ofHost ?? env.AWS_REGION
  if (accessKeyId === undefined) throw wrong('--auth sigv4 needs --user or AWS_ACCESS_KEY_ID')
  if (region === undefined) throw wrong('--auth sigv4 needs --region or AWS_REGION')
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

function readSecret({ secretFile, secretEnv }: SendingOptions): Secret<string> {
  if (secretFile !== undefined) {
    const text = readFileSync(secretFile === '-' ? 0 : secretFile, 'utf8').replace(/\r?\n$/, '')
    if (text === '') throw wrong('the file of --secret-file is empty')
    return new Secret(text)
  }
  if (secretEnv === undefined) throw wrong('a secret is missing: give --secret-file or --secret-env')
  const text = process.env[secretEnv]
  if (text === undefined || text === '') throw wrong(`the environment variable ${secretEnv} is not set`)
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
        // The text stays out of the message: it may be a key.
        if (name === undefined || value === undefined)
          throw wrong('--header must be "Name: value", or @FILE of such lines')
        return [name, value]
      }),
  )
}

function readTls({ ca, cert, certKey }: SendingOptions): TlsOptions {
  if ((cert === undefined) !== (certKey === undefined)) throw wrong('--cert and --cert-key go together')
  const read = (file: string): string => readFileSync(file, 'utf8')
  return {
    ...(ca !== undefined && { ca: read(ca) }),
    ...(cert !== undefined && { cert: read(cert) }),
    ...(certKey !== undefined && { key: read(certKey) }),
  }
}
