import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { cardTargets } from '../../../scripts/support/gpu-targets.mjs'
import { findRocm, unseenFolders } from '../../../scripts/support/rocm.mjs'
import { makeRocm, script } from './made-rocm.ts'

let folder: string
let packages: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'wheels '))
  packages = join(folder, 'venv/lib/python3.12/site-packages')
  mkdirSync(packages, { recursive: true })
})
afterEach(() => rmSync(folder, { recursive: true }))

const find = (variables: NodeJS.ProcessEnv) =>
  findRocm({ PATH: join(folder, 'bin'), ...variables }, join(folder, 'opt'), join(folder, 'usr'))
const rootOf = (variables: NodeJS.ProcessEnv) => {
  const found = find(variables)
  return 'problem' in found ? found.problem : found.root
}
const devel = () => makeRocm(join(packages, '_rocm_sdk_devel'))
const core = () => makeRocm(join(packages, '_rocm_sdk_core'), { packages: [] })

describe('ROCm in Python packages', () => {
  it.each([
    ['VIRTUAL_ENV', () => ({ VIRTUAL_ENV: join(folder, 'venv') })],
    ['CONDA_PREFIX', () => ({ CONDA_PREFIX: `${join(folder, 'venv')}/` })],
    ['python3 in PATH', () => ({ PATH: dirname(script(join(folder, 'venv/bin/python3'), 'exit 0')) })],
    ['ROCM_PATH that names another part', () => ({ ROCM_PATH: join(packages, '_rocm_sdk_core') })],
    ['HIP_PATH that names another part', () => ({ HIP_PATH: join(packages, '_rocm_sdk_core') })],
    ['HIP_PATH', () => ({ HIP_PATH: join(packages, '_rocm_sdk_devel') })],
    [
      'hipconfig that names another part',
      () => ({
        PATH: dirname(script(join(folder, 'tools/hipconfig'), `echo '${join(packages, '_rocm_sdk_core')}'`)),
      }),
    ],
  ])('is found through %s', (_, variables) => {
    core()
    const expected = devel()
    expect(rootOf(variables())).toBe(expected)
  })

  it('is found in the home folder', () => {
    const home = join(folder, 'home')
    packages = join(home, '.local/lib/python3.11/site-packages')
    expect(rootOf({ HOME: home, ROCM_PATH: ' ', HIPCXX: ' ' })).toContain('ROCm was not found')
    expect(rootOf({ HOME: home, VIRTUAL_ENV: '' })).toContain('ROCm was not found')
    const expected = devel()
    expect(rootOf({ HOME: home })).toBe(expected)
  })

  it('comes after a whole ROCm of the system', () => {
    devel()
    const system = makeRocm(join(folder, 'opt/rocm'))
    expect(rootOf({ VIRTUAL_ENV: join(folder, 'venv') })).toBe(system)
  })

  it('is named exactly where development files are missing, or not unpacked', () => {
    core()
    const environment = { VIRTUAL_ENV: join(folder, 'venv') }
    expect(rootOf(environment)).toBe(
      `The ROCm in ${join(packages, '_rocm_sdk_core')} is without development files. Install with: pip install "rocm[libraries,devel]" && rocm-sdk init`,
    )
    mkdirSync(join(packages, 'rocm_sdk_devel'))
    writeFileSync(join(packages, 'rocm_sdk_devel/_devel.tar.xz'), '')
    expect(rootOf(environment)).toBe(
      `The development files of ROCm in ${packages} are not unpacked yet. Run: rocm-sdk init`,
    )
    rmSync(join(packages, 'rocm_sdk_devel/_devel.tar.xz'))
    makeRocm(join(packages, '_rocm_sdk_devel'), { packages: ['hip', 'rocblas'] })
    expect(rootOf(environment)).toContain(
      `ROCm in ${join(packages, '_rocm_sdk_devel')} lacks the development files of hipBLAS. Install with: pip`,
    )
  })

  it('does not hide what a half ROCm of the system lacks', () => {
    core()
    makeRocm(join(folder, 'opt/rocm'), { packages: ['hip', 'rocblas'] })
    expect(rootOf({ VIRTUAL_ENV: join(folder, 'venv') })).toContain(
      `ROCm in ${join(folder, 'opt/rocm')} lacks`,
    )
  })
})

describe('an archive of TheRock', () => {
  it.each(['therock', 'rocm-7.14', 'therock-tarball/install', 'TheRock/rocm'])('is found in ~/%s', (name) => {
    const home = join(folder, 'home')
    const expected = makeRocm(join(home, name))
    expect(rootOf({ HOME: home })).toBe(expected)
  })
})

describe('unseenFolders', () => {
  const library = (path: string) => {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, '')
  }
  const cache = () => join(folder, 'ld.so.cache')

  it('are those that the loader does not look into', () => {
    const root = join(folder, 'rocm')
    library(join(root, 'lib/libamdhip64.so.7'))
    expect(unseenFolders(root, cache())).toEqual([join(root, 'lib')])
    writeFileSync(cache(), `libamdhip64.so.7\0${join(root, 'lib')}/libamdhip64.so.7\0`)
    expect(unseenFolders(root, cache())).toEqual([])
    symlinkSync('rocm', join(folder, 'link'))
    expect(unseenFolders(join(folder, 'link'), cache())).toEqual([])
    expect(unseenFolders('/usr', cache())).toEqual([])
  })

  it('are several for Python packages', () => {
    library(join(packages, '_rocm_sdk_core/lib/libamdhip64.so.7'))
    library(join(packages, '_rocm_sdk_libraries_gfx110X_all/lib/librocblas.so.5'))
    expect(unseenFolders(join(packages, '_rocm_sdk_core'), cache())).toEqual([
      join(packages, '_rocm_sdk_core/lib'),
      join(packages, '_rocm_sdk_libraries_gfx110X_all/lib'),
    ])
  })
})

it('cards that ROCm does not support are not compiled for', () => {
  for (const [node, version] of [80003, 110000, 70001, 90000].entries()) {
    mkdirSync(join(folder, `nodes/${node}`), { recursive: true })
    writeFileSync(join(folder, `nodes/${node}/properties`), `gfx_target_version ${version}\n`)
  }
  expect(cardTargets(join(folder, 'nodes'))).toEqual(['gfx1100', 'gfx900'])
})
