import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { removeModel } from '../../../lib/cli/remove-model.ts'

let cache: string
let path: string
const find = async () => path

beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'cache '))
  process.env.WHISPER_HIP_CACHE = cache
})
afterEach(() => {
  delete process.env.WHISPER_HIP_CACHE
  rmSync(cache, { recursive: true })
})

it('removes the folder of a model and the empty ones above it', async () => {
  path = join(cache, 'models/tiny/0123')
  mkdirSync(path, { recursive: true })
  writeFileSync(join(path, 'model.bin'), '12345')
  expect(await removeModel('tiny', find)).toEqual({ path, bytes: 5 })
  expect(existsSync(join(cache, 'models/tiny'))).toBe(false)
  expect(existsSync(join(cache, 'models'))).toBe(true)
})

it('leaves the neighbours of a file', async () => {
  path = join(cache, 'models/host/one.bin')
  mkdirSync(join(cache, 'models/host'), { recursive: true })
  for (const name of ['one.bin', 'two.bin']) writeFileSync(join(cache, 'models/host', name), '')
  await removeModel('https://host/one.bin', find)
  expect(existsSync(path)).toBe(false)
  expect(existsSync(join(cache, 'models/host/two.bin'))).toBe(true)
})

it('removes nothing that is not in the cache', async () => {
  path = join(cache, 'elsewhere.bin')
  writeFileSync(path, '')
  await expect(removeModel(path, find)).rejects.toThrow('is not in the cache')
  expect(existsSync(path)).toBe(true)
})
