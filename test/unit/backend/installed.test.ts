import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { BuildReport } from '../../../lib/backend/build-report.ts'
import { hipPackageName, hipPackageNames } from '../../../lib/backend/hip-packages.mjs'
import {
  addonPackage,
  cachedBuildFolder,
  folderOfPackage,
  installedHipModules,
} from '../../../lib/backend/installed.ts'
import { hashProblem } from '../../../lib/backend/module-hash.ts'

const hipPackage = (rocm: number) => hipPackageName(`${process.platform}-${process.arch}`, rocm, 'rdna3')

let app: string
let root: string
beforeEach(() => {
  app = realpathSync(mkdtempSync(join(tmpdir(), 'installed ')))
  root = join(app, 'node_modules/whisper-hip')
  mkdirSync(root, { recursive: true })
})
afterEach(() => rmSync(app, { recursive: true }))

const MODULE = 'libggml-hip.so'
const reportOf = (changes: Partial<BuildReport> = {}): BuildReport => ({
  whisperHip: '1.2.3',
  whisperCpp: '1.9.1',
  ggml: '0.15.1',
  built: { addon: 'whisper-hip.node', base: 'libggml-base.so', cpu: ['libggml-cpu-x64.so'], hip: MODULE },
  hip: {
    built: true,
    reason: 'OK',
    message: 'Compiled for gfx1100.',
    hipVersion: '6.4.3',
    gpuTargets: ['gfx1100'],
    kernels: 'whisper',
  },
  arch: 'x64',
  compiler: 'g++',
  cmake: '3.25.1',
  flags: '',
  portable: true,
  sourcesHash: '',
  sha256: { [MODULE]: createHash('sha256').update('code').digest('hex') },
  ...changes,
})

function install(name: string, report: unknown, file: string | null = 'code'): string {
  const folder = join(app, 'node_modules', name)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name, version: '1.2.3' }))
  if (report !== null) writeFileSync(join(folder, 'build-report.json'), JSON.stringify(report))
  if (file !== null) writeFileSync(join(folder, MODULE), file)
  return folder
}

describe('packages with a HIP module', () => {
  it('are found beside this one, for the newest ROCm first', () => {
    const six = install(hipPackage(6), reportOf())
    const seven = install(hipPackage(7), reportOf())
    const { usable, refused } = installedHipModules(root, reportOf())
    expect(usable.map(({ folder }) => folder)).toEqual([seven, six])
    expect(refused).toEqual([])
  })

  it('are for each family of GPUs', () => {
    const names = hipPackageNames(`${process.platform}-${process.arch}`)
    for (const name of names) install(name, reportOf())
    expect(names).toHaveLength(10)
    expect(installedHipModules(root, reportOf()).usable.map(({ name }) => name)).toEqual(names)
  })

  it('are found in a folder above, and not in the working directory', () => {
    const folder = install(hipPackage(6), reportOf())
    expect(folderOfPackage(hipPackage(6), join(root, 'dist'))).toBe(folder)
    expect(folderOfPackage('vitest', root)).toBeNull()
  })

  it.each<[string, unknown, string | null, RegExp]>([
    [
      'of another release',
      reportOf({ whisperHip: '1.2.4' }),
      'code',
      /is version 1\.2\.4 .* install .*rocm7-rdna3@1\.2\.3/,
    ],
    ['without a report', null, 'code', /has no build-report\.json/],
    ['with a damaged report', { whisperHip: 1 }, 'code', /cannot be used/],
    ['without a hash', reportOf({ sha256: {} }), 'code', /no HIP module with a hash/],
    ['without the module', reportOf(), null, /libggml-hip\.so is missing/],
  ])('are refused with a reason when they are %s', (_kind, report, file, problem) => {
    install(hipPackage(7), report, file)
    const { usable, refused } = installedHipModules(root, reportOf())
    expect(usable).toEqual([])
    expect(refused).toMatchObject([{ name: hipPackage(7), problem: expect.stringMatching(problem) }])
  })

  it('have names that say for which system', () => {
    expect(addonPackage()).toBe(`@whisper-hip/${process.platform}-${process.arch}`)
    expect(hipPackage(7)).toBe(`${addonPackage()}-rocm7-rdna3`)
  })
})

describe('the hash of a module', () => {
  it('tells a file that is not the one of the report', async () => {
    const folder = install(hipPackage(7), reportOf())
    const path = join(folder, MODULE)
    const hash = reportOf().sha256?.[MODULE] ?? ''
    expect(await hashProblem(path, hash)).toBeNull()
    writeFileSync(path, 'other code')
    expect(await hashProblem(path, hash)).toMatch(/another SHA-256/)
    rmSync(path)
    expect(await hashProblem(path, hash)).toMatch(/cannot be read/)
  })
})

describe('the build in the cache', () => {
  it('has a folder for each version and system', () => {
    process.env.WHISPER_HIP_CACHE = app
    try {
      expect(cachedBuildFolder('1.2.3')).toBe(join(app, 'build', `1.2.3-${process.platform}-${process.arch}`))
    } finally {
      delete process.env.WHISPER_HIP_CACHE
    }
  })
})
