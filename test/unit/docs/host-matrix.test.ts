import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { packageRoot } from '../../../lib/backend/package-root.ts'
import { HOSTS, matrixPage } from '../../../scripts/host-matrix.mjs'

const read = (path: string) => readFileSync(join(packageRoot(), path), 'utf8')

it('the page of hosts is what the script writes, of all hosts, which all transcribed', () => {
  const page = read('docs/host-matrix.md')
  const rows = [...page.matchAll(/^\| (.+) \| ([\d.]+) \| (.+) \|$/gm)].map(
    ([, name = '', version = '', outcome = '']) => ({ name, version, outcome }),
  )
  expect(rows.map(({ name }) => name)).toEqual(HOSTS.map(({ name }) => name))
  expect(matrixPage(rows)).toBe(page)
  expect(new Set(rows.map(({ outcome }) => outcome))).toEqual(new Set(['transcribes']))
})

it('hosts are tried with the settings that the documentation tells', () => {
  const page = read('docs/hosts.md')
  const settings = HOSTS.flatMap(({ setting }) => setting ?? [])
  expect(settings.length).toBeGreaterThan(5)
  for (const setting of settings) expect(page).toContain(setting)
})

it('CI names hosts that exist', () => {
  const [, names = ''] = /host-matrix\.mjs (.*)/.exec(read('.ci/run')) ?? []
  const named = [...names.matchAll(/'([^']+)'|(\S+)/g)].map(([, quoted, word]) => quoted ?? word)
  expect(HOSTS.map(({ name }) => name)).toEqual(expect.arrayContaining(named))
  expect(named).toHaveLength(5)
})
