import { describe, expect, it } from 'vitest'
import { deathError, idleDeath } from '../../../lib/isolation/death.ts'
import { OutputTail } from '../../../lib/isolation/output-tail.ts'
import { outOfMemoryKills } from '../../../lib/out-of-memory-kills.ts'

function died(signal: NodeJS.Signals | null, text = '', killedBecause?: string) {
  const output = new OutputTail(() => {})
  output.write(text)
  return { code: signal === null ? 3 : null, signal, output, killedBecause }
}

const errorOf = (death: ReturnType<typeof died>, kills = outOfMemoryKills()) =>
  deathError('base', 'while it transcribed', death, kills)

describe('the error of a dead process', () => {
  it.each([
    [
      'SIGABRT',
      'Memory access fault by GPU node-1 (Agent handle: 0x55) on address (nil).',
      'ERR_INTERNAL',
      'GPU_FAULT',
    ],
    ['SIGABRT', 'HW Exception by GPU node-1 reason :GPU Hang', 'ERR_INTERNAL', 'GPU_FAULT'],
    [
      'SIGABRT',
      'rocBLAS error: Cannot read /opt/rocm/lib/rocblas/library/TensileLibrary.dat: No such file for GPU arch : gfx1103',
      'ERR_INTERNAL',
      'ROCBLAS_KERNELS_MISSING',
    ],
    ['SIGABRT', 'ROCm error: invalid device function', 'ERR_INTERNAL', 'NO_CODE_OBJECT_FOR_GPU'],
    ['SIGABRT', 'ROCm error: out of memory', 'ERR_OUT_OF_MEMORY', 'OUT_OF_MEMORY'],
    ['SIGABRT', 'FATAL ERROR: JavaScript heap out of memory', 'ERR_OUT_OF_MEMORY', undefined],
    [
      'SIGABRT',
      "terminate called after throwing an instance of 'std::bad_alloc'",
      'ERR_OUT_OF_MEMORY',
      undefined,
    ],
    ['SIGSEGV', '', 'ERR_INTERNAL', undefined],
    ['SIGSEGV', 'something else', 'ERR_INTERNAL', undefined],
  ] as const)('%s after "%s" is %s %s', (signal, text, code, reason) => {
    const error = errorOf(died(signal, `before\n${text}\n`))
    expect(error).toMatchObject({ code, message: expect.stringContaining(signal) })
    expect(error.reason).toBe(reason)
    expect(error.message).toContain(text)
    expect(error.advice.length).toBeGreaterThan(0)
    for (const line of error.advice) expect(line).not.toMatch(/[{}]\w+}/)
  })

  it('names the model, the signal with its number, what it did and what it wrote', () => {
    expect(errorOf(died('SIGSEGV', 'last\nwords\n')).message).toBe(
      'The process of the model base was ended by SIGSEGV (signal 11) while it transcribed. Its last words:\nlast\nwords',
    )
    expect(errorOf(died(null)).message).toBe(
      'The process of the model base ended with exit code 3 while it transcribed',
    )
    expect(idleDeath('base', died('SIGBUS'))).toBe(
      'The process of the model base was ended by SIGBUS (signal 7) while it was idle',
    )
  })

  it('takes SIGKILL for want of memory only when the kernel has killed something since', () => {
    expect(errorOf(died('SIGKILL')).code).toBe('ERR_INTERNAL')
    expect(errorOf(died('SIGKILL')).advice.join()).toContain('journalctl')
    expect(errorOf(died('SIGKILL'), outOfMemoryKills() - 1)).toMatchObject({
      code: 'ERR_OUT_OF_MEMORY',
      message: expect.stringContaining('the kernel killed it because memory ran out'),
    })
    expect(errorOf(died('SIGSEGV'), outOfMemoryKills() - 1).code).toBe('ERR_INTERNAL')
    const hung = errorOf(died('SIGKILL', '', 'it gave no sign of life'), outOfMemoryKills() - 1)
    expect(hung).toMatchObject({ code: 'ERR_INTERNAL', message: expect.stringMatching(/no sign of life$/) })
  })

  it('finds the cause before a long trace, and shows the end of it', () => {
    const trace = 'a frame of the stack\n'.repeat(1000)
    const { message, reason } = errorOf(died('SIGABRT', `HW Exception by GPU\n${trace}the end\n`))
    expect(reason).toBe('GPU_FAULT')
    expect(message).toContain('while it transcribed: HW Exception by GPU. Its last words:\n')
    expect(message.endsWith('the end')).toBe(true)
    expect(message.length).toBeLessThan(4096 + 200)
  })
})

describe('the output of a process', () => {
  it('comes as lines, however it is cut', () => {
    const lines: string[] = []
    const output = new OutputTail((line) => lines.push(line))
    for (const piece of ['one\ntw', 'o\r\n\n', 'three']) output.write(piece)
    expect(lines).toEqual(['one', 'two'])
    output.end()
    output.end()
    expect(lines).toEqual(['one', 'two', 'three'])
  })

  it('is bounded', () => {
    const lines: string[] = []
    const output = new OutputTail((line) => lines.push(line))
    for (let i = 0; i < 100; i++) output.write('x'.repeat(10_000))
    expect(output.tail).toHaveLength(4096)
    expect(lines.length).toBe(100)
  })
})
