// The barrier that ggml's softmax lacks, in the machine code of the module (binding/kernels/softmax_unit.cu). Shows that the
// barrier is there on each path through the reductions, not that no wave ever read a wrong maximum without it: that is a race.
import { describe, expect, it } from 'vitest'
import { kernelCode } from './device-code.ts'
import { builtTargets, hipModule } from './hip-module.ts'

/** Barriers, and writes and reads of shared memory, in the order of the code; neighbours of a kind are one. */
function sharedMemory(instructions: readonly string[]): string {
  const kind = (instruction: string) => {
    if (/^ds_(store|write)/.test(instruction)) return 'write'
    if (/^ds_(load|read)/.test(instruction)) return 'read'
    // gfx12 has one instruction to arrive, and another to wait.
    return /^s_barrier(_wait)?$/.test(instruction) ? 'barrier' : []
  }
  const kinds = instructions.flatMap(kind)
  return kinds.filter((name, index) => name !== kinds[index - 1]).join(' ')
}

describe.each(builtTargets())('softmax on %s', (target) => {
  const kernels = kernelCode(hipModule(), target, 'soft_max_f32')

  it('has a barrier between its two reductions, where they alone use shared memory', () => {
    const alone = [...kernels].filter(([name]) => name.includes('soft_max_f32ILb0E'))
    expect(alone.length).toBe(2)
    for (const [name, instructions] of alone)
      expect(sharedMemory(instructions), name).toBe('write barrier read barrier write barrier read')
  })

  it('has one more barrier than reductions, where rows are in shared memory too', () => {
    // One wave needs none; the width of the block is the third argument.
    const shared = [...kernels].filter(([name]) => /soft_max_f32ILb1ELi\d+ELi(?!32E)\d+E/.test(name))
    expect(shared.length).toBe(16)
    for (const [name, instructions] of shared)
      expect(instructions.filter((word) => /^s_barrier(_wait)?$/.test(word)).length, name).toBe(3)
  })

  it('never writes what another wave may still read, where one row is shared by all blocks', () => {
    const [instructions] = [...kernels].flatMap(([name, code]) =>
      name.includes('parallelize_cols') ? [code] : [],
    )
    expect(sharedMemory(instructions ?? [])).toMatch(/write barrier read/)
    expect(sharedMemory(instructions ?? [])).not.toMatch(/read write/)
  })
})
