import { homedir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { cacheFolder } from '../../../lib/cache-folder.ts'

describe('the cache folder', () => {
  const home = join(homedir(), '.cache', 'whisper-hip')

  it.each([
    ['its own variable first', { WHISPER_HIP_CACHE: '/a', XDG_CACHE_HOME: '/b' }, '/a'],
    ['a relative one from the working directory', { WHISPER_HIP_CACHE: 'a/../c' }, join(process.cwd(), 'c')],
    ['the XDG folder next', { XDG_CACHE_HOME: '/b' }, '/b/whisper-hip'],
    ['no relative XDG folder', { XDG_CACHE_HOME: 'b' }, home],
    ['empty variables as if they were not set', { WHISPER_HIP_CACHE: '', XDG_CACHE_HOME: '' }, home],
  ])('takes %s', (_name, environment, expected) => {
    expect(cacheFolder(environment)).toBe(expected)
  })
})
