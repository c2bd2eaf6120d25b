import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'tsup'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const run = promisify(execFile)
const library = join(import.meta.dirname, '../../../lib')
const fixture = join(import.meta.dirname, 'fixtures/unhandled.mjs')
let folder: string

// Node 20 runs no TypeScript: the module is bundled first.
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'whisper-hip-test-'))
  await build({
    config: false,
    entry: [join(library, 'transcribe/transcription.ts')],
    format: 'esm',
    outDir: folder,
    outExtension: () => ({ js: '.mjs' }),
    silent: true,
  })
})

afterAll(() => rm(folder, { recursive: true }))

describe('unhandled rejections', () => {
  it.each([
    ['nobody looks', 1],
    ['awaited', 0],
    ['awaited late', 0],
    ['iterated', 0],
    ['iterated slowly', 0],
    ['iterated and awaited', 0],
    ['loop without catch', 1],
    ['then without catch', 1],
    ['then without catch, and iterated', 1],
    ['left by break', 0],
    ['iterator taken but never read', 1],
    ['cancelled and awaited', 0],
    ['cancelled, and nobody looks', 1],
  ])('%s: %i', async (scenario, count) => {
    const { stdout, stderr } = await run(process.execPath, [
      fixture,
      join(folder, 'transcription.mjs'),
      scenario,
    ])
    expect(stderr).toBe('')
    expect(stdout.trim()).toBe(String(count))
  })
})
