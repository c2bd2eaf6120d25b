import { describe, expect, it } from 'vitest'
import { nearest } from '../../lib/nearest.ts'

const names = ['tiny', 'base', 'small', 'medium', 'large-v3', 'large-v3-turbo', 'beamSize']

describe('nearest', () => {
  it.each([
    ['bsae', 'base'],
    ['tny', 'tiny'],
    ['mediun', 'medium'],
    ['large-v4', 'large-v3'],
    ['large-v3-turb0', 'large-v3-turbo'],
    ['BASE', 'base'],
    ['beamsize', 'beamSize'],
    ['beam_size', 'beamSize'],
  ])('%s means %s', (word, expected) => {
    expect(nearest(word, names)).toBe(expected)
  })

  it.each(['', 'x', 'huge', 'largest', 'a'.repeat(1_000_000)])('nothing is close to %.10s', (word) => {
    expect(nearest(word, names)).toBeUndefined()
  })

  it('prefers the earlier of two that are equally close', () => {
    expect(nearest('cat', ['bat', 'rat'])).toBe('bat')
  })

  it('has no answer without candidates', () => {
    expect(nearest('base', [])).toBeUndefined()
  })
})
