import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { advise } from '../../../../lib/backend/preflight/advice.ts'
import { REASON_GROUPS, REASONS } from '../../../../lib/backend/preflight/reasons.ts'
import type { BackendReason } from '../../../../lib/backend/types.ts'
import { renderReasons } from '../../../../scripts/reasons-page.mjs'
import { packageRoot } from '../../../../scripts/support/package.mjs'

describe('reasons', () => {
  it('are each in one group, with a meaning and a cause', () => {
    const grouped = REASON_GROUPS.flatMap(({ reasons }) => Object.keys(reasons))
    expect(grouped.sort()).toEqual(Object.keys(REASONS).sort())
    for (const { meaning, cause } of Object.values(REASONS)) {
      expect(meaning).toMatch(/^\S.*\.$/)
      expect(cause).toMatch(/^\S.*\.$/)
    }
  })

  it('have advice unless nothing is wrong', () => {
    const silent = Object.keys(REASONS).filter(
      (reason) => REASONS[reason as BackendReason].advice.length === 0,
    )
    expect(silent.sort()).toEqual(['GPU_DISABLED_BY_OPTION', 'OK'])
  })

  it('are on the page, which is up to date', async () => {
    const page = await renderReasons()
    for (const reason of Object.keys(REASONS)) expect(page).toContain(`### ${reason}\n`)
    expect(
      readFileSync(join(packageRoot, 'docs', 'reasons.md'), 'utf8'),
      'run node scripts/reasons-page.mjs',
    ).toBe(page)
  })
})

describe('advise', () => {
  it('leaves out what does not fit, or lacks a value', () => {
    const facts = { gid: '109', group: 'render', user: 'alice', path: '/dev/kfd' }
    expect(
      advise('KFD_PERMISSION_DENIED', new Set(['docker', 'container', 'outside its group']), facts),
    ).toEqual(['Start the container with: --group-add 109'])
    expect(
      advise('KFD_PERMISSION_DENIED', new Set(['docker', 'container', 'outside its group']), {}),
    ).toEqual([])
    expect(advise('KFD_MISSING', new Set(['host']), {}).join()).not.toContain('container')
  })
})
