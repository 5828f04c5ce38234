// The three players, each behind the same call: start(video, {url, token, licenseUrl}, onError) → stop.

/* global shaka, dashjs, Hls */

const CLEAR_KEY = 'org.w3.clearkey'

export const PLAYERS = {
  shaka: { name: 'shaka-player', start: startShaka },
  dash: { name: 'dash.js', start: startDash },
  hls: { name: 'hls.js', start: startHls },
}

async function startShaka(video, { url, token, licenseUrl }, onError) {
  shaka.polyfill.installAll()
  const player = new shaka.Player()
  await player.attach(video)
  const once = { retryParameters: { maxAttempts: 1 } }
  player.configure({
    drm: { servers: { [CLEAR_KEY]: licenseUrl }, ...once },
    streaming: { ...once, failureCallback: () => undefined },
    manifest: once,
  })
  player.addEventListener('error', ({ detail }) => onError(`shaka-player: error ${detail.code}`))
  player.getNetworkingEngine().registerRequestFilter((type, request) => {
    const { LICENSE, KEY } = shaka.net.NetworkingEngine.RequestType
    if (token && (type === LICENSE || type === KEY)) request.headers.Authorization = `Bearer ${token}`
  })
  player.load(url).then(
    () => video.play(),
    (error) => onError(`shaka-player: error ${error.code}`),
  )
  return () => player.destroy()
}

async function startDash(video, { url, token }, onError) {
  const player = dashjs.MediaPlayer().create()
  const retryAttempts = { InitializationSegment: 0, MediaSegment: 0, MPD: 0 }
  player.updateSettings({ debug: { logLevel: 0 }, streaming: { retryAttempts } })
  player.on(dashjs.MediaPlayer.events.ERROR, ({ error }) => onError(`dash.js: error ${error.code}`))
  // The licence URL stands in the manifest.
  player.setProtectionData({
    [CLEAR_KEY]: token ? { httpRequestHeaders: { Authorization: `Bearer ${token}` } } : {},
  })
  player.initialize(video, url, true)
  return () => player.destroy()
}

async function startHls(video, { url, token }, onError) {
  const policy = { maxTimeToFirstByteMs: 8_000, maxLoadTimeMs: 8_000, timeoutRetry: null, errorRetry: null }
  const player = new Hls({
    keyLoadPolicy: { default: policy },
    xhrSetup: (xhr, target) => {
      if (token && new URL(target).pathname.startsWith('/keys/'))
        xhr.setRequestHeader('Authorization', `Bearer ${token}`)
    },
  })
  player.on(Hls.Events.ERROR, (_event, { details, response }) => {
    if (response?.code >= 400 || response?.code === 0) onError(`hls.js: ${details}`)
  })
  player.on(Hls.Events.MANIFEST_PARSED, () => video.play())
  player.loadSource(url)
  player.attachMedia(video)
  return () => player.destroy()
}
