import type { AnswerOptions, AnswerWarning } from '../../protocols/speke/answer.ts'
import type { SignalingProfile } from '../../protocols/speke/profile.ts'
import { PlayerUrls } from '../../protocols/speke/urls.ts'
import type { Config } from '../config/config.ts'
import { drmSystemFinder, profileChooser } from '../config/signalling.ts'
import type { Log } from '../observe/log.ts'
import type { Callers } from './callers.ts'
import type { KeyProvider } from './key-provider.ts'

/** The options of answers under a configuration, besides the keys, the clock and random numbers. */
export function answerOptions(
  config: Config,
  publicUrl: string,
  callers: Pick<Callers, 'profileOf'>,
  keyProvider: Pick<KeyProvider, 'recordSignaled' | 'log'>,
): Omit<AnswerOptions, 'contentKeys' | 'now' | 'randomBytes'> {
  const { missingVersionHeader, strictContract, emptyDrmSystems, contract } = config.speke
  const { bodyBytes, depth, elements, contentKeys, drmSystems, recipients } = config.limits
  return {
    findDrmSystem: drmSystemFinder(config.drmSystems),
    profileFor: profileFinder(config, callers),
    policy: {
      missingVersionHeader,
      strictContract,
      emptyDrmSystems,
      contract,
      certificateValidity: config.contentKeyEncryption.validity,
      limits: { contentKeys, drmSystems, recipients },
    },
    xmlLimits: { bytes: bodyBytes, depth, elements },
    urls: new PlayerUrls(publicUrl, config.playback.urlQuery),
    record: (entries) => keyProvider.recordSignaled(entries),
    warn: (warning) => logWarning(keyProvider.log, warning),
  }
}

/** Finds the profile of the client, or that of the content if the client has none. */
export function profileFinder(config: Config, callers: Pick<Callers, 'profileOf'>) {
  const { signalingProfiles } = config
  const ofContent = profileChooser(signalingProfiles, config.signalingProfile, config.contents)
  return ({ client, contentId }: { readonly client: string; readonly contentId: string }): SignalingProfile =>
    signalingProfiles.get(callers.profileOf(client) ?? '') ?? ofContent(contentId)
}

function logWarning(log: Log, warning: AnswerWarning): void {
  if (warning.kind === 'uri-too-long') {
    const { tenant, contentId, kid, system, bytes } = warning
    log.warn({ tenant, contentId, kid, problem: `${system}: ${bytes} bytes` }, 'a URI is longer than players accept')
  } else {
    log.warn({ problem: `${warning.path}: ${warning.problem}` }, 'the certificate of a recipient is not valid now')
  }
}
