import { KeyProviderError } from '../../core/errors.ts'
import { escapeText } from '../xml/markup.ts'
import type { SignalingSettings } from './settings.ts'
import { readSkd } from './systems/fairplay.ts'
import { xmlFragmentProblem } from './template/text.ts'

/** What no answer could be made with, each named by its member. Nothing wrong: an empty list. */
export function problemsOfSettings({ widevine, playready, fairplay }: SignalingSettings): readonly string[] {
  const customAttributes = xmlFragmentProblem(playready.customAttributes ?? '')
  return [
    ...textProblems('playready.laUrl', playready.laUrl),
    ...textProblems('playready.luiUrl', playready.luiUrl),
    ...textProblems('playready.dashLaUrl', playready.dashLaUrl),
    ...textProblems('widevine.dashLaUrl', widevine.dashLaUrl),
    ...(customAttributes === undefined ? [] : [`playready.customAttributes: not well-formed XML: ${customAttributes}`]),
    ...skdProblems(fairplay.skd),
  ]
}

function textProblems(member: string, value: string | undefined): readonly string[] {
  try {
    escapeText(value ?? '')
    return []
  } catch (error) {
    if (error instanceof RangeError) return [`${member}: ${error.message}`]
    throw error
  }
}

function skdProblems(skd: string): readonly string[] {
  try {
    readSkd(skd)
    return []
  } catch (error) {
    if (error instanceof KeyProviderError) return [error.message]
    throw error
  }
}
