import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { cardTargets } from '../../../scripts/support/gpu-targets.mjs'
import { planHip } from '../../../scripts/support/options.mjs'
import { findRocm } from '../../../scripts/support/rocm.mjs'
import { compilerFor, type MadeRocm, makeRocm } from './made-rocm.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'plan '))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** Nodes of the kernel's GPU topology by their `gfx_target_version`. */
function nodes(...versions: number[]): string {
  versions.forEach((version, node) => {
    mkdirSync(join(folder, 'nodes', `${node}`), { recursive: true })
    writeFileSync(
      join(folder, 'nodes', `${node}`, 'properties'),
      `cpu_cores_count 1\ngfx_target_version ${version}\n`,
    )
  })
  return join(folder, 'nodes')
}

interface Machine {
  rocm?: MadeRocm | null
  cards?: string[]
}

function plan(mode: 'auto' | 'cpu' | 'hip', env: NodeJS.ProcessEnv, { rocm = {}, cards = [] }: Machine = {}) {
  if (rocm) makeRocm(join(folder, 'rocm'), rocm)
  return planHip(
    { mode },
    { PATH: '/bin', ROCM_PATH: join(folder, 'rocm'), ...env },
    { find: (variables) => findRocm(variables, folder, folder), cards: () => cards },
  )
}

describe('the targets', () => {
  it('are those of WHISPER_HIP_TARGETS before all', () => {
    for (const mode of ['auto', 'hip'] as const)
      expect(plan(mode, { WHISPER_HIP_TARGETS: 'gfx1100; gfx90a,gfx1100' }, { cards: ['gfx1030'] })).toEqual({
        build: true,
        message: 'Compiled for gfx1100, gfx90a with HIP 6.4.43484.',
        rocm: {
          root: join(folder, 'rocm'),
          version: '6.4.43484',
          compiler: join(folder, 'rocm/lib/llvm/bin/clang++'),
        },
        gpuTargets: ['gfx1100', 'gfx90a'],
        kernels: 'whisper',
      })
  })

  it('are those of the cards, integrated ones too', () => {
    const cards = cardTargets(nodes(0, 110000, 90010, 110000, 100306))
    expect(cards).toEqual(['gfx1036', 'gfx1100', 'gfx90a'])
    const made = { rocm: { compiler: compilerFor('gfx90a', 'gfx1100', 'gfx1036') }, cards }
    expect(plan('auto', {}, made)).toMatchObject({ build: true, gpuTargets: cards })
  })

  it('are decoded from decimal versions', () => {
    expect(cardTargets(nodes(90010, 90402, 110501, 120001, 101200))).toEqual([
      ...['gfx10c0', 'gfx1151', 'gfx1201', 'gfx90a', 'gfx942'],
    ])
    expect(cardTargets(join(folder, 'none'))).toEqual([])
  })

  it('are all common ones that the compiler knows, when HIP is asked for without a card', () => {
    const rocm = { version: '7.0.1', compiler: compilerFor('gfx90a', 'gfx950', 'gfx1100') }
    const planned = plan('hip', {}, { rocm })
    expect(planned.gpuTargets).toEqual(['gfx90a', 'gfx950', 'gfx1100'])
    expect(planned.message).toMatch(
      /Not for others: .*does not compile for gfx908: clang\+\+: error: invalid target ID/,
    )
  })

  it('have gfx950 among the common ones from HIP 7.0 on', () => {
    const rocm = { version: '6.4.3', compiler: compilerFor('gfx90a', 'gfx950') }
    const planned = plan('hip', {}, { rocm })
    expect(planned.gpuTargets).toEqual(['gfx90a'])
    expect(planned.message).toContain('gfx950 needs HIP 7.0.')
  })

  it('may be a family, as far as this ROCm and its compiler know it', () => {
    const rocm = { version: '6.4.3', compiler: compilerFor('gfx908', 'gfx90a', 'gfx950', 'gfx1100') }
    expect(plan('hip', { WHISPER_HIP_TARGETS: 'cdna' }, { rocm }).gpuTargets).toEqual(['gfx908', 'gfx90a'])
  })

  it('may be those of a part of the cards, which is said', () => {
    const planned = plan('auto', {}, { cards: ['gfx1100', 'gfx1153'] })
    expect(planned.gpuTargets).toEqual(['gfx1100'])
    expect(planned.message).toMatch(/does not compile for gfx1153/)
  })

  it('may be gfx12-generic and no other generic target', () => {
    const rocm = { compiler: compilerFor('gfx90a', 'gfx12-generic', 'gfx11-generic') }
    expect(plan('hip', { WHISPER_HIP_TARGETS: 'gfx12-generic' }, { rocm }).gpuTargets).toEqual([
      'gfx12-generic',
    ])
    for (const name of ['gfx11-generic', 'gfx9-4-generic', 'gfx10-3-generic'])
      expect(() => plan('auto', { WHISPER_HIP_TARGETS: name }, { rocm })).toThrow(
        `WHISPER_HIP_TARGETS names ${name}: ggml chooses kernels by the real chip`,
      )
  })

  it.each(['', ' ', ';'])('cannot be an empty list (%j)', (list) => {
    for (const mode of ['auto', 'hip'] as const)
      expect(() => plan(mode, { WHISPER_HIP_TARGETS: list })).toThrow(/is set and names no GPU architecture/)
  })

  it('must be names of chips', () => {
    expect(() => plan('auto', { WHISPER_HIP_TARGETS: 'gfx1100;rdna3' })).toThrow(
      'Expected names such as gfx1100, or one of cdna, rdna2, rdna3, rdna35, rdna4, for WHISPER_HIP_TARGETS but received',
    )
  })
})

describe('without a module', () => {
  const named = { WHISPER_HIP_TARGETS: 'gfx1100' }
  it.each<[string, NodeJS.ProcessEnv, Machine, RegExp]>([
    ['no ROCm', named, { rocm: null }, /ROCm was not found in .*rocm \(from ROCM_PATH\)\./],
    ['an old ROCm', named, { rocm: { version: '5.7.1' } }, /version 5\.7\.1; version 6\.1 or newer/],
    [
      'half of ROCm',
      named,
      { rocm: { packages: ['hip', 'hipblas'] } },
      /lacks the development files of rocBLAS/,
    ],
    ['an unknown chip', { WHISPER_HIP_TARGETS: 'gfx1250' }, {}, /does not compile for gfx1250: clang/],
    ['only an unknown card', {}, { cards: ['gfx1250'] }, /does not compile for gfx1250: clang/],
  ])('it says why, and fails when HIP was asked for: %s', (_name, env, machine, message) => {
    expect(() => plan('hip', env, machine)).toThrow(
      /^WHISPER_HIP_BUILD=hip, but the HIP module cannot be built\. /,
    )
    expect(() => plan('hip', env, machine)).toThrow(message)
    const planned = plan('auto', env, machine)
    expect(planned).toMatchObject({ build: false, rocm: null, gpuTargets: [], kernels: null })
    expect(planned.message).toMatch(message)
  })

  it('there is none by itself on a machine with ROCm and without a card', () => {
    expect(plan('auto', {})).toMatchObject({
      build: false,
      message: expect.stringMatching(
        /^ROCm 6\.4\.43484 is in .*, but this machine has no AMD GPU that it supports\. .*: npx whisper-hip build --hip$/,
      ),
    })
  })

  it('nobody is told to install ROCm who has no AMD GPU and did not ask for it', () => {
    expect(plan('auto', {}, { rocm: null })).toMatchObject({
      build: false,
      message:
        'No AMD GPU and no ROCm were found when this was built. To compile for the GPUs of other machines: npx whisper-hip build --hip',
    })
    expect(() => plan('hip', {}, { rocm: null })).toThrow(/ROCm was not found/)
    expect(plan('auto', {}, { rocm: null, cards: ['gfx1100'] }).message).toContain('ROCm was not found')
  })

  it('nothing is looked for when the CPU was asked for', () => {
    expect(plan('cpu', { WHISPER_HIP_TARGETS: 'nonsense' }, { rocm: null })).toMatchObject({
      build: false,
      message: 'WHISPER_HIP_BUILD=cpu was set.',
    })
  })
})

it('builds all kernels when told to', () => {
  const env = { WHISPER_HIP_TARGETS: 'gfx1100' }
  expect(plan('hip', { ...env, WHISPER_HIP_ALL_KERNELS: 'ON' }).kernels).toBe('all')
  expect(plan('hip', { ...env, WHISPER_HIP_ALL_KERNELS: '0' }).kernels).toBe('whisper')
  expect(() => plan('hip', { ...env, WHISPER_HIP_ALL_KERNELS: 'maybe' })).toThrow(
    "Expected ON or OFF for WHISPER_HIP_ALL_KERNELS but received 'maybe'.",
  )
})
