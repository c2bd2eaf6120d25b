import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { build, planBuild } from '../../../scripts/build.mjs'
import { hashOutputs } from '../../../scripts/support/report.mjs'

/** A package with nothing to compile; PATH is empty, so that a build that does not skip says what it misses. */
let root: string
const env = { PATH: '/nowhere', WHISPER_HIP_BUILD: 'cpu' }
const outputs = () => join(root, 'build/Release')

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'skip test '))
  cpSync('package.json', join(root, 'package.json'))
  for (const folder of [
    'binding',
    'scripts/support',
    'vendor/whisper.cpp/samples',
    'vendor/zlib',
    'build/Release',
  ])
    mkdirSync(join(root, folder), { recursive: true })
  for (const file of [
    'CMakeLists.txt',
    'scripts/build.mjs',
    'binding/addon.cpp',
    'vendor/whisper.cpp/LICENSE',
  ])
    writeFileSync(join(root, file), file)
})
afterEach(() => rmSync(root, { recursive: true }))

const run = (changes: NodeJS.ProcessEnv = {}) =>
  build({ root, out: join(root, 'build'), env: { ...env, ...changes } })

/** Records a build of what is there, as a build does. */
function pretendBuilt(): string {
  const names = ['whisper_hip.node', 'libggml-base.so', 'libggml-cpu.so']
  for (const name of names) writeFileSync(join(outputs(), name), '')
  const built = { addon: names[0], base: names[1], cpu: [names[2]], hip: null }
  const { sourcesHash } = planBuild(root, env)
  writeFileSync(join(outputs(), 'build-report.json'), JSON.stringify({ built, sourcesHash }))
  return sourcesHash
}

describe('a second build', () => {
  it('needs no compiler when nothing changed', async () => {
    const hash = pretendBuilt()
    expect(await run()).toMatchObject({ sourcesHash: hash })
  })

  it.each([
    ['a source changed', () => writeFileSync(join(root, 'binding/addon.cpp'), 'other')],
    ['a source is new', () => writeFileSync(join(root, 'binding/new.cpp'), '')],
    ['a vendored file changed', () => writeFileSync(join(root, 'vendor/whisper.cpp/LICENSE'), 'other')],
    ['an output is gone', () => rmSync(join(outputs(), 'libggml-cpu.so'))],
    ['the report was cut short', () => writeFileSync(join(outputs(), 'build-report.json'), '{')],
  ])('compiles when %s', async (_kind, change) => {
    pretendBuilt()
    change()
    await expect(run()).rejects.toThrow(/No C\+\+ compiler was found/)
  })

  it.each([
    ['cut short', ''],
    ['another one of the same size', 'other'],
  ])('makes an output again that is %s', async (_kind, content) => {
    pretendBuilt()
    const path = join(outputs(), 'libggml-cpu.so')
    writeFileSync(path, 'whole')
    const report = JSON.parse(readFileSync(join(outputs(), 'build-report.json'), 'utf8'))
    report.sha256 = hashOutputs(outputs(), report)
    writeFileSync(join(outputs(), 'build-report.json'), JSON.stringify(report))
    await run()
    writeFileSync(path, content)
    await expect(run()).rejects.toThrow(/No C\+\+ compiler was found/)
    expect(existsSync(path)).toBe(false)
  })

  it.each([{ CXXFLAGS: '-O1' }, { WHISPER_HIP_PORTABLE: '1' }, { WHISPER_HIP_BUILD: 'auto' }])(
    'compiles with %j',
    async (changes) => {
      pretendBuilt()
      await expect(run(changes)).rejects.toThrow(/No C\+\+ compiler was found/)
    },
  )

  it('does not care for files that are not compiled', async () => {
    pretendBuilt()
    writeFileSync(join(root, 'vendor/whisper.cpp/samples/a.wav'), 'x')
    await run()
  })
})
