import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium, type Page } from 'playwright-core'

export type PlayerName = 'shaka' | 'dash' | 'hls'

/** What a page is to play, and how. */
export interface PlayOptions {
  readonly player: PlayerName
  readonly url: string
  readonly token?: string
  readonly rendition?: 'sd' | 'hd'
  /** Where to take licences, for players that are told by their page. */
  readonly license?: { readonly system: string; readonly url: string }
  /** Where to stand still at the end, in seconds. */
  readonly at?: number
  readonly playMs?: number
  readonly limitMs?: number
  /** Puts a CDM that knows this system alone in the place of the browser's. */
  readonly fakeCdm?: string
  /** The origin of the page, where it is not that of the streams. */
  readonly origin?: string
}

/** What came of it. */
export interface Played {
  readonly plays: boolean
  /** Seconds that went by while it played. */
  readonly advanced?: number
  /** Frames that were decoded. */
  readonly frames: number
  readonly width?: number
  readonly currentTime: number
  /** What the player told its page. */
  readonly errors: readonly string[]
  /** The picture at the end. */
  readonly picture: Buffer
  /** The requests of the page for keys and licences, and their statuses. */
  readonly requests: readonly KeyServerRequest[]
}

export interface KeyServerRequest {
  readonly method: string
  readonly path: string
  readonly status: number
  /** The origin whose pages may read the answer, and whether it may know them. */
  readonly allowOrigin: string | undefined
  readonly allowCredentials: string | undefined
}

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--autoplay-policy=no-user-gesture-required',
  '--disable-dev-shm-usage',
  '--force-color-profile=srgb',
]

export type Browser = Awaited<ReturnType<typeof openBrowser>>

/** Debian's Chromium with an empty profile; `web` is where the page of the players is. */
export async function openBrowser(web: string) {
  const profile = await mkdtemp(join(tmpdir(), 'keyspring-browser-'))
  const context: BrowserContext = await chromium.launchPersistentContext(profile, {
    executablePath: '/usr/bin/chromium',
    headless: true,
    args: FLAGS,
    viewport: { width: 640, height: 360 },
  })
  return {
    context,
    /** Plays in a page of its own. */
    async play({ fakeCdm, origin = web, ...options }: PlayOptions): Promise<Played> {
      const page = await context.newPage()
      const requests: KeyServerRequest[] = []
      page.on('response', (response) => {
        const { pathname, origin: host } = new URL(response.url())
        if (host === web) return
        const headers = response.headers()
        requests.push({
          method: response.request().method(),
          path: pathname,
          status: response.status(),
          allowOrigin: headers['access-control-allow-origin'],
          allowCredentials: headers['access-control-allow-credentials'],
        })
      })
      try {
        await page.goto(`${origin}/e2e/index.html`)
        if (fakeCdm !== undefined) await call(page, 'fakeCdm', fakeCdm)
        const played = await call(page, 'play', { at: 5.02, ...options })
        const picture = await page.locator('video').screenshot()
        return { ...(played as Omit<Played, 'picture' | 'requests'>), picture, requests }
      } finally {
        await page.close()
      }
    },
    async close() {
      await context.close()
      await rm(profile, { recursive: true, force: true })
    },
  }
}

/** Calls a function of the page. */
function call(page: Page, name: string, value: unknown): Promise<unknown> {
  return page.evaluate(`window.${name}(${JSON.stringify(value)})`)
}
