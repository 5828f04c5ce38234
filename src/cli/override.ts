import { randomBytes } from 'node:crypto'
import { type ContentKeyClass, type Kid, toKid } from '../cenc.ts'
import { KeyProviderError } from '../errors.ts'
import { openKeys } from '../keys/open-keys.ts'
import {
  addKidOverride,
  addOverride,
  type Force,
  listKidOverrides,
  listOverrides,
  type OverridesOptions,
  removeKidOverride,
  removeOverride,
} from '../keys/overrides.ts'
import type { ContentRef, KidOverride } from '../keys/store.ts'
import { type Config, readConfig } from '../server/config.ts'
import { openStore } from '../server/open-store.ts'
import { readKeyFile } from './key-file.ts'
import { readPsshFiles } from './pssh-file.ts'

/** The options that every `override` command takes. */
interface ContentOptions {
  readonly contentId: string
  readonly tenant: string
  readonly config?: string
  readonly data?: string
}

interface RuleOptions {
  readonly trackType?: string
  readonly periodIndex?: string
}

interface AddOptions extends ContentOptions, RuleOptions, Force {
  readonly kid?: string
  readonly class: ContentKeyClass
  readonly keyFile?: string
  readonly ivFile?: string
  readonly pssh?: readonly string[]
  readonly newKid?: string
}

/** Stores a key for a kid, or a rule that gives content keys another kid. */
export async function add(options: AddOptions): Promise<void> {
  const ref = toRef(options)
  const force = toForce(options)
  if (options.newKid !== undefined) {
    if (options.kid !== undefined || options.keyFile !== undefined) {
      throw wrongUsage('--new-kid makes a rule of its own: expected neither --kid nor --key-file beside it')
    }
    const rule = { ...toRule(options), kid: readKid('--new-kid', options.newKid) }
    await withKeys(options, (keys) => addKidOverride(keys, { ref, rule, ...force }))
    print(`added: ${describeRule(rule)}`)
    return
  }
  if (options.kid === undefined || options.keyFile === undefined) {
    throw wrongUsage('expected --kid with --key-file, or --new-kid')
  }
  const kid = readKid('--kid', options.kid)
  const key = readKeyFile('--key-file', options.keyFile)
  const iv = options.ivFile === undefined ? {} : { iv: readKeyFile('--iv-file', options.ivFile) }
  const pssh = readPsshFiles(options.pssh ?? [])
  await withKeys(options, (keys) =>
    addOverride(keys, { ref, contentKeyClass: options.class, kid, key, ...iv, pssh, ...force }),
  )
  print(`added: ${kid} ${options.class}`)
}

/** Prints the overrides of a content, never their keys. */
export async function list(options: ContentOptions & { readonly json?: boolean }): Promise<void> {
  const ref = toRef(options)
  const { overrides, rules } = await withStore(options, async (keys) => ({
    overrides: await listOverrides(keys, ref),
    rules: await listKidOverrides(keys, ref),
  }))
  if (options.json === true) {
    print(JSON.stringify({ overrides, kidOverrides: rules }, undefined, 2))
    return
  }
  for (const { kid, contentKeyClass, psshSystemIds } of overrides) {
    print([kid, contentKeyClass, ...psshSystemIds.map((systemId) => `pssh:${systemId}`)].join(' '))
  }
  for (const rule of rules) print(describeRule(rule))
}

/** Removes an override of a content, or a rule. */
export async function remove(
  options: ContentOptions &
    RuleOptions &
    Force & { readonly kid?: string; readonly class: ContentKeyClass; readonly rule?: boolean },
): Promise<void> {
  const ref = toRef(options)
  const force = toForce(options)
  if ((options.kid === undefined) === (options.rule !== true)) throw wrongUsage('expected either --kid or --rule')
  const removed = await withStore(options, (keys) =>
    options.kid === undefined
      ? removeKidOverride(keys, { ref, rule: toRule(options), ...force })
      : removeOverride(keys, { ref, contentKeyClass: options.class, kid: readKid('--kid', options.kid), ...force }),
  )
  print(removed ? 'removed' : 'there was none')
}

type Stored = Pick<OverridesOptions, 'store'>

/** Lends the store of the configuration. One that is not there is not made: the directory is likely mistyped. */
async function withStore<T>(options: ContentOptions, use: (stored: Stored) => Promise<T>): Promise<T> {
  const { store } = await openStore(readKeysConfig(options), { create: false })
  try {
    return await use({ store })
  } finally {
    await store.close()
  }
}

/** Lends the store and its data keys, made where there are none yet: keys may be imported before the first start. */
async function withKeys<T>(options: ContentOptions, use: (keys: OverridesOptions) => Promise<T>): Promise<T> {
  const { store, openRootKey, rootKeyName } = await openStore(readKeysConfig(options))
  try {
    const { rootKey, dataKeys, created } = await openKeys({ store, openRootKey, rootKeyName, randomBytes })
    if (created) process.stderr.write(`keyspring: created ${rootKeyName}: back it up, without it every key is lost\n`)
    try {
      return await use({ store, dataKeys, randomBytes, now: () => Date.now() })
    } finally {
      await rootKey.close()
    }
  } finally {
    await store.close()
  }
}

function readKeysConfig({ config: file, data }: ContentOptions): Config {
  const config = readConfig({ file, environment: process.env, flags: { data }, serves: false })
  if (config.store === 'memory') throw wrongUsage('the store is `memory`: it would forget the override at once')
  return config
}

function toRef({ tenant, contentId }: ContentOptions): ContentRef {
  return { tenant, contentId }
}

function toForce({ force = false, reason }: Force): Force {
  return { force, ...(reason !== undefined && { reason }) }
}

function toRule({ trackType, periodIndex }: RuleOptions): Omit<KidOverride, 'kid'> {
  if (periodIndex !== undefined && !/^\d{1,10}$/.test(periodIndex)) {
    throw wrongUsage('--period-index: expected a whole number')
  }
  return {
    intendedTrackType: trackType,
    periodIndex: periodIndex === undefined ? undefined : Number(periodIndex),
  }
}

function readKid(option: string, text: string): Kid {
  const kid = toKid(text)
  if (kid === undefined) throw wrongUsage(`${option}: expected a UUID`)
  return kid
}

function describeRule({ intendedTrackType = 'any track type', periodIndex, kid }: KidOverride): string {
  return `${kid} for ${intendedTrackType}, ${periodIndex === undefined ? 'any period' : `period ${periodIndex}`}`
}

function wrongUsage(problem: string): KeyProviderError {
  return new KeyProviderError('ERR_OVERRIDE_INVALID', problem)
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
