import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { packageRoot } from '../../scripts/support/package.mjs'
import { scratchFolder } from '../fixtures/material.ts'

it('weights are converted, or memory was short, wherever it runs out', async () => {
  await using scratch = await scratchFolder()
  const release = join(packageRoot, 'build', 'Release')
  const base = readdirSync(release).find((name) => name.startsWith('libggml-base-'))
  const program = join(scratch.path, 'row-converter')
  const binding = join(packageRoot, 'binding')
  const ggml = join(packageRoot, 'vendor', 'whisper.cpp', 'ggml')
  execFileSync('g++', [
    ...['-std=c++17', '-O1', '-pthread', `-I${binding}`, `-I${join(ggml, 'include')}`],
    join(packageRoot, 'test', 'native', 'row-converter.cpp'),
    ...['model/row_converter', 'model/load_plan', 'support/byte_store'].map((name) =>
      join(binding, `${name}.cpp`),
    ),
    ...[`-L${release}`, `-l:${base}`, `-Wl,-rpath,${release}`, '-o', program],
  ])
  const [failures, values] = execFileSync(program, { encoding: 'utf8' }).trim().split(' ')
  expect(values).toBe('right')
  expect(Number(failures)).toBeGreaterThan(2)
})
