import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { packageRoot } from '../../scripts/support/package.mjs'
import { scratchFolder } from '../fixtures/material.ts'

it('the GPU reads K-quantised weights as ggml does', async () => {
  await using scratch = await scratchFolder()
  const release = join(packageRoot, 'build', 'Release')
  const base = readdirSync(release).find((name) => name.startsWith('libggml-base-'))
  const program = join(scratch.path, 'k-quants')
  const ggml = join(packageRoot, 'vendor', 'whisper.cpp', 'ggml')
  execFileSync('g++', [
    ...['-std=c++17', '-O1', '-ffp-contract=off', '-Wno-pedantic'],
    ...[`-I${join(ggml, 'include')}`, `-I${join(ggml, 'src')}`, `-I${join(packageRoot, 'binding')}`],
    join(packageRoot, 'test', 'native', 'k-quants.cpp'),
    ...[`-L${release}`, `-l:${base}`, `-Wl,-rpath,${release}`, '-o', program],
  ])
  const output = execFileSync(program, { encoding: 'utf8' })
  expect(output).toBe('q2_K 0\nq3_K 0\nq4_K 0\nq5_K 0\nq6_K 0\n')
})
