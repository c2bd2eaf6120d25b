import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { elf } from '../../../fixtures/elf.ts'
import { emptyMachine, healthyMachine, type MadeMachine } from '../../../fixtures/sysroot.ts'
import { keep, type LookOptions, look, module } from './made.ts'

const find = async (machine: MadeMachine, options: LookOptions = {}) =>
  (await look(machine, options)).installations

/** ROCm 7, with other numbers in the names of its libraries. */
function rocm7(machine: MadeMachine, folder: string, version: string | null = '7.0.2-31'): MadeMachine {
  for (const name of ['libamdhip64.so.7', 'librocblas.so.5', 'libhipblas.so.3'])
    machine.file(`${folder}/lib/${name}`, elf())
  return version === null ? machine : machine.file(`${folder}/.info/version`, `${version}\n`)
}

it('shows the one that the loader gives as usable', async () => {
  expect(await find(healthyMachine())).toEqual([
    {
      folder: '/opt/rocm-6.4.1',
      version: '6.4.1',
      runtime: '/opt/rocm-6.4.1/lib/libamdhip64.so.6',
      chosen: true,
      usable: true,
      problem: null,
    },
  ])
})

it('shows one that nobody looks for: in a build without HIP, and without a GPU', async () => {
  const machine = rocm7(emptyMachine(), '/opt/rocm-7.0.2')
  expect(await find(machine, { module: null })).toMatchObject([
    {
      folder: '/opt/rocm-7.0.2',
      version: '7.0.2',
      chosen: false,
      usable: false,
      problem: 'the loader does not look in /opt/rocm-7.0.2/lib',
    },
  ])
  const known = rocm7(emptyMachine(), '/opt/rocm-7.0.2').file('/etc/ld.so.conf', '/opt/rocm-7.0.2/lib\n')
  expect(await find(known, { module: null })).toMatchObject([{ chosen: true, usable: true, problem: null }])
})

it('shows all of several, the chosen one first, and links to one of them once', async () => {
  const machine = rocm7(rocm7(healthyMachine(), '/opt/rocm-7.0.2'), '/opt/rocm/core-7.14', '7.14.0')
  machine.link('/opt/rocm/core', 'core-7.14')
  expect(await find(machine)).toMatchObject([
    { folder: '/opt/rocm-6.4.1', chosen: true },
    {
      folder: '/opt/rocm/core-7.14',
      version: '7.14.0',
      chosen: false,
      problem: 'it has libamdhip64.so.7, and the HIP module needs libamdhip64.so.6',
    },
    { folder: '/opt/rocm-7.0.2', version: '7.0.2' },
  ])
})

it('names what is wrong with one', async () => {
  const folder = '/opt/rocm-6.4.1'
  const library = `${folder}/lib/libamdhip64.so.6`
  const cases: [(machine: MadeMachine) => void, string][] = [
    [(machine) => machine.remove(library), 'it has no HIP runtime (libamdhip64)'],
    [
      (machine) => machine.remove(library).link(library, 'libamdhip64.so.6.4'),
      'libamdhip64.so.6 is a link to nothing',
    ],
    [(machine) => machine.file(library, 'text'), 'libamdhip64.so.6 is not a shared library'],
    [
      (machine) => machine.file(library, elf({ needed: ['libx.so.1'] }).subarray(0, 200)),
      'libamdhip64.so.6 is damaged',
    ],
    [
      (machine) => machine.file(library, elf({ machine: 40 })),
      `libamdhip64.so.6 is not for this processor (${process.arch})`,
    ],
    [(machine) => machine.fails(library, 'EACCES'), 'libamdhip64.so.6 cannot be read (EACCES)'],
    [(machine) => machine.file(`${folder}/.info/version`, '6.0.2-1\n'), 'it is older than ROCm 6.1'],
    [(machine) => machine.remove(`${folder}/lib/librocblas.so.4`), 'it has no librocblas'],
    [(machine) => machine.file('/etc/ld.so.cache'), `the loader does not look in ${folder}/lib`],
  ]
  for (const [change, problem] of cases) {
    const machine = healthyMachine()
    change(machine)
    expect(await find(machine)).toMatchObject([{ folder, usable: false, problem }])
  }
})

it('finds that of the distribution, with the version in the name of its library', async () => {
  const folder = '/usr/lib/x86_64-linux-gnu'
  const machine = emptyMachine()
    .file(`${folder}/libamdhip64.so.6.4.43484`, elf())
    .link(`${folder}/libamdhip64.so.6`, 'libamdhip64.so.6.4.43484')
    .file(`${folder}/librocblas.so.4`, elf())
    .file(`${folder}/libhipblas.so.2`, elf())
  expect(await find(machine, { arch: 'x64', module: null })).toMatchObject([
    { folder: '/usr', version: '6.4', runtime: `${folder}/libamdhip64.so.6` },
  ])
})

it.each(['VIRTUAL_ENV', 'CONDA_PREFIX'])('finds that in Python packages of %s', async (variable) => {
  const environment = mkdtempSync(join(tmpdir(), 'whisper-hip-venv-'))
  try {
    const packages = join(environment, 'lib/python3.12/site-packages')
    for (const file of [
      '_rocm_sdk_core/lib/libamdhip64.so.7',
      '_rocm_sdk_libraries_gfx110X_all/lib/librocblas.so.5',
      '_rocm_sdk_libraries_gfx110X_all/lib/libhipblas.so.3',
    ]) {
      mkdirSync(join(packages, file, '..'), { recursive: true })
      writeFileSync(join(packages, file), elf())
    }
    expect(
      await find(emptyMachine(), { module: null, environment: { [variable]: environment } }),
    ).toMatchObject([
      {
        folder: `${packages}/_rocm_sdk_core`,
        problem: `the loader does not look in ${packages}/_rocm_sdk_core/lib`,
      },
    ])
  } finally {
    rmSync(environment, { recursive: true })
  }
})

it.each(['ROCM_PATH', 'HIP_PATH', 'LD_LIBRARY_PATH'])('finds the one that %s names', async (variable) => {
  const folder = variable === 'LD_LIBRARY_PATH' ? '/opt/own/lib' : '/opt/own'
  const machine = rocm7(healthyMachine(), '/opt/own')
  const needed = ['libamdhip64.so.7', 'libhipblas.so.3']
  const found = await find(machine, { module: module({ needed }), environment: { [variable]: folder } })
  expect(found).toContainEqual(
    expect.objectContaining({ folder: '/opt/own', version: '7.0.2', chosen: variable === 'LD_LIBRARY_PATH' }),
  )
})

it('finds none on a machine without', async () => {
  expect(await find(emptyMachine())).toEqual([])
  expect(await find(keep(emptyMachine().directory('/opt/rocm').directory('/opt/rocm-7.0.2/lib')))).toEqual([])
})
