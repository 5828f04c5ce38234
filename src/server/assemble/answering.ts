import type { AnswerOptions, AnswerWarning } from '../../protocols/speke/answer.ts'
import type { SignalingProfile } from '../../protocols/speke/profile.ts'
import { PlayerUrls } from '../../protocols/speke/urls.ts'
import type { Config } from '../config/config.ts'
import { drmSystemFinder, profileChooser } from '../config/signalling.ts'
import type { Log } from '../observe/log.ts'
import type { Callers } from './callers.ts'

/** What answers are made by, beside the keys. */
export type AnswerSettings = Omit<AnswerOptions, 'contentKeys' | 'now' | 'randomBytes'>

/** Where answers are told of. */
export interface AnswerSinks {
  readonly record: AnswerOptions['record']
  readonly log: Log
}

/** What a configuration says of answers. */
export function answerSettings(
  settings: Config,
  publicUrl: string,
  callers: Pick<Callers, 'profileOf'>,
  { record, log }: AnswerSinks,
): AnswerSettings {
  const { missingVersionHeader, strictContract, contract } = settings.speke
  const { bodyBytes, depth, elements, contentKeys, drmSystems, recipients } = settings.limits
  return {
    findDrmSystem: drmSystemFinder(settings.drmSystems),
    profileFor: profileFinder(settings, callers),
    policy: {
      missingVersionHeader,
      strictContract,
      contract,
      certificateValidity: settings.contentKeyEncryption.validity,
      limits: { contentKeys, drmSystems, recipients },
    },
    xmlLimits: { bytes: bodyBytes, depth, elements },
    urls: new PlayerUrls(publicUrl, settings.playback.urlQuery),
    record,
    warn: (warning) => logWarning(log, warning),
  }
}

/** The profile of a client's own, else that of the content. */
export function profileFinder(settings: Config, { profileOf }: Pick<Callers, 'profileOf'>) {
  const { signalingProfiles } = settings
  const ofContent = profileChooser(signalingProfiles, settings.signalingProfile, settings.contents)
  return ({ client, contentId }: { readonly client: string; readonly contentId: string }): SignalingProfile =>
    signalingProfiles.get(profileOf(client) ?? '') ?? ofContent(contentId)
}

function logWarning(log: Log, warning: AnswerWarning): void {
  if (warning.kind === 'uri-too-long') {
    const { tenant, contentId, kid, system, bytes } = warning
    log.warn({ tenant, contentId, kid, problem: `${system}: ${bytes} bytes` }, 'a URI is longer than players take')
  } else {
    log.warn({ problem: `${warning.path}: ${warning.problem}` }, 'a recipient has a certificate that is not valid now')
  }
}
