import { execFileSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { packageRoot } from '../../lib/backend/package-root.ts'
import { folder, makeMaterials, materials, runChild } from './child.ts'

beforeAll(makeMaterials)

const text = 'This is number 0. This is number 1.'

describe('an ordinary program', () => {
  it('prints its text and nothing else', async () => {
    const ended = await runChild('plain.cjs')
    expect(ended).toMatchObject({ code: 0, signal: null, stdout: `${text}\n`, stderr: '' })
  })

  it('does not mind that nobody reads its output', async () => {
    expect(await runChild('plain.cjs', [], { deaf: true })).toMatchObject({
      code: 0,
      signal: null,
      stderr: '',
    })
    const closed = await runChild('plain.cjs', [], { before: 'exec 1>&- 2>&-;' })
    expect(closed).toMatchObject({ code: 0, signal: null })
  })

  it('runs without a stack to spare and with few files', async () => {
    const ended = await runChild('plain.cjs', [], { before: 'ulimit -s 1024; ulimit -n 48;' })
    expect(ended).toMatchObject({ code: 0, signal: null, stdout: `${text}\n`, stderr: '' })
  })
})

describe.runIf(process.arch === 'x64')('WHISPER_HIP_CPU', () => {
  it.each(['', 'none', 'avx2'])('%j names kernels that speak as all others do', async (WHISPER_HIP_CPU) => {
    const ended = await runChild('plain.cjs', [], { env: { WHISPER_HIP_CPU } })
    expect(ended).toMatchObject({ code: 0, stdout: `${text}\n`, stderr: '' })
  })

  it('names what is possible where it names nothing', async () => {
    const ended = await runChild('plain.cjs', [], { env: { WHISPER_HIP_CPU: 'avx9' } })
    expect(ended.code).toBe(1)
    expect(ended.stderr).toContain('WHISPER_HIP_CPU=avx9 names no kernels')
    expect(ended.stderr).toContain('possible are none, avx2')
  })
})

describe('require and import', () => {
  it('give one library with one state', async () => {
    const ended = await runChild('both-worlds.mjs')
    expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' })
    expect(JSON.parse(ended.stdout)).toEqual({ names: true, logged: true, caught: true })
  })
})

/** Copies the package; another version has another name for its core library, which is all that the linker sees. */
function copyPackage(name: string, version?: string): string {
  const copy = join(folder, name)
  const release = join(copy, 'build/Release')
  mkdirSync(release, { recursive: true })
  for (const part of ['dist', 'package.json', 'vendor/silero-vad'])
    cpSync(join(packageRoot(), part), join(copy, part), { recursive: true })
  symlinkSync(join(packageRoot(), 'node_modules'), join(copy, 'node_modules'))
  cpSync(dirname(materials.ADDON), release, { recursive: true })
  const current = JSON.parse(readFileSync(join(copy, 'package.json'), 'utf8')).version
  if (version === undefined) return copy
  expect(version).toHaveLength(current.length)
  for (const file of readdirSync(release)) {
    const bytes = readFileSync(join(release, file), 'latin1')
    const renamed = bytes.replaceAll(`whisper-hip-${current}`, `whisper-hip-${version}`)
    writeFileSync(join(release, file), renamed, 'latin1')
    renameSync(join(release, file), join(release, file.replace(current, version)))
  }
  return copy
}

describe('several copies of the package', () => {
  it('of one version and of another work side by side in one process', async () => {
    const copies = [packageRoot(), copyPackage('same version'), copyPackage('other version', '9.9.9')]
    const ended = await runChild('copies.cjs', copies)
    expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' })
    expect(JSON.parse(ended.stdout)).toEqual(copies.map(() => [text, true]))
  })
})

describe('ffmpeg', () => {
  it('does not outlive a process that leaves in the middle', async () => {
    const path = join(folder, 'long.m4a')
    execFileSync('ffmpeg', [
      '-v',
      'error',
      '-f',
      'lavfi',
      '-i',
      'sine=duration=900',
      '-c:a',
      'aac',
      '-b:a',
      '8k',
      '-ar',
      '8000',
      path,
    ])
    const ended = await runChild('converting.cjs', [path])
    expect(ended).toMatchObject({ code: 7, signal: null, stderr: '' })
    const program = `/proc/${Number(ended.stdout)}`
    for (let i = 0; i < 50 && existsSync(program); i++)
      await new Promise((resolve) => setTimeout(resolve, 100))
    expect(existsSync(program)).toBe(false)
  })
})
