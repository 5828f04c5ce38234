import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  contentPattern,
  parseDuration,
  type RetentionSettings,
  retentionProblems,
  retentionRules,
  shortestGraceMs,
} from '../../../src/operations/lifetime/retention.ts'

const DAY = 86_400_000

function settingsOf(changes: Partial<RetentionSettings> = {}): RetentionSettings {
  return {
    default: 'forever',
    classes: {
      live: { keep: '7d', grace: '1d', afterwards: 'regenerate' },
      event: { keep: '12h', grace: '30m', afterwards: 'gone' },
    },
    contents: [
      { contentId: 'live-news-*', class: 'event' },
      { contentId: 'live-*', class: 'live' },
      { contentId: 'sport/*', class: 'event' },
    ],
    hold: [],
    ...changes,
  }
}

describe('durations', () => {
  const spelled: readonly (readonly [string, number])[] = [
    ['90s', 90_000],
    ['30m', 1_800_000],
    ['12h', 43_200_000],
    ['7d', 7 * DAY],
    ['2w', 14 * DAY],
    ['0d', 0],
    ['forever', Number.POSITIVE_INFINITY],
  ]
  for (const [text, ms] of spelled) test(`${text} is read`, () => assert.equal(parseDuration(text), ms))

  const refused = ['', '7', 'd', '7 d', '-1d', '1.5h', '7D', '1y', '1d12h', 'Forever', '1e3s', '9999999999s', '99999w']
  for (const text of refused) {
    test(`${JSON.stringify(text)} is not understood`, () => assert.equal(parseDuration(text), undefined))
  }
})

describe('the class of a content', () => {
  const classOf = retentionRules(settingsOf())
  const named = (tenant: string, contentId: string): string => classOf({ tenant, contentId }).name

  test('is that of the first pattern that fits', () => {
    assert.equal(named('any', 'live-news-1'), 'event')
    assert.equal(named('any', 'live-1'), 'live')
  })

  test('is the default when none fits', () => assert.equal(named('any', 'movie'), 'forever'))

  test('a pattern without a slash names contentIds, never a tenant', () => {
    assert.equal(named('live-tenant', 'movie'), 'forever')
  })

  test('a pattern with a slash names a tenant and its contents, not a contentId with a slash', () => {
    assert.equal(named('sport', 'match'), 'event')
    assert.equal(named('other', 'sport/match'), 'forever')
  })

  test('says how long, how long after that, and what then', () => {
    assert.deepEqual(classOf({ tenant: 'a', contentId: 'live-1' }), {
      name: 'live',
      keepMs: 7 * DAY,
      graceMs: DAY,
      afterwards: 'regenerate',
      held: false,
    })
  })

  test('a content under legal hold keeps the name of its class and never expires', () => {
    const held = retentionRules(settingsOf({ hold: ['a/live-1'] }))
    assert.deepEqual(held({ tenant: 'a', contentId: 'live-1' }), {
      name: 'live',
      keepMs: undefined,
      graceMs: DAY,
      afterwards: 'regenerate',
      held: true,
    })
    assert.equal(held({ tenant: 'b', contentId: 'live-1' }).held, false)
  })

  test('is the same object each time: it is asked for with every request', () => {
    const held = retentionRules(settingsOf({ hold: ['a/live-1'] }))
    const ref = { tenant: 'a', contentId: 'live-1' }
    assert.equal(held(ref), held({ ...ref }))
  })

  test('two contents whose names could run together are two contents', () => {
    const rules = retentionRules(settingsOf({ contents: [{ contentId: 'a/bc', class: 'live' }] }))
    assert.equal(rules({ tenant: 'a', contentId: 'bc' }).name, 'live')
    assert.equal(rules({ tenant: 'ab', contentId: 'c' }).name, 'forever')
  })

  test('a remembered class is the class that the rules give', () => {
    const text = fc.stringMatching(/^[ab*/-]{0,4}$/)
    fc.assert(
      fc.property(fc.array(text, { maxLength: 4 }), fc.array(fc.tuple(text, text)), (patterns, refs) => {
        const contents = patterns.map((contentId) => ({ contentId, class: 'live' }))
        const rules = retentionRules(settingsOf({ contents, hold: [] }))
        for (const [tenant, contentId] of [...refs, ...refs]) {
          const fits = patterns.some((pattern) => contentPattern(pattern)({ tenant, contentId }))
          assert.equal(rules({ tenant, contentId }).name, fits ? 'live' : 'forever')
        }
      }),
    )
  })
})

describe('rules that are not good', () => {
  const problems: readonly (readonly [string, Partial<RetentionSettings>, string])[] = [
    ['a default that is no class', { default: 'vod' }, 'default'],
    ['a rule with a class that is none', { contents: [{ contentId: '*', class: 'vod' }] }, 'contents.0.class'],
    ['a class called like a member of every object', { default: 'toString' }, 'default'],
    ['a duration', { classes: { live: { keep: 'a week', grace: '1d', afterwards: 'gone' } } }, 'classes.live.keep'],
    [
      'keeping for no time',
      { classes: { live: { keep: '0d', grace: '1d', afterwards: 'gone' } } },
      'classes.live.keep',
    ],
    [
      'a grace without an end',
      { classes: { live: { keep: '1d', grace: 'forever', afterwards: 'gone' } } },
      'classes.live.grace',
    ],
    [
      'another class called forever',
      { classes: { forever: { keep: '1d', grace: '1d', afterwards: 'gone' } } },
      'classes.forever',
    ],
  ]
  for (const [name, changes, path] of problems) {
    test(`${name} is rejected by its path`, () => {
      const settings = settingsOf({ contents: [], ...changes })
      assert.deepEqual(
        retentionProblems(settings).map((problem) => problem.path),
        [path],
      )
      assert.throws(() => retentionRules(settings), { code: 'ERR_CONFIG_INVALID' })
    })
  }

  test('good ones have no problems', () => assert.deepEqual(retentionProblems(settingsOf()), []))
})

test('the shortest grace is that of the hastiest class; without classes nothing is ever destroyed', () => {
  assert.equal(shortestGraceMs(settingsOf()), 1_800_000)
  assert.equal(shortestGraceMs(settingsOf({ classes: {} })), Number.POSITIVE_INFINITY)
})

describe('the contents of keyspring verify', () => {
  const ref = (contentId: string) => ({ tenant: 'default', contentId })
  const none = settingsOf({ classes: {}, contents: [] })

  test('expire after a day and get new keys afterwards', () => {
    for (const contentId of ['keyspring-verify-http', 'acme-keyspring-verify-http']) {
      const { name, keepMs, graceMs, afterwards } = retentionRules(none, true)(ref(contentId))
      assert.deepEqual([name, keepMs, graceMs, afterwards], ['verification', DAY, DAY / 24, 'regenerate'])
    }
  })

  test('do not expire if keys are derived from a root secret', () => {
    assert.equal(retentionRules(none)(ref('keyspring-verify-http')).keepMs, undefined)
  })

  test('have the class of the configuration if it has one', () => {
    const rule = settingsOf({ contents: [{ contentId: 'keyspring-*', class: 'event' }] })
    assert.equal(retentionRules(rule, true)(ref('keyspring-verify-http')).name, 'event')
    assert.equal(retentionRules(settingsOf({ default: 'live' }), true)(ref('keyspring-verify-http')).name, 'live')
    const held = retentionRules(settingsOf({ hold: ['*'] }), true)(ref('keyspring-verify-http'))
    assert.deepEqual([held.keepMs, held.held], [undefined, true])
  })

  test('leave every other content as it is', () => {
    assert.equal(retentionRules(none, true)(ref('film')).name, 'forever')
  })
})
