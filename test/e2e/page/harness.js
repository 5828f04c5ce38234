// Plays a stream in one of the players and tells what happened. Runs in the browser.

const video = document.querySelector('video')

/** Starts a player; what it calls `fail` with is what it tells its page. */
const START = {
  async shaka({ url, token, rendition, license }, fail) {
    shaka.polyfill.installAll()
    const player = new shaka.Player()
    await player.attach(video)
    player.addEventListener('error', ({ detail }) => fail(shakaError(detail)))
    player.configure({
      abr: { enabled: false },
      // Else it asks again with longer and longer pauses.
      drm: { retryParameters: { maxAttempts: 1 }, ...(license && { servers: { [license.system]: license.url } }) },
      manifest: { retryParameters: { maxAttempts: 1 } },
      streaming: { retryParameters: { maxAttempts: 1 }, failureCallback: () => undefined },
    })
    player.getNetworkingEngine().registerRequestFilter((type, request) => {
      const { LICENSE, KEY } = shaka.net.NetworkingEngine.RequestType
      if (token && (type === LICENSE || type === KEY)) request.headers.Authorization = `Bearer ${token}`
    })
    try {
      await player.load(url)
    } catch (error) {
      return fail(shakaError(error))
    }
    const tracks = player.getVariantTracks().sort((a, b) => a.height - b.height)
    const track = tracks.at(rendition === 'sd' ? 0 : -1)
    if (!track.active) player.selectVariantTrack(track, true)
  },

  async dash({ url, token, rendition, license }, fail) {
    const player = dashjs.MediaPlayer().create()
    player.on(dashjs.MediaPlayer.events.ERROR, ({ error }) => fail(`${error.code} ${error.message}`))
    player.updateSettings({
      streaming: {
        retryAttempts: { MPD: 0, MediaSegment: 0, InitializationSegment: 0, other: 0 },
        abr: {
          autoSwitchBitrate: { video: false },
          initialBitrate: { video: rendition === 'sd' ? 1 : 1_000_000 },
          limitBitrateByPortal: false,
        },
      },
    })
    player.initialize(video, null, false)
    const system = license?.system ?? 'org.w3.clearkey'
    player.setProtectionData({
      [system]: {
        ...(license && { serverURL: license.url }),
        ...(token && { httpRequestHeaders: { Authorization: `Bearer ${token}` } }),
      },
    })
    player.attachSource(url)
  },

  async hls({ url, token, rendition, license }, fail) {
    const player = new Hls({
      enableWorker: false,
      keyLoadPolicy: {
        default: { maxTimeToFirstByteMs: 8_000, maxLoadTimeMs: 8_000, timeoutRetry: null, errorRetry: null },
      },
      emeEnabled: license !== undefined,
      ...(license && { drmSystems: { [license.system]: { licenseUrl: license.url } } }),
      xhrSetup: (xhr, target) => {
        if (token && /\/(?:keys|license)\//.test(target)) xhr.setRequestHeader('Authorization', `Bearer ${token}`)
      },
      licenseXhrSetup: (xhr) => {
        if (token) xhr.setRequestHeader('Authorization', `Bearer ${token}`)
      },
    })
    player.on(Hls.Events.ERROR, (_event, { details, fatal, response, error }) => {
      fail(`${details} ${response?.code ?? ''} ${error?.message ?? ''}`, fatal)
    })
    player.on(Hls.Events.MANIFEST_PARSED, () => {
      const byHeight = [...player.levels.keys()].sort((a, b) => player.levels[a].height - player.levels[b].height)
      player.loadLevel = byHeight.at(rendition === 'sd' ? 0 : -1)
    })
    player.loadSource(url)
    player.attachMedia(video)
  },
}

/** The code and what came with it; a refused licence holds the network error with its status. */
function shakaError({ code, data = [], message }) {
  const inner = data.map((one) => (one?.code === undefined ? String(one).slice(0, 200) : shakaError(one)))
  return `${code ?? message} [${inner.join(' ')}]`
}

/** Plays for a moment, then stands still at `at` seconds. Resolves with what happened, whatever it is. */
window.play = async ({ player, at, playMs = 1_200, limitMs = 15_000, ...options }) => {
  const errors = []
  const failed = Promise.withResolvers()
  const fail = (error, isFatal = true) => {
    errors.push(error)
    if (isFatal) failed.resolve()
  }
  const limit = new Promise((resolve) => setTimeout(resolve, limitMs, 'late'))
  const playing = (async () => {
    await START[player](options, fail)
    await until(() => video.readyState >= 2 || errors.length > 0)
    await Promise.race([video.play(), failed.promise])
    const from = video.currentTime
    await until(() => video.currentTime > from + playMs / 1_000)
    const advanced = video.currentTime - from
    const frames = video.getVideoPlaybackQuality().totalVideoFrames
    video.pause()
    // Far into the buffer, then there: a frame that is shown after a seek is exactly that of its time.
    video.currentTime = at
    await until(() => !video.seeking && video.readyState >= 2)
    await new Promise((resolve) => setTimeout(resolve, 300))
    return { plays: true, advanced, frames, width: video.videoWidth, currentTime: video.currentTime }
  })().catch((error) => {
    fail(String(error))
    return new Promise(() => undefined)
  })
  const outcome = await Promise.race([playing, failed.promise.then(() => settle(500)), limit])
  const { totalVideoFrames: frames } = video.getVideoPlaybackQuality()
  return outcome?.plays
    ? { ...outcome, errors }
    : { plays: false, outcome, frames, currentTime: video.currentTime, errors }
}

const settle = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

async function until(isSo) {
  while (!isSo()) await settle(20)
}

/** Puts a CDM in the place of the browser's that knows `system` alone and asks for a licence as soon as it is given init data. */
window.fakeCdm = (system) => {
  const accessTo = (keySystem, configuration) => ({
    keySystem,
    getConfiguration: () => configuration,
    createMediaKeys: async () => ({ setServerCertificate: async () => true, createSession }),
  })
  navigator.requestMediaKeySystemAccess = async (keySystem, [configuration]) => {
    if (!keySystem.startsWith(system)) throw new DOMException('not supported', 'NotSupportedError')
    return accessTo(keySystem, {
      ...configuration,
      sessionTypes: ['temporary'],
      persistentState: 'optional',
      distinctiveIdentifier: 'optional',
    })
  }
  // Shaka Player asks for both at once.
  const decodingInfo = navigator.mediaCapabilities.decodingInfo.bind(navigator.mediaCapabilities)
  navigator.mediaCapabilities.decodingInfo = async ({ keySystemConfiguration, ...media }) => {
    const info = await decodingInfo(media)
    const { supported, smooth, powerEfficient } = info
    if (keySystemConfiguration === undefined) return info
    const { keySystem, audio, video } = keySystemConfiguration
    if (!keySystem.startsWith(system)) return { supported: false, smooth, powerEfficient, keySystemAccess: null }
    const capabilities = (one, type) => (one === undefined ? [] : [{ ...one, contentType: type }])
    const configuration = {
      initDataTypes: ['cenc'],
      audioCapabilities: capabilities(audio, media.audio?.contentType),
      videoCapabilities: capabilities(video, media.video?.contentType),
      sessionTypes: ['temporary'],
      persistentState: 'optional',
      distinctiveIdentifier: 'optional',
    }
    return { supported, smooth, powerEfficient, keySystemAccess: accessTo(keySystem, configuration) }
  }
  HTMLMediaElement.prototype.setMediaKeys = async () => undefined
}

function createSession() {
  const session = new EventTarget()
  const generateRequest = async () => {
    const { buffer } = new TextEncoder().encode('a challenge')
    const message = Object.assign(new Event('message'), { messageType: 'license-request', message: buffer })
    setTimeout(() => session.dispatchEvent(message), 10)
  }
  const done = async () => undefined
  return Object.assign(session, {
    sessionId: '1',
    expiration: Number.NaN,
    closed: new Promise(() => undefined),
    keyStatuses: new Map(),
    generateRequest,
    update: done,
    close: done,
    remove: done,
  })
}
