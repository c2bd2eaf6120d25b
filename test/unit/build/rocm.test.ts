import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { rocmEnvironment } from '../../../scripts/support/hip-compiler.mjs'
import { findRocm } from '../../../scripts/support/rocm.mjs'
import { rocmAdvice } from '../../../scripts/support/rocm-packages.mjs'
import { compilerFor, type MadeRocm, makeRocm, script } from './made-rocm.ts'

let folder: string
let opt: string
let usr: string
/** Has no program but what a test puts there: the system may have a clang++. */
let env: { PATH: string }
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rocm '))
  opt = join(folder, 'opt')
  usr = join(folder, 'usr')
  env = { PATH: join(folder, 'bin') }
})
afterEach(() => rmSync(folder, { recursive: true }))

const find = (variables: NodeJS.ProcessEnv = {}) => findRocm({ ...env, ...variables }, opt, usr)
const problem = (variables: NodeJS.ProcessEnv = {}) => {
  const found = find(variables)
  return 'problem' in found ? found.problem : `found in ${found.root}`
}

describe('findRocm', () => {
  it.each([
    ['/opt/rocm', ['rocm', 'rocm-6.2.0', 'rocm/core-7.14'], 'rocm'],
    ['the newest /opt/rocm/core-*', ['rocm/core-7.2', 'rocm/core-7.14', 'rocm-7.1.0'], 'rocm/core-7.14'],
    ['the newest /opt/rocm-*', ['rocm-6.9.0', 'rocm-6.10.0'], 'rocm-6.10.0'],
  ])('takes %s', (_name, made, expected) => {
    for (const name of made) makeRocm(join(opt, name))
    makeRocm(usr)
    expect(find()).toEqual({
      root: join(opt, expected),
      version: '6.4.43484',
      compiler: join(opt, expected, 'lib/llvm/bin/clang++'),
    })
  })

  it('takes the system, the folder that hipconfig names, and before all that of ROCM_PATH', () => {
    const elsewhere = makeRocm(join(folder, 'elsewhere'))
    script(join(folder, 'bin', 'hipconfig'), `echo '${elsewhere}'`)
    expect(find()).toMatchObject({ root: elsewhere })
    makeRocm(usr)
    expect(find()).toMatchObject({ root: usr })
    const named = makeRocm(join(folder, 'named'))
    expect(find({ ROCM_PATH: `${named}/` })).toMatchObject({ root: named })
  })

  it('goes on after a folder that lacks something', () => {
    makeRocm(join(opt, 'rocm'), { packages: ['hip'] })
    makeRocm(usr)
    expect(find()).toMatchObject({ root: usr })
  })

  it('does not look further when ROCM_PATH is wrong', () => {
    makeRocm(usr)
    expect(problem({ ROCM_PATH: join(folder, 'none') })).toMatch(
      /^ROCm was not found in .*none \(from ROCM_PATH\)\./,
    )
  })

  it('names all places and what to install when there is nothing', () => {
    expect(problem()).toMatch(
      /^ROCm was not found\. Install .*rocblas.*amdrocm-core-sdk.* Looked for in .*opt\/rocm, .*usr\.$/,
    )
  })

  const half: [string, MadeRocm, RegExp][] = [
    ['compiler', { compiler: null }, /lacks the HIP compiler \(clang\+\+\)\./],
    ['headers', { packages: ['hipblas', 'rocblas'] }, /lacks the development files of the HIP runtime\./],
    ['rocBLAS', { packages: ['hip', 'hipblas'] }, /lacks the development files of rocBLAS\./],
    ['hipBLAS', { packages: ['hip', 'rocblas'] }, /lacks the development files of hipBLAS\./],
    [
      'two things',
      { packages: ['hip', 'rocblas'], compiler: null },
      /lacks the development files of hipBLAS and the HIP compiler \(clang\+\+\)\./,
    ],
    [
      'device libraries',
      { compiler: 'echo "clang++: error: cannot find ROCm device library; provide its path" >&2; exit 1' },
      /lacks the device libraries\./,
    ],
    [
      'a compiler for HIP',
      { compiler: 'echo "clang++: error: unable to create target: no AMDGPU" >&2; exit 1' },
      /clang\+\+ does not compile for HIP \(clang\+\+: error: unable to create target: no AMDGPU\)\./,
    ],
    ['a new version', { version: '6.0.3' }, /is version 6\.0\.3; version 6\.1 or newer is needed\./],
    ['a version', { version: 'unknown' }, /The version of ROCm in .*usr could not be read/],
  ]
  it.each(half)('says so when %s is missing', (_name, made, message) => {
    makeRocm(usr, made)
    expect(problem()).toMatch(message)
  })

  it('asks the compiler that HIPCXX names', () => {
    makeRocm(usr, { compiler: null })
    const compiler = script(join(folder, 'my-clang++'), compilerFor('gfx90a'))
    expect(find({ HIPCXX: compiler })).toMatchObject({ compiler })
    expect(problem({ HIPCXX: '/nowhere/clang++' })).toMatch(
      /^HIPCXX names \/nowhere\/clang\+\+, which is not a program\./,
    )
  })
})

it('sets ROCM_PATH for a folder of its own and removes it for that of the system', () => {
  expect(rocmEnvironment('/opt/rocm', { A: '1' })).toEqual({ A: '1', ROCM_PATH: '/opt/rocm' })
  expect(rocmEnvironment('/usr', { A: '1', ROCM_PATH: '/usr' })).toEqual({ A: '1' })
})

describe('rocmAdvice', () => {
  const amd =
    /AMD's repositories: (hip-dev|hip-devel) .*7\.2 and older\) or amdrocm-core-sdk \(7\.14 and newer\), as AMD's page says: "ROCm installation for Linux" \(https:\S+\)\.$/
  it.each([
    ['Debian', 'ID=debian\nVERSION_CODENAME=forky', 'apt-get install libamdhip64-dev librocblas-dev'],
    [
      'Ubuntu',
      'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="26.04"',
      'apt-get install libamdhip64-dev librocblas-dev',
    ],
    ['Fedora', 'ID=fedora\nVERSION_ID=43', 'dnf install rocm-hip-devel rocblas-devel'],
    ['openSUSE', 'ID="opensuse-tumbleweed"', 'zypper install rocm-hip-devel rocblas-devel'],
    ['Arch', 'ID=arch', 'pacman -S hip-runtime-amd rocblas'],
  ])('names the packages of %s and of AMD', (_name, osRelease, command) => {
    const advice = rocmAdvice(['headers', 'rocblas'], osRelease, false)
    expect(advice).toContain(`Install with: sudo ${command}. `)
    expect(advice).toMatch(amd)
  })

  it.each([
    ['Debian 12', 'ID=debian\nVERSION_ID="12"', 'hip-dev rocblas-dev'],
    ['Ubuntu 22.04', 'ID=ubuntu\nVERSION_ID="22.04"', 'hip-dev rocblas-dev'],
    ['RHEL', 'ID="rhel"\nID_LIKE="fedora"', 'hip-devel rocblas-devel'],
    ['SLES', 'ID="sles"\nID_LIKE="suse"', 'hip-devel rocblas-devel'],
    ['others', 'ID=void', 'hip-dev rocblas-dev'],
  ])('names those of AMD only where there are no others: %s', (_name, osRelease, packages) => {
    const advice = rocmAdvice(['headers', 'rocblas'], osRelease, true)
    expect(advice).not.toContain('Install with')
    expect(advice).toContain(`: ${packages} (ROCm 7.2 and older)`)
  })
})
