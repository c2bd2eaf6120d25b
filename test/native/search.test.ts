import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { packageRoot } from '../../scripts/support/package.mjs'
import { scratchFolder } from '../fixtures/material.ts'

let scratch: Awaited<ReturnType<typeof scratchFolder>>
let program: string

beforeAll(async () => {
  scratch = await scratchFolder()
  program = join(scratch.path, 'search')
  const folder = join(packageRoot, 'binding', 'engine', 'search')
  const ggml = join(packageRoot, 'vendor', 'whisper.cpp', 'ggml', 'include')
  execFileSync('g++', [
    ...['-std=c++17', '-g1', '-Wall', '-Wextra', '-Werror', '-D_GLIBCXX_ASSERTIONS'],
    ...['-fsanitize=address,undefined', '-fno-sanitize-recover=all'],
    ...[`-I${join(packageRoot, 'binding')}`, '-isystem', ggml],
    join(packageRoot, 'test', 'native', 'search.cpp'),
    ...readdirSync(folder)
      .filter((name) => name.endsWith('.cpp'))
      .map((name) => join(folder, name)),
    ...['-o', program],
  ])
}, 120_000)
afterAll(() => scratch?.[Symbol.asyncDispose]())

describe('a search', () => {
  it.each([
    ['ranks tokens as they are likely', 'choices'],
    ['refuses logits that are not numbers', 'damage'],
    ['is greedy with one beam', 'greedy'],
    ['finds the best of all texts where its beams hold them all', 'exhaustive'],
    ['finds better texts with more beams, and knows how likely they are', 'beam'],
    ['ends with as many texts as its patience wants, and takes the best for its length', 'patience'],
    ['ends with the most tokens that a text may have', 'limit'],
    ['draws samples as often as they are likely, the same ones each time', 'sampling'],
    ['ends in a loop', 'loops'],
    ["keeps to OpenAI's rules of timestamps", 'timestamp-rules'],
    ['keeps to all other rules', 'other-rules'],
    ['makes texts and segments in order of whatever a model babbles', 'texts'],
    ['has segments as OpenAI has them', 'split'],
  ])('%s', (_, name) => {
    const said = execFileSync(program, [name], { encoding: 'utf8' })
    expect(said).toMatch(/^\d{2,} checks\n$/)
  })
})
