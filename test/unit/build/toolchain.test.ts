import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { buildOptions } from '../../../scripts/support/options.mjs'
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
    expect(found.arch).toBe(process.arch)
  })

  it('says for which processors a compiler compiles', () => {
    for (const name of ['cmake', 'make']) program(name, 'cmake version 3.25.1')
    for (const name of ['gcc', 'g++']) program(`aarch64-linux-gnu-${name}`, 'aarch64-linux-gnu')
    const named = { CC: 'aarch64-linux-gnu-gcc', CXX: 'aarch64-linux-gnu-g++' }
    expect(requireToolchain({ PATH: folder, ...named })).toMatchObject({
      processor: 'aarch64',
      arch: 'arm64',
    })
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
