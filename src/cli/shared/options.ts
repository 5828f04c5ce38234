import { createPrivateKey, type KeyObject } from 'node:crypto'
import { wrongUsage } from '../../core/errors.ts'
import { type Kid, toKid } from '../../formats/cenc.ts'
import { readInput, type World } from './world.ts'

/** A whole number from `min` to `max`; undefined if the option is not given. */
export function readNumber(option: string, text: string, min: number, max: number): number
export function readNumber(option: string, text: string | undefined, min: number, max: number): number | undefined
export function readNumber(option: string, text: string | undefined, min: number, max: number): number | undefined {
  if (text === undefined) return undefined
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= min && value <= max)) throw wrongUsage(`${option}: expected a whole number from ${min} to ${max}`)
  return value
}

/** A kid in any spelling that `toKid` reads. */
export function readKid(option: string, text: string): Kid {
  const kid = toKid(text)
  if (kid === undefined) throw wrongUsage(`${option}: expected a UUID such as 9eb4050d-e44b-4802-932e-27d75083e266`)
  return kid
}

/** The private key in a PEM file. The error never quotes the file. */
export function readPrivateKey(option: string, file: string, world: World): KeyObject {
  const pem = readInput(world, file)
  try {
    return createPrivateKey(pem)
  } catch (cause) {
    throw wrongUsage(`${option}: ${file}: expected a private key in PEM, without a passphrase`, cause)
  } finally {
    pem.fill(0)
  }
}

/** The part of a command's help that shows what to type. */
export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}`
}
