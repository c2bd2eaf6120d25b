import { createHash } from 'node:crypto'
import { copyFileSync, cpSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Family, hipPackageName } from '../../lib/backend/hip-packages.mjs'
import { packageRoot } from '../../lib/backend/package-root.ts'
import { emptyMachine, makeModule, rocmLibraries } from '../fixtures/sysroot.ts'
import { folder, makeMaterials, materials, runChild } from './child.ts'

/** Where an installed package finds what was compiled for it, when that does not lie in its own folder. */

beforeAll(makeMaterials)

const { version } = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8'))
const system = `${process.platform}-${process.arch}`
const text = 'This is number 0. This is number 1.'
const companions = ['bindings', 'file-uri-to-path', 'node-gyp-build', 'pend', 'yauzl']

/** An application with the JavaScript of this package and nothing compiled, and a cache of its own. */
function makeApplication(name: string): { modules: string; root: string; cache: string } {
  const modules = join(folder, name, 'node_modules')
  const root = join(modules, 'whisper-hip')
  mkdirSync(root, { recursive: true })
  for (const part of ['dist', 'package.json', 'vendor/silero-vad', 'vendor/whisper-vocabulary'])
    cpSync(join(packageRoot(), part), join(root, part), { recursive: true })
  for (const companion of companions)
    cpSync(join(packageRoot(), 'node_modules', companion), join(modules, companion), { recursive: true })
  return { modules, root, cache: join(folder, name, 'cache') }
}

function putBuild(target: string): string {
  mkdirSync(dirname(target), { recursive: true })
  cpSync(dirname(materials.ADDON), target, { recursive: true })
  return target
}

/** The package for this system, with the build of this checkout in it. */
function putPackage(modules: string, changes: object = {}): string {
  const name = `@whisper-hip/${system}`
  const target = putBuild(join(modules, name))
  writeFileSync(join(target, 'package.json'), JSON.stringify({ name, version }))
  const report = JSON.parse(readFileSync(join(target, 'build-report.json'), 'utf8'))
  writeFileSync(join(target, 'build-report.json'), JSON.stringify({ ...report, ...changes }))
  return target
}

async function use(root: string, cache: string, ...ways: string[]) {
  const ended = await runChild('packed.cjs', [root, ...ways], { env: { WHISPER_HIP_CACHE: cache } })
  expect(ended).toMatchObject({ code: 0, signal: null })
  return JSON.parse(ended.stdout)
}

describe('what was compiled is found', () => {
  it('in the package for this system, also by a process of its own', async () => {
    const { modules, root, cache } = makeApplication('with a package')
    const place = putPackage(modules)
    const outcomes = await use(root, cache, 'info', 'transcribe', 'isolated')
    expect(outcomes).toMatchObject({ transcribe: text, isolated: text })
    expect(outcomes.info.addon).toBe(join(place, 'whisper_hip.node'))
  })

  it('in the cache of the user, before the package', async () => {
    const { modules, root, cache } = makeApplication('with a cache')
    putPackage(modules)
    const place = putBuild(join(cache, 'build', `${version}-${system}`, 'Release'))
    const outcomes = await use(root, cache, 'info', 'transcribe')
    expect(outcomes.transcribe).toBe(text)
    expect(outcomes.info.addon).toBe(join(place, 'whisper_hip.node'))
  })

  it('in its own folder before all others', async () => {
    const { modules, root, cache } = makeApplication('with a build')
    putPackage(modules)
    const place = putBuild(join(root, 'build/Release'))
    expect((await use(root, cache, 'info')).info.addon).toBe(join(place, 'whisper_hip.node'))
  })
})

describe('what cannot be used is an error that says why', () => {
  it('a package of another release', async () => {
    const { modules, root, cache } = makeApplication('of another release')
    putPackage(modules, { whisperHip: '9.9.9' })
    const { transcribe } = await use(root, cache, 'transcribe')
    expect(transcribe).toMatchObject({
      code: 'ERR_NATIVE_MISSING',
      message: expect.stringContaining(`is version 9.9.9, whisper-hip is version ${version}`),
    })
  })

  it('nothing at all, with the command that compiles and the package to install', async () => {
    const { root, cache } = makeApplication('with nothing')
    const { transcribe } = await use(root, cache, 'transcribe')
    expect(transcribe.code).toBe('ERR_NATIVE_MISSING')
    expect(transcribe.message).toContain(`@whisper-hip/${system} is not installed`)
    expect(transcribe.advice).toEqual([
      expect.stringContaining('npx whisper-hip build'),
      expect.stringContaining(`npm install @whisper-hip/${system}`),
    ])
  })

  it('a package without one of its libraries', async () => {
    const { modules, root, cache } = makeApplication('in part')
    const place = putPackage(modules)
    const { built } = JSON.parse(readFileSync(join(place, 'build-report.json'), 'utf8'))
    renameSync(join(place, built.base), join(place, 'elsewhere'))
    const { transcribe } = await use(root, cache, 'transcribe')
    expect(transcribe).toMatchObject({
      code: 'ERR_NATIVE_MISSING',
      message: expect.stringContaining(built.base),
    })
    rmSync(place, { recursive: true })
  })
})

describe('packages with a HIP module', () => {
  it('are chosen by the GPU, and named where none fits', async () => {
    const { modules, root, cache } = makeApplication('with a RX 6800')
    const report = JSON.parse(readFileSync(join(putPackage(modules), 'build-report.json'), 'utf8'))
    const put = (family: Family, target: string) => {
      const name = hipPackageName(system, 6, family)
      const place = join(modules, name)
      mkdirSync(place)
      const module = join(place, 'libggml-hip.so')
      copyFileSync(makeModule({ needed: ['libamdhip64.so.6', 'libc.so.6'], targets: [target] }), module)
      const sha256 = createHash('sha256').update(readFileSync(module)).digest('hex')
      const hip = {
        ...report.hip,
        built: true,
        reason: 'OK',
        hipVersion: '6.4.3',
        gpuTargets: [target],
        kernels: 'whisper',
      }
      const built = { ...report.built, hip: 'libggml-hip.so' }
      writeFileSync(join(place, 'package.json'), JSON.stringify({ name, version }))
      writeFileSync(
        join(place, 'build-report.json'),
        JSON.stringify({ ...report, hip, built, sha256: { 'libggml-hip.so': sha256 } }),
      )
      return name
    }
    const machine = emptyMachine()
      .directory('/sys/module/amdgpu')
      .gpu({ gfx: 100300 })
      .file('/dev/kfd')
      .rocm({ kernels: ['gfx1030'] })
      .loaderCache(rocmLibraries())
    const doctor = async () => {
      const env = { WHISPER_HIP_CACHE: cache, WHISPER_HIP_SYSROOT: machine.folder }
      return JSON.parse((await runChild('doctor.cjs', [root], { env })).stdout)
    }
    put('rdna3', 'gfx1100')
    const without = await doctor()
    expect(without.reason).toBe('NO_CODE_OBJECT_FOR_GPU')
    expect(without.advice[0]).toBe(
      `Install the GPU module: npm install ${hipPackageName('linux-x64', 6, 'rdna2')}`,
    )
    // The stand-in of a module does not get through its trial, to which it is taken.
    const name = put('rdna2', 'gfx1030')
    const { message, probe } = await doctor()
    expect(JSON.stringify(probe) + message).toContain(join(modules, name))
    machine.dispose()
  })
})

describe('a package with a HIP module', () => {
  const name = `@whisper-hip/${system}-rocm7-rdna3`

  it('that was damaged, or is of another release, is said to be that', async () => {
    const { modules, root, cache } = makeApplication('with a HIP module')
    const report = JSON.parse(readFileSync(join(putPackage(modules), 'build-report.json'), 'utf8'))
    const place = join(modules, name)
    mkdirSync(place)
    writeFileSync(join(place, 'package.json'), JSON.stringify({ name, version }))
    writeFileSync(join(place, 'libggml-hip.so'), 'no library')
    const hip = { ...report.hip, built: true, reason: 'OK', hipVersion: '7.2.4', gpuTargets: ['gfx1100'] }
    const built = { ...report.built, hip: 'libggml-hip.so' }
    const write = (changes: object) =>
      writeFileSync(join(place, 'build-report.json'), JSON.stringify({ ...report, hip, built, ...changes }))
    const doctor = async () => {
      const { stdout } = await runChild('doctor.cjs', [root], { env: { WHISPER_HIP_CACHE: cache } })
      const { message, notes } = JSON.parse(stdout)
      return [message, ...notes.map((note: { message: string }) => note.message)].join('\n')
    }
    write({ sha256: { 'libggml-hip.so': '0'.repeat(64) } })
    expect(await doctor()).toContain(
      `${join(place, 'libggml-hip.so')} is not the file that its build report names`,
    )
    write({ whisperHip: '9.9.9', sha256: { 'libggml-hip.so': '0'.repeat(64) } })
    expect(await doctor()).toContain(`install ${name}@${version}`)
  })
})
