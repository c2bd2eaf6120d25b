import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readCodeTargets } from '../../../../lib/backend/preflight/code-objects.ts'
import { findSection, isElf, readElf, readSymbols } from '../../../../lib/backend/preflight/elf.ts'
import { isFailure, type OpenFile, Sysroot } from '../../../../lib/backend/preflight/sysroot.ts'
import { elf, hipBundle, offloadBundle } from '../../../fixtures/elf.ts'
import { MadeMachine } from '../../../fixtures/sysroot.ts'
import { keep } from './made.ts'

function inMemory(bytes: Buffer): OpenFile {
  return { size: bytes.length, at: (offset, length) => bytes.subarray(offset, offset + length), close() {} }
}

const sample = elf({
  needed: ['libamdhip64.so.6', 'libc.so.6'],
  runpath: '$ORIGIN:/opt/rocm/lib',
  imports: ['hsa_init'],
  exports: ['hipInit'],
  fatbin: hipBundle(['gfx1100', 'gfx90a:xnack-']),
})

function targetsOf(fatbin: Buffer): string[] | null {
  const path = join(keep(new MadeMachine()).folder, 'module.so')
  writeFileSync(path, elf({ fatbin }))
  return readCodeTargets(new Sysroot(), path)
}

describe('readElf', () => {
  it('reads what the loader reads', () => {
    expect(readElf(inMemory(sample))).toMatchObject({
      needed: ['libamdhip64.so.6', 'libc.so.6'],
      rpath: [],
      runpath: ['$ORIGIN', '/opt/rocm/lib'],
    })
    expect(readElf(inMemory(elf({ machine: 183, rpath: '/a' })))).toMatchObject({
      machine: 183,
      rpath: ['/a'],
    })
  })

  it('reads this very program', () => {
    const file = new Sysroot().open(process.execPath)
    if (isFailure(file)) throw new Error(file.errno)
    expect(readElf(file)?.needed).toContain('libc.so.6')
    expect(readSymbols(file)?.undefined).toContain('malloc')
    file.close()
  })

  it('refuses everything else', () => {
    const refused = [Buffer.alloc(0), Buffer.from('#!/bin/sh\n'), sample.subarray(0, 63), Buffer.alloc(4096)]
    for (const bytes of refused) expect(readElf(inMemory(bytes))).toBeNull()
    const big = Buffer.from(sample)
    big.writeUInt8(2, 5)
    expect(readElf(inMemory(big))).toBeNull()
    expect(isElf(inMemory(big))).toBe(true)
  })

  it('survives any damage', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(sample.length - 1), fc.nat(255)), { minLength: 1, maxLength: 20 }),
        fc.nat(sample.length),
        (changes, length) => {
          const bytes = Buffer.from(sample)
          for (const [at, value] of changes) bytes.writeUInt8(value, at)
          for (const file of [inMemory(bytes), inMemory(bytes.subarray(0, length))]) {
            readElf(file)
            readSymbols(file)
            findSection(file, '.hip_fatbin')
          }
        },
      ),
      { numRuns: 500 },
    )
  })
})

describe('readSymbols', () => {
  it('tells apart what is taken and what is offered', () => {
    const symbols = readSymbols(inMemory(sample))
    expect(symbols?.undefined).toEqual(['hsa_init'])
    expect([...(symbols?.defined ?? [])]).toEqual(['hipInit'])
  })
})

describe('readCodeTargets', () => {
  it('lists the chips of an uncompressed bundle', () => {
    expect(targetsOf(hipBundle(['gfx1100', 'gfx90a:sramecc+:xnack-', 'gfx12-generic']))).toEqual([
      'gfx1100',
      'gfx90a:sramecc+:xnack-',
      'gfx12-generic',
    ])
    expect(targetsOf(offloadBundle(['hip-amdgcn-amd-amdhsa--gfx906']))).toEqual(['gfx906'])
    expect(targetsOf(offloadBundle(['hip-amdgcn-amd-amdhsa-unknown-amdgcnspirv']))).toEqual(['amdgcnspirv'])
  })

  it('knows nothing of compressed, empty and damaged bundles', () => {
    expect(targetsOf(Buffer.from('CCOB\x02\x00\x01\x00more'))).toBeNull()
    expect(targetsOf(Buffer.alloc(0))).toBeNull()
    expect(targetsOf(hipBundle([]))).toBeNull()
    const bundle = hipBundle(['gfx1100'])
    for (let length = 0; length < bundle.length; length++)
      expect(targetsOf(bundle.subarray(0, length)) ?? []).not.toContain('gfx1100')
    bundle.writeBigUInt64LE(2n ** 63n, 24)
    expect(targetsOf(bundle)).toBeNull()
    expect(readCodeTargets(new Sysroot(), '/nonexistent')).toBeNull()
  })
})
