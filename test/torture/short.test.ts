import assert from 'node:assert/strict'
import { test } from 'node:test'
import { killOnSqlite, killPostgres, type Limits, type Result } from '../../scripts/torture/scenarios.ts'

// A few rounds of `npm run torture`, which does hundreds.

const held = async (run: (limits: Limits) => Promise<Result>, rounds: number): Promise<void> => {
  const result = await run({ rounds, deadline: Number.POSITIVE_INFINITY })
  assert.ok(result.passed, JSON.stringify(result))
  assert.ok(result.acknowledged > 0)
}

test('a server killed under load restarts and returns every acknowledged key unchanged', () => held(killOnSqlite, 3))

test('PostgreSQL killed under load loses no acknowledged key, and the server survives', () => held(killPostgres, 2))
