import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type BuildReport, readBuildReport } from '../../../lib/backend/build-report.ts'
import {
  BUILD_REPORT_FILE,
  makeReport,
  missingOutputs,
  readReport,
} from '../../../scripts/support/report.mjs'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'report '))
})
afterEach(() => rmSync(folder, { recursive: true }))

const hip = { build: false, message: 'No ROCm here.', rocm: null, gpuTargets: [], kernels: null }
const configuration = {
  whisperCpp: '1.9.1',
  ggml: '0.15.1',
  base: 'libggml-base-whisper-hip-0.1.0.so',
  trial: 'whisper-hip-trial',
  modules: ['libggml-cpu-x64.so', 'libggml-cpu-haswell.so'],
  hipVersion: '',
  flags: '-O3',
}
const toolchain = {
  c: 'gcc',
  cxx: 'g++',
  compiler: 'g++ 12',
  processor: 'x86_64',
  arch: 'x64',
  cmake: 'cmake',
  cmakeVersion: '3.25.1',
  generator: 'Ninja',
}
const report = (changes: Partial<Parameters<typeof makeReport>[0]> = {}): BuildReport =>
  makeReport({ root: '.', configuration, toolchain, hip, portable: true, sourcesHash: 'abc', ...changes })
const write = (content: unknown) =>
  writeFileSync(
    join(folder, BUILD_REPORT_FILE),
    typeof content === 'string' ? content : JSON.stringify(content),
  )

describe('readBuildReport', () => {
  it('reads what the build writes, with and without HIP', () => {
    write(report())
    expect(readBuildReport(folder)).toEqual(report())
    expect(report().hip).toEqual({
      built: false,
      reason: 'NOT_COMPILED',
      message: 'No ROCm here.',
      hipVersion: null,
      gpuTargets: [],
      kernels: null,
    })

    const rocm = { root: '/opt/rocm', version: '6.4.0', compiler: 'clang++' }
    const planned = {
      build: true,
      message: 'Yes.',
      rocm,
      gpuTargets: ['gfx1100'],
      kernels: 'whisper' as const,
    }
    expect(report({ hip: planned }).hip).toMatchObject({ built: false, reason: 'NOT_COMPILED' })
    const modules = [...configuration.modules, 'libggml-hip.so']
    const withHip = report({ hip: planned, configuration: { ...configuration, modules } })
    write(withHip)
    expect(readBuildReport(folder)).toMatchObject({
      built: { hip: 'libggml-hip.so' },
      hip: { built: true, reason: 'OK', gpuTargets: ['gfx1100'], kernels: 'whisper', rocm: '/opt/rocm' },
    })
  })

  it('reads that of a build without a program for the trial', () => {
    const { trial, ...built } = report().built
    expect(trial).toBe('whisper-hip-trial')
    write({ ...report(), built })
    expect(readBuildReport(folder)).toEqual({ ...report(), built })
  })

  it('answers null when there is none', () => {
    expect(readBuildReport(folder)).toBeNull()
  })

  it.each([
    ['cut', '{"whisperHip": "0.1', /it is not JSON/],
    ['of another kind', [], /the field whisperHip/],
    ['null', 'null', /the field whisperHip/],
    ['without modules', { ...report(), built: { ...report().built, cpu: [] } }, /the field built\.cpu/],
    [
      'leading out of its folder',
      { ...report(), built: { ...report().built, cpu: ['../x.so'] } },
      /built\.cpu/,
    ],
    [
      'with a program elsewhere',
      { ...report(), built: { ...report().built, trial: '/bin/sh' } },
      /built\.trial/,
    ],
    ['naming a folder', { ...report(), built: { ...report().built, addon: '..' } }, /built\.addon/],
    ['with an unknown reason', { ...report(), hip: { ...report().hip, reason: 'MAYBE' } }, /hip\.reason/],
    ['contradicting itself', { ...report(), hip: { ...report().hip, built: true } }, /contradict/],
  ])('refuses a report that is %s, naming the file', (_kind, content, message) => {
    write(content)
    expect(() => readBuildReport(folder)).toThrow(message)
    try {
      readBuildReport(folder)
    } catch (error) {
      expect(error).toMatchObject({ code: 'ERR_NATIVE_MISSING' })
      expect(String(error)).toContain(join(folder, BUILD_REPORT_FILE))
    }
  })
})

describe('the report of the last build', () => {
  it('is none when it was cut short', async () => {
    expect(await readReport(folder)).toBeNull()
    write('{"built":')
    expect(await readReport(folder)).toBeNull()
  })

  it('names the outputs that must be there', () => {
    for (const name of ['whisper_hip.node', 'libggml-base-whisper-hip-0.1.0.so', 'libggml-cpu-x64.so'])
      writeFileSync(join(folder, name), '')
    expect(missingOutputs(folder, report())).toEqual(['libggml-cpu-haswell.so', 'whisper-hip-trial'])
  })
})
