import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { preflight } from '../../../../lib/backend/preflight/preflight.ts'
import { elf } from '../../../fixtures/elf.ts'
import { healthyMachine, makeModule } from '../../../fixtures/sysroot.ts'
import { keep, look, module } from './made.ts'

let folder: string
let packages: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'wheels-'))
  packages = join(folder, 'venv/lib/python3.12/site-packages')
})
afterEach(() => rmSync(folder, { recursive: true }))

function library(path: string, needed: string[] = []): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, elf({ needed, runpath: '$ORIGIN' }))
}

/** ROCm 7 as its Python packages lay it out. */
function makeWheels({ libraries = true } = {}): { core: string; libraries: string } {
  const core = join(packages, '_rocm_sdk_core/lib')
  library(join(core, 'libamdhip64.so.7'), ['libhsa-runtime64.so.1'])
  library(join(core, 'libhsa-runtime64.so.1'))
  const blas = join(packages, '_rocm_sdk_libraries_gfx110X_all/lib')
  if (libraries) {
    library(join(blas, 'libhipblas.so.3'), ['librocblas.so.5'])
    library(join(blas, 'librocblas.so.5'))
  }
  return { core, libraries: blas }
}

const without = () => healthyMachine().remove('/opt').loaderCache([])
const needed = ['libamdhip64.so.7', 'libhipblas.so.3', 'libc.so.6']
const lookWith = (environment: Record<string, string>) =>
  look(without(), { environment, module: module({ needed }) })

describe('a runtime from Python packages', () => {
  it.each([
    ['VIRTUAL_ENV', () => ({ VIRTUAL_ENV: join(folder, 'venv') })],
    ['CONDA_PREFIX', () => ({ CONDA_PREFIX: join(folder, 'venv') })],
    ['ROCM_PATH of one part', () => ({ ROCM_PATH: join(packages, '_rocm_sdk_core') })],
    ['HIP_PATH of one part', () => ({ HIP_PATH: join(packages, '_rocm_sdk_devel') })],
    [
      'python3 in PATH',
      () => {
        mkdirSync(join(folder, 'venv/bin'), { recursive: true })
        writeFileSync(join(folder, 'venv/bin/python3'), '')
        return { PATH: `/usr/bin:${join(folder, 'venv/bin')}` }
      },
    ],
  ])('is named through %s, with what the loader has to be shown', async (_, environment) => {
    const wheels = makeWheels()
    const found = await lookWith(environment())
    expect(found.reason).toBe('HIP_RUNTIME_MISSING')
    expect(found.message).toContain(`although it is in ${wheels.core}`)
    expect(found.advice[0]).toContain(`export LD_LIBRARY_PATH=${wheels.core}:${wheels.libraries}`)
    expect(found.advice.join('\n')).not.toContain('ld.so.conf')
    const shown = await lookWith({ LD_LIBRARY_PATH: `${wheels.core}:${wheels.libraries}` })
    expect(shown.reason).not.toMatch(/^HIP_RUNTIME/)
  })

  it('without its libraries names what is missing', async () => {
    const { core } = makeWheels({ libraries: false })
    const found = await lookWith({ VIRTUAL_ENV: join(folder, 'venv') })
    expect(found.message).toContain(`although it is in ${core}; nowhere is libhipblas.so.3`)
    expect(found.advice[0]).toBe('Install the libraries of that ROCm too: pip install "rocm[libraries]"')
  })

  it('is one folder where one has all', async () => {
    makeWheels()
    const devel = join(packages, '_rocm_sdk_devel/lib')
    for (const name of ['libamdhip64.so.7', 'libhipblas.so.3', 'librocblas.so.5']) library(join(devel, name))
    const found = await lookWith({ VIRTUAL_ENV: join(folder, 'venv') })
    expect(found.advice[0]).toBe(
      `Show the loader the folder, before Node starts: export LD_LIBRARY_PATH=${devel}`,
    )
  })

  it('damaged is named as damaged', async () => {
    const { core } = makeWheels()
    writeFileSync(join(core, 'libamdhip64.so.7'), 'version https://git-lfs.github.com/spec/v1\n')
    const found = await lookWith({ VIRTUAL_ENV: join(folder, 'venv') })
    expect(found.reason).toBe('HIP_RUNTIME_DAMAGED')
    expect(found.advice.join('\n')).toContain('git lfs pull')
  })
})

describe('a runtime from an archive', () => {
  it.each(['therock', 'rocm-7.14.0', 'therock-tarball/install'])('is found in ~/%s', async (name) => {
    const lib = join(folder, name, 'lib')
    library(join(lib, 'libamdhip64.so.7'))
    library(join(lib, 'libhipblas.so.3'))
    const found = await lookWith({ HOME: folder })
    expect(found.advice[0]).toContain(`export LD_LIBRARY_PATH=${lib}`)
  })
})

describe('the ROCm that the build used', () => {
  it('is found through the RUNPATH of the module, else named', async () => {
    const rocm = join(folder, 'anywhere')
    library(join(rocm, 'lib/libamdhip64.so.7'))
    library(join(rocm, 'lib/libhipblas.so.3'))
    const build = (path: string) =>
      preflight({
        build: { message: '', module: path, hipVersion: '7.1', gpuTargets: ['gfx1100'], rocm },
        environment: { WHISPER_HIP_SYSROOT: keep(without()).folder },
      })
    const plain = makeModule({ needed })
    const named = await build(plain)
    expect(named.reason).toBe('HIP_RUNTIME_MISSING')
    expect(named.message).toContain(`although it is in ${rocm}/lib`)
    writeFileSync(plain, elf({ needed, runpath: `$ORIGIN:${rocm}/lib` }))
    expect((await build(plain)).reason).toBe('OK')
    rmSync(dirname(plain), { recursive: true })
  })
})
