import { decodeSignaling } from './decode.js'
import { PLAYERS } from './players.js'

const TOKENS = [
  { id: 'good', name: 'A token' },
  { id: 'none', name: 'Nothing' },
  { id: 'expired', name: 'An expired token' },
  { id: 'another', name: 'Another film’s token' },
]
const WHY = {
  401: 'Keyspring does not know who is watching, so no key leaves.',
  403: 'The token is good, but for something else. No key leaves.',
  404: 'There is no such key.',
  429: 'This viewer asks too often.',
}
const TABS = { signaling: 'Signalling', manifest: 'Manifest', speke: 'SPEKE exchange' }

/** What each tab shows of a stream. */
const DETAILS = {
  signaling: ({ keys }) =>
    keys.map(({ kid, trackType, period, iv, signaling }) =>
      make(
        'article',
        { class: 'key' },
        make(
          'header',
          {},
          make('strong', {}, period === undefined ? trackType : `Key period ${period + 1}`),
          make('code', {}, `kid ${kid}`),
          iv === undefined ? undefined : make('code', {}, `constant IV ${iv}`),
        ),
        make('div', { class: 'systems' }, ...signaling.map(decodeSignaling).map(systemCard)),
      ),
    ),

  manifest: ({ manifests }) => {
    const names = Object.keys(manifests)
    const chosen = names.includes(state.manifest) ? state.manifest : names[0]
    const choice = names.map((name) =>
      toggle(name, name === chosen, () => {
        state.manifest = name
        showTabs()
      }),
    )
    return [...(names.length > 1 ? [make('div', { class: 'choice' }, ...choice)] : []), code(manifests[chosen])]
  },

  speke: ({ exchanges }) => {
    const exchange = exchanges[state.exchange] ?? exchanges[0]
    const choice = exchanges.map((_, i) =>
      toggle(`Request ${i + 1}`, exchanges[i] === exchange, () => {
        state.exchange = i
        showTabs()
      }),
    )
    const side = (title, text) => make('div', {}, make('h3', {}, title), code(text))
    return [
      ...(exchanges.length > 1 ? [make('div', { class: 'choice', style: 'margin-bottom: 14px' }, ...choice)] : []),
      make(
        'div',
        { class: 'pair' },
        side('POST /copyProtection', exchange.request),
        side('200, the keys hidden here', exchange.answer),
      ),
    ]
  },
}

const find = (id) => document.getElementById(id)
const { keyspring, streams } = await (await fetch('/demo/streams.json')).json()
const state = { stream: streams[0], play: 0, token: 'good', tab: 'signaling', manifest: undefined, exchange: 0, run: 0 }
let stop = async () => undefined
let requests = []

find('where').textContent = keyspring
window.onKeyRequest = (request) => {
  requests = [request, ...requests].slice(0, 200)
  showRequests(request)
  if (request.status >= 400 || request.status === 0) refuse(request)
}
find('clear').addEventListener('click', () => {
  requests = []
  showRequests()
})
find('play').addEventListener('click', () => void start())
find('theme').addEventListener('click', () =>
  setTheme(document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark'),
)
setTheme(localStorage.getItem('theme') ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'))
choose(streams[0])

function setTheme(theme) {
  document.documentElement.dataset.theme = theme
  localStorage.setItem('theme', theme)
}

/** Makes an element with children; text is never taken for markup. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) {
    if (key === 'onclick') element.addEventListener('click', value)
    else if (value !== undefined && value !== false) element.setAttribute(key, value)
  }
  element.append(...children.filter((child) => child !== undefined))
  return element
}

function choose(stream) {
  Object.assign(state, { stream, play: 0, manifest: stream.plays[0].manifest, exchange: 0 })
  find('title').textContent = stream.title
  find('summary').textContent = stream.summary
  find('streams').replaceChildren(
    ...streams.map((one) =>
      make(
        'li',
        {},
        make(
          'button',
          { type: 'button', 'aria-current': String(one === stream), onclick: () => choose(one) },
          make('strong', {}, one.title),
          make('small', {}, `SPEKE ${one.speke} · ${one.encryptedBy}`),
        ),
      ),
    ),
  )
  showControls()
  showTabs()
  void reset()
}

function showControls() {
  const { stream, play, token } = state
  const kindOf = (manifest) => (manifest.endsWith('.mpd') ? 'DASH' : 'HLS')
  const isMixed = new Set(stream.plays.map(({ manifest }) => manifest)).size > 1
  find('players').replaceChildren(
    ...stream.plays.map(({ player, manifest }, i) => {
      const name = `${PLAYERS[player].name}${isMixed ? ` · ${kindOf(manifest)}` : ''}`
      return toggle(name, i === play, () => void change({ play: i, manifest }))
    }),
  )
  find('tokens').replaceChildren(
    ...TOKENS.map(({ id, name }) => toggle(name, id === token, () => void change({ token: id }))),
  )
}

function toggle(name, isOn, onclick) {
  return make('button', { type: 'button', 'aria-pressed': String(isOn), onclick }, name)
}

async function change(changes) {
  Object.assign(state, changes)
  showControls()
  showTabs()
  await start()
}

/** Stops what plays. What was begun before it no longer counts, and may find so at any time. */
async function reset() {
  state.run++
  const stopping = stop
  stop = async () => undefined
  find('refused').hidden = true
  find('refused-code').textContent = ''
  find('play').hidden = false
  say('idle', 'Ready')
  await stopping()
}

async function start() {
  const stopped = reset()
  const { run, stream, play, token } = state
  const { player, manifest } = stream.plays[play]
  find('play').hidden = true
  say('loading', 'Asking for keys')
  await stopped
  const tokens = await (await fetch('/demo/tokens.json')).json()
  if (run !== state.run) return
  const video = make('video', { playsinline: '', muted: '', controls: '', loop: '' })
  video.muted = true
  find('video').replaceChildren(video)
  video.addEventListener('timeupdate', () => {
    const plays = run === state.run && video.currentTime > 0.1 && find('refused').hidden
    if (plays) say('playing', `Playing ${video.videoHeight}p`)
  })
  const begun = await PLAYERS[player].start(
    video,
    {
      url: `${location.origin}/media/${stream.id}/${manifest}`,
      token: tokens[token],
      licenseUrl: `${keyspring}/license/clearkey/default/${stream.id}`,
    },
    (error) => {
      if (run === state.run) find('refused-code').textContent = error
    },
  )
  if (run === state.run) stop = begun
  else await begun()
}

function say(status, text) {
  find('status').dataset.state = status
  find('status-text').textContent = text
}

function refuse({ status, bytes }) {
  find('refused').hidden = false
  find('refused-title').textContent = status === 0 ? 'No answer' : String(status)
  find('refused-text').textContent = WHY[status] ?? new TextDecoder().decode(bytes)
  say('refused', status === 0 ? 'Refused' : `Refused with ${status}`)
}

function showRequests() {
  find('count').textContent = String(requests.length)
  find('no-requests').hidden = requests.length > 0
  find('requests').replaceChildren(...requests.map(requestRow))
}

function requestRow(request) {
  request.row ??= make(
    'li',
    {},
    make(
      'div',
      { class: 'line' },
      make('span', { class: 'badge' }, request.method),
      make(
        'span',
        { class: `badge ${request.status < 400 && request.status > 0 ? 'good' : 'bad'}` },
        String(request.status || 'failed'),
      ),
      make('span', {}, request.hasToken ? 'with a token' : 'without a token'),
      make('time', {}, `${request.ms.toFixed(request.ms < 10 ? 1 : 0)} ms`),
    ),
    make('p', { class: 'path' }, new URL(request.url).pathname),
    make('p', { class: `said ${request.status < 400 ? '' : 'bad'}` }, describe(request)),
  )
  return request.row
}

/** What was asked and answered, without a key in it. */
function describe({ method, sent, status, bytes }) {
  if (status === 0) return 'The browser kept the answer from the page.'
  if (status >= 400) return new TextDecoder().decode(bytes)
  if (method === 'GET') return `${bytes.byteLength} bytes: the key`
  const asked = kidsOf(sent, 'kids')
  const answered = kidsOf(new TextDecoder().decode(bytes), 'keys')
  return `a licence with ${answered} of ${asked} ${asked === 1 ? 'key' : 'keys'}`
}

function kidsOf(json, member) {
  try {
    return JSON.parse(json)[member].length
  } catch {
    return 0
  }
}

function showTabs() {
  find('tabs').replaceChildren(
    ...Object.entries(TABS).map(([id, name]) =>
      make(
        'button',
        {
          type: 'button',
          role: 'tab',
          'aria-selected': String(id === state.tab),
          onclick: () => {
            state.tab = id
            showTabs()
          },
        },
        name,
      ),
    ),
  )
  find('detail').replaceChildren(...DETAILS[state.tab](state.stream))
}

function systemCard({ name, rows }) {
  const list = rows.flatMap(([term, value]) => [make('dt', {}, term), make('dd', {}, value)])
  return make('div', { class: 'system' }, make('h3', {}, name), make('dl', {}, ...list))
}

/** Text with its tags and values in colour, and long values cut in the middle. */
function code(text) {
  const pre = make('pre')
  const shown = text.replace(/[A-Za-z0-9+/=]{120,}/g, (long) => `${long.slice(0, 48)}…${long.slice(-16)}`)
  for (const part of shown.split(/(<\/?[\w:]+|"[^"]*"|#EXT[\w-]*)/)) {
    const kind = /^(?:<|#EXT)/.test(part) ? 'tag' : part.startsWith('"') ? 'value' : undefined
    pre.append(kind === undefined ? part : make('span', { class: kind }, part))
  }
  return pre
}
