import { describe, expect, it } from 'vitest'
import { REASONS } from '../../../lib/backend/preflight/reasons.ts'
import { asFlags } from '../../../lib/cli/as-flags.ts'

describe('advice on the command line', () => {
  it.each([
    [
      "To use the CPU on purpose and without this message, load the model with { backend: 'cpu' }",
      'To use the CPU on purpose and without this message, use --backend cpu',
    ],
    ["Load models with { isolation: 'process' }", 'Use --isolation process'],
    ['Use { carryInitialPrompt: true }', 'Use --carry-initial-prompt'],
    ['Take fewer: { beamSize: 1 }', 'Take fewer: --beam-size 1'],
    [
      'To try it at once: npx whisper-hip doctor --refresh, or backendInfo({ refresh: true })',
      'To try it at once: npx whisper-hip doctor --refresh',
    ],
    ['Load the driver: sudo modprobe amdgpu', 'Load the driver: sudo modprobe amdgpu'],
  ])('%s', (advice, told) => {
    expect(asFlags(advice)).toBe(told)
  })

  it('never shows an option in braces, whatever the reason', () => {
    const texts = Object.values(REASONS).flatMap(({ advice }) => advice.map(({ text }) => asFlags(text)))
    expect(texts.length).toBeGreaterThan(50)
    expect(texts.filter((text) => /\{ \w+:/.test(text))).toEqual([])
  })
})
