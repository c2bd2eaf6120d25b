import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { folder, runChild } from './child.ts'

it('memory that runs out in a task, wherever it does, is an error', async () => {
  const library = 'short-of-memory.so'
  const source = join(import.meta.dirname, 'children', 'short-of-memory.cpp')
  // Thread-local data that needs no allocation.
  const flags = ['-std=c++17', '-O1', '-fPIC', '-shared', '-ftls-model=initial-exec']
  execFileSync('g++', [...flags, source, '-o', join(folder, library)])
  // From the working directory: the loader takes a space for the end of a path.
  const before = `export LD_PRELOAD=./${library};`
  const { stdout, ...ended } = await runChild('short-of-memory.cjs', [], { before })
  expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' })
  const outcomes = JSON.parse(stdout)
  // With just enough, and without a limit.
  expect(outcomes.splice(-2)).toEqual([0, 0])
  expect(new Set(outcomes)).toEqual(new Set(['ERR_OUT_OF_MEMORY']))
  expect(outcomes.length).toBeGreaterThan(20)
})
