import { describe, expect, it } from 'vitest'
import { fold, foldAdvice } from '../../../lib/cli/doctor/layout.ts'

describe('folded text', () => {
  it('has at most 80 columns', () => {
    const lines = fold('word '.repeat(60), '  1. ')
    expect(lines.length).toBeGreaterThan(3)
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80)
    expect(lines[0]).toMatch(/^ {2}1\. word/)
    expect(lines[1]).toMatch(/^ {5}word/)
  })

  it.each([
    "To use the CPU on purpose and without this message, load the model with { backend: 'cpu' }",
    "Keep a driver that fails away from the application, as with loadModel(name, { isolation: 'process' }): it costs a job",
    'Try the GPU again, whatever is known of it, by backendInfo({ refresh: true }) in code or by the doctor in a terminal',
  ])('never breaks options: %s', (advice) => {
    const code = /\S*\{.*?\}\S*/.exec(advice)?.[0] ?? 'none'
    for (const lines of [fold(advice, '     - '), foldAdvice(advice, '     - ')]) {
      expect(lines.length).toBeGreaterThan(1)
      expect(lines.filter((line) => line.includes(code))).toHaveLength(1)
      expect(lines.map((line) => line.replace(/^ +(- )?/, '')).join(' ')).toBe(advice)
    }
  })

  it('never breaks a command', () => {
    const command = 'sudo apt install libamdhip64-6 librocblas4 libhipblas2 libamd-comgr3 and-some-more'
    expect(foldAdvice(`Install the libraries of ROCm that the module needs: ${command}`, '  1. ')).toContain(
      `     ${command}`,
    )
  })
})
