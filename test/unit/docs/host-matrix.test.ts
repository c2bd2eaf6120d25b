import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { packageRoot } from '../../../lib/backend/package-root.ts'
import { matrixPage } from '../../../scripts/host-matrix.mjs'

it('the page of hosts is what the script writes, of hosts that all transcribed', () => {
  const page = readFileSync(join(packageRoot(), 'docs/host-matrix.md'), 'utf8')
  const rows = [...page.matchAll(/^\| (.+) \| ([\d.]+) \| (.+) \|$/gm)].map(
    ([, name = '', version = '', outcome = '']) => ({ name, version, outcome }),
  )
  expect(rows.length).toBeGreaterThanOrEqual(10)
  expect(matrixPage(rows)).toBe(page)
  expect(new Set(rows.map(({ outcome }) => outcome))).toEqual(new Set(['transcribes']))
})
