import { execFile, execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { packageRoot } from '../../scripts/support/package.mjs'
import { scratchFolder } from '../fixtures/material.ts'

let scratch: Awaited<ReturnType<typeof scratchFolder>>

beforeAll(async () => {
  scratch = await scratchFolder()
  const binding = join(packageRoot, 'binding')
  const ggml = join(packageRoot, 'vendor', 'whisper.cpp', 'ggml', 'include')
  const sanitizers = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all']
  const flags = ['-std=c++17', '-g1', '-Wall', '-Wextra', '-Werror', '-D_GLIBCXX_ASSERTIONS', ...sanitizers]
  const compile = async (folder: string, name: string) => {
    const object = join(scratch.path, `${name}.o`)
    const args = [...flags, `-I${binding}`, '-isystem', ggml, '-c', join(folder, `${name}.cpp`), '-o', object]
    await promisify(execFile)('g++', args)
    return object
  }
  const folder = join(binding, 'engine', 'search')
  const sources = readdirSync(folder).filter((name) => name.endsWith('.cpp'))
  const programs = ['search-kinds', 'search-rules'].map((name) =>
    compile(join(packageRoot, 'test', 'native'), name),
  )
  const objects = await Promise.all(sources.map((name) => compile(folder, name.slice(0, -'.cpp'.length))))
  for (const program of await Promise.all(programs))
    execFileSync('g++', [...sanitizers, program, ...objects, '-o', program.slice(0, -'.o'.length)])
}, 120_000)
afterAll(() => scratch?.[Symbol.asyncDispose]())

function run(program: string, test: string): void {
  const said = execFileSync(join(scratch.path, program), [test], { encoding: 'utf8' })
  expect(said).toMatch(/^\d{2,} checks\n$/)
}

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
  ])('%s', (_, test) => run('search-kinds', test))
})

describe('the text of a window', () => {
  it.each([
    ["keeps to OpenAI's rules of timestamps", 'timestamps'],
    ['keeps to all other rules', 'others'],
    ['is in order whatever a model babbles', 'texts'],
    ['has the segments that OpenAI gives it', 'segments'],
  ])('%s', (_, test) => run('search-rules', test))
})
