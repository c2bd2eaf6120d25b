import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { folderFor } from '../../../lib/cli/commands/build.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'place '))
  writeFileSync(join(root, 'package.json'), '{ "name": "whisper-hip", "version": "1.2.3" }')
  process.env.WHISPER_HIP_CACHE = '/home/alice/cache'
})
afterEach(() => {
  delete process.env.WHISPER_HIP_CACHE
  rmSync(root, { recursive: true })
})

it('builds in the package where that can be written to', () => {
  expect(folderFor(root)).toBe(join(root, 'build'))
  mkdirSync(join(root, 'build'))
  expect(folderFor(root)).toBe(join(root, 'build'))
})

it('builds in the cache where it cannot', () => {
  const system = `${process.platform}-${process.arch}`
  expect(folderFor(root, () => false)).toBe(`/home/alice/cache/build/1.2.3-${system}`)
})
