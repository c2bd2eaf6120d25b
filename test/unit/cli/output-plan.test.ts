import { describe, expect, it } from 'vitest'
import { UsageError } from '../../../lib/cli/failures.ts'
import { planOutputs } from '../../../lib/cli/output-plan.ts'

const refusal = (...args: Parameters<typeof planOutputs>): string => {
  try {
    planOutputs(...args)
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError)
    return (error as UsageError).message
  }
  throw new Error('nothing was thrown')
}

describe('to standard output', () => {
  it('goes text, or the one format', () => {
    expect(planOutputs(['a.wav'], [], undefined)).toEqual({
      stdout: 'txt',
      outputs: [{ input: 'a.wav', files: [] }],
    })
    expect(planOutputs(['a.wav'], ['srt', 'srt'], undefined).stdout).toBe('srt')
    expect(planOutputs(['a.wav', 'b.wav'], ['txt'], undefined).outputs).toHaveLength(2)
  })

  it('goes nothing that could not be told apart', () => {
    expect(refusal(['a.wav'], ['srt', 'vtt'], undefined)).toBe(
      'Several formats cannot be written to one standard output',
    )
    expect(refusal(['a.wav', 'b.wav'], ['json'], undefined)).toContain('Several recordings as json')
  })
})

describe('files', () => {
  it('are named after the recordings', () => {
    const { stdout, outputs } = planOutputs(['x/a.b.wav', '-', '.hidden'], ['srt', 'json'], 'out')
    expect(stdout).toBeNull()
    expect(outputs.map(({ files }) => files.map(({ path }) => path))).toEqual([
      ['out/a.b.srt', 'out/a.b.json'],
      ['out/stdin.srt', 'out/stdin.json'],
      ['out/.hidden.srt', 'out/.hidden.json'],
    ])
  })

  it('are never written twice', () => {
    expect(refusal(['x/a.wav', 'y/a.mp3'], ['srt'], 'out')).toBe(
      'x/a.wav and y/a.mp3 would both be written to out/a.srt',
    )
    expect(refusal(['b.wav', './out/../out/b.srt'], ['srt'], 'out')).toBe(
      'The transcription of b.wav would replace the recording out/b.srt',
    )
    expect(refusal(['a.wav', 'a.wav'], [], 'out')).toContain('would both be written to out/a.txt')
  })
})

it('knows the formats, and what was meant', () => {
  expect(refusal(['a.wav'], ['vvt'], undefined)).toBe(
    'Expected txt, srt, vtt, lrc, tsv, json for --format but received "vvt"; did you mean vtt?',
  )
  expect(refusal(['a.wav'], ['docx'], undefined)).not.toContain('mean')
})

it('reads standard input once', () => {
  expect(refusal(['-', '-'], [], undefined)).toBe('Standard input (-) can be read once only')
})
