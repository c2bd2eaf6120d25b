import { describe, expect, it } from 'vitest'
import { catalogue, downloadBytes, findModel, modelNames } from '../../../lib/model/catalogue.ts'

describe('the catalogue', () => {
  it('offers every published Whisper and Distil-Whisper model', () => {
    expect(catalogue.map((entry) => entry.name)).toEqual(
      `tiny tiny.en base base.en small small.en medium medium.en large-v1 large-v2 large-v3 large-v3-turbo
       distil-small.en distil-medium.en distil-large-v2 distil-large-v3 distil-large-v3.5`.split(/\s+/),
    )
  })

  it('knows the usual short names', () => {
    expect(findModel('large')?.name).toBe('large-v3')
    expect(findModel('turbo')?.name).toBe('large-v3-turbo')
  })

  it('does not take names of object members for models', () => {
    for (const name of ['__proto__', 'constructor', 'toString', '']) expect(findModel(name)).toBeUndefined()
  })

  it('uses each name once', () => {
    expect(new Set(modelNames()).size).toBe(modelNames().length)
  })

  it('pins every source by size and digest, and none of them twice', () => {
    const digests: string[] = []
    for (const { sources } of catalogue) {
      expect(sources.length).toBeGreaterThan(0)
      for (const source of sources) {
        expect(downloadBytes(source)).toBeGreaterThan(50e6)
        if (source.kind === 'hub') {
          expect(source.revision).toMatch(/^[0-9a-f]{40}$/)
          digests.push(source.sha256)
        } else {
          digests.push(...source.wheels.map((wheel) => wheel.sha256))
          for (const { sha256, bytes } of source.files) {
            expect(sha256).toMatch(/^[0-9a-f]{64}$/)
            expect(bytes).toBeGreaterThan(0)
          }
        }
      }
    }
    for (const digest of digests) expect(digest).toMatch(/^[0-9a-f]{64}$/)
    expect(new Set(digests).size).toBe(digests.length)
  })

  it('takes every file of a folder from a wheel of the same source', () => {
    for (const { sources } of catalogue)
      for (const source of sources) {
        if (source.kind === 'hub') continue
        const packages = source.wheels.map((wheel) => wheel.package)
        const used = source.files.flatMap((file) => file.parts.map((part) => part.package))
        expect([...new Set(used)].sort()).toEqual([...packages].sort())
        expect(source.files.map((file) => file.name)).toEqual(
          expect.arrayContaining(['model.bin', 'config.json']),
        )
      }
  })

  it('calls a model multilingual unless it only knows English', () => {
    for (const { name, multilingual } of catalogue)
      expect(multilingual).toBe(!name.endsWith('.en') && !name.startsWith('distil-'))
  })
})
