import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { packageRoot } from '../../../lib/backend/package-root.ts'
import { HOSTS, matrixPage } from '../../../scripts/host-matrix.mjs'
import { judge } from '../../../scripts/hosts/application.mjs'

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

it('a host has failed with other words, another addon, or errors that are not of the library', () => {
  const addon = `/app/node_modules/@whisper-hip/${process.platform}-${process.arch}/whisper_hip.node`
  const right = {
    text: 'Ask not what your country can do for you.',
    addon,
    codes: ['ERR_AUDIO_DECODE', 'ERR_MODEL_NOT_FOUND'],
  }
  expect(judge(right)).toBe('transcribes')
  expect(judge({ ...right, text: 'Thank you.' })).toBe('wrong words: Thank you.')
  expect(judge({ ...right, addon: '/whisper-hip/build/Release/whisper_hip.node' })).toMatch(/^wrong addon/)
  const codes = ['Error: ENOENT', 'ERR_MODEL_NOT_FOUND']
  expect(judge({ ...right, codes })).toBe('wrong errors: Error: ENOENT,ERR_MODEL_NOT_FOUND')
})
