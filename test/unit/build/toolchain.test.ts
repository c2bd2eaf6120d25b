import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { buildOptions, planHip } from '../../../scripts/support/options.mjs'
import { findRocm, gpuTargets } from '../../../scripts/support/rocm.mjs'
import {
  findProgram,
  isAtLeast,
  missingProgramsMessage,
  requireToolchain,
} from '../../../scripts/support/toolchain.mjs'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'toolchain '))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** A program that prints one line. */
function program(name: string, output: string, status = 0): void {
  const path = join(folder, name)
  mkdirSync(join(path, '..'), { recursive: true })
  writeFileSync(path, `#!/bin/sh\necho '${output}'\nexit ${status}\n`)
  chmodSync(path, 0o755)
}

describe('missingProgramsMessage', () => {
  const problems = [
    { need: 'compiler' as const, problem: 'No C++ compiler was found.' },
    { need: 'cmake' as const, problem: 'cmake was not found.' },
  ]
  it.each([
    ['Debian', 'ID=debian', 'apt-get install g++ cmake'],
    ['Mint', 'ID=linuxmint\nID_LIKE="ubuntu debian"', 'apt-get install g++ cmake'],
    ['Fedora', 'NAME="Fedora Linux"\nID=fedora', 'dnf install gcc-c++ cmake'],
    ['Rocky', 'ID="rocky"\nID_LIKE="rhel centos fedora"', 'dnf install gcc-c++ cmake'],
    ['Arch', 'ID=arch', 'pacman -S gcc cmake'],
    ['openSUSE', 'ID="opensuse-tumbleweed"', 'zypper install gcc-c++ cmake'],
    ['Alpine', 'ID=alpine', 'apk add g++ cmake'],
  ])('names programs and the command of %s', (_name, osRelease, command) => {
    expect(missingProgramsMessage(problems, osRelease, true)).toBe(
      `No C++ compiler was found. cmake was not found. Install with: ${command}`,
    )
    expect(missingProgramsMessage(problems, osRelease, false)).toContain(`Install with: sudo ${command}`)
  })

  it('says what is needed on a distribution that it does not know', () => {
    expect(missingProgramsMessage(problems, '', true)).toMatch(
      /cmake was not found\. Install a C\+\+17 compiler/,
    )
  })
})

describe('requireToolchain', () => {
  it('names everything that is missing at once', () => {
    expect(() => requireToolchain({ PATH: folder })).toThrow(
      /No C\+\+ compiler was found in PATH \(g\+\+ or clang\+\+\)\. cmake was not found in PATH\. Neither ninja nor make/,
    )
  })

  it('names a CXX that is not there', () => {
    expect(() => requireToolchain({ PATH: folder, CXX: 'my-g++' })).toThrow(
      /my-g\+\+ and cc \(from CXX and CC\)/,
    )
  })

  it('names an old CMake and an old compiler with their versions', () => {
    program('cmake', 'cmake version 3.18.4')
    program('g++', 'g++ 4.8', 1)
    program('gcc', '')
    program('make', '')
    expect(() => requireToolchain({ PATH: folder })).toThrow(
      /g\+\+ \(g\+\+ 4\.8\) does not compile C\+\+17\. .*cmake is version 3\.18\.4; version 3\.21 or newer/,
    )
  })

  it('finds the programs of this machine', () => {
    const found = requireToolchain()
    expect(isAtLeast(found.cmakeVersion, '3.21')).toBe(true)
    expect(found.compiler).toMatch(/\d+\.\d+/)
  })
})

it('compares versions by number', () => {
  expect(['3.21', '3.21.0-rc1', '3.100', '4.0'].map((version) => isAtLeast(version, '3.21'))).toEqual(
    Array(4).fill(true),
  )
  expect(['3.9', '3.20.6', '2.99'].map((version) => isAtLeast(version, '3.21'))).toEqual(Array(3).fill(false))
})

it('finds only files that can be run', () => {
  writeFileSync(join(folder, 'plain'), '')
  mkdirSync(join(folder, 'directory'))
  symlinkSync(process.execPath, join(folder, 'linked'))
  const names = ['plain', 'directory', 'absent', 'linked']
  expect(names.map((name) => findProgram(name, { PATH: folder }))).toEqual([
    null,
    null,
    null,
    join(folder, 'linked'),
  ])
})

describe('HIP', () => {
  /** A folder that looks like ROCm. */
  function rocm(version = '6.4.43484', packages = ['hip', 'hipblas', 'rocblas']): NodeJS.ProcessEnv {
    program('rocm/bin/hipconfig', `${version}-abc`)
    program('rocm/lib/llvm/bin/clang++', '')
    for (const name of packages) {
      mkdirSync(join(folder, `rocm/lib/cmake/${name}`), { recursive: true })
      writeFileSync(join(folder, `rocm/lib/cmake/${name}/${name}-config.cmake`), '')
    }
    return { PATH: `${folder}:${process.env.PATH}`, ROCM_PATH: join(folder, 'rocm') }
  }

  it('is planned for the named targets', () => {
    const env = { ...rocm(), WHISPER_HIP_TARGETS: 'gfx1100; gfx90a' }
    for (const mode of ['auto', 'hip'] as const)
      expect(planHip({ mode }, env)).toEqual({
        build: true,
        message: 'Compiled for gfx1100, gfx90a with HIP 6.4.43484.',
        rocm: {
          root: join(folder, 'rocm'),
          version: '6.4.43484',
          compiler: join(folder, 'rocm/lib/llvm/bin/clang++'),
        },
        gpuTargets: ['gfx1100', 'gfx90a'],
      })
    expect(planHip({ mode: 'cpu' }, env)).toMatchObject({
      build: false,
      message: 'WHISPER_HIP_BUILD=cpu was set.',
    })
  })

  it.each([
    ['no ROCm', () => ({ ROCM_PATH: join(folder, 'none') }), /No ROCm development files were found .*none/],
    ['an old ROCm', () => rocm('5.7.1'), /version 5\.7\.1; version 6\.1 or newer/],
    ['half of ROCm', () => rocm('6.4.0', ['hip', 'hipblas']), /lacks the development files of rocblas/],
  ])(
    'is refused with %s when asked for, and left out with the reason when not',
    (_kind, prepare, message) => {
      const env = { PATH: process.env.PATH, WHISPER_HIP_TARGETS: 'gfx1100', ...prepare() }
      expect(() => planHip({ mode: 'hip' }, env)).toThrow(/^WHISPER_HIP_BUILD=hip, but/)
      expect(() => planHip({ mode: 'hip' }, env)).toThrow(message)
      const plan = planHip({ mode: 'auto' }, env)
      expect(plan.build).toBe(false)
      expect(plan.message).toMatch(message)
    },
  )

  it('refuses a target that is none, whatever the mode', () => {
    const env = { ...rocm(), WHISPER_HIP_TARGETS: 'gfx1100;rdna3' }
    expect(() => planHip({ mode: 'auto' }, env)).toThrow(/for WHISPER_HIP_TARGETS but received 'rdna3'/)
  })

  it('reads the targets of the GPUs in the machine', () => {
    for (const [node, version] of Object.entries({ 0: 0, 1: 110000, 2: 90010, 3: 110501, 4: 110000 })) {
      mkdirSync(join(folder, node))
      writeFileSync(join(folder, node, 'properties'), `cpu_cores_count 1\ngfx_target_version ${version}\n`)
    }
    expect(gpuTargets({}, folder)).toEqual(['gfx1100', 'gfx1151', 'gfx90a'])
    expect(gpuTargets({}, join(folder, 'none'))).toEqual([])
  })

  it('needs its compiler', () => {
    const env = rocm()
    expect(findRocm({ ...env, HIPCXX: '/nowhere/clang++' })).toEqual({
      problem: `ROCm in ${join(folder, 'rocm')} has no HIP compiler (clang++); set HIPCXX to it.`,
    })
  })
})

describe('buildOptions', () => {
  it('refuses an unknown mode', () => {
    expect(() => buildOptions({ WHISPER_HIP_BUILD: 'gpu' })).toThrow(
      "Expected 'auto', 'cpu' or 'hip' for WHISPER_HIP_BUILD but received 'gpu'",
    )
  })

  it('depends on the processor only for a build that is for this machine', () => {
    expect(buildOptions({}).cpuFeatures).not.toBe('')
    expect(buildOptions({ WHISPER_HIP_PORTABLE: '1' })).toMatchObject({ portable: true, cpuFeatures: '' })
  })
})
