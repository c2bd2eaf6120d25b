import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { files, folders, type Specimen } from '../fixtures/specimens.ts'
import { folder, runChild } from './child.ts'

/** Needs dist/ (`npm run build:lib`). */

/** Makes the allocator give back what is freed, so that what is left was not. */
const GIVES_BACK = { MALLOC_ARENA_MAX: '1', MALLOC_MMAP_THRESHOLD_: '16384', MALLOC_TRIM_THRESHOLD_: '65536' }

type Content = Record<string, Uint8Array | string>

function written(name: string, { main }: Specimen, content: Content): string {
  const place = join(folder, name)
  mkdirSync(place)
  for (const [file, bytes] of Object.entries(content)) writeFileSync(join(place, file), bytes)
  return main === undefined ? place : join(place, main)
}

/** The files of weights, each with one thing wrong; there is nothing but weights in the data of ONNX. */
function* broken(sound: Content): Generator<Content> {
  for (const [file, bytes] of Object.entries(sound)) {
    if (typeof bytes === 'string') continue
    if (/_data$/.test(file)) {
      yield { ...sound, [file]: bytes.subarray(0, bytes.length / 3) }
      continue
    }
    yield { ...sound, [file]: bytes.subarray(0, 40) }
    yield { ...sound, [file]: bytes.subarray(0, bytes.length / 3) }
    yield { ...sound, [file]: bytes.subarray(0, bytes.length - 1) }
    yield { ...sound, [file]: Buffer.concat([bytes.subarray(0, 30), bytes.subarray(31)]) }
  }
}

describe('loading again and again', () => {
  const all = { ...files, ...folders }
  it.each(Object.keys(all) as (keyof typeof all)[])(
    '%s leaves nothing behind, sound or broken',
    async (name) => {
      const specimen = all[name]()
      const sound = specimen.files(specimen.parts as never)
      const paths = {
        sound: [written(name, specimen, sound)],
        broken: [...broken(sound)].map((content, i) => written(`${name} ${i}`, specimen, content)),
      }
      const { stdout, stderr } = await runChild('leaks.cjs', [JSON.stringify(paths)], {
        nodeArgs: ['--expose-gc'],
        env: GIVES_BACK,
      })
      expect(stderr).toBe('')
      const found = JSON.parse(stdout)
      for (const path of paths.sound) expect(found.outcomes[path]).toEqual(['sound'])
      for (const path of paths.broken) expect(found.outcomes[path].join(), path).toMatch(/^ERR_MODEL_[A-Z]+$/)
      expect(found).toMatchObject({ files: 0, native: { models: 0, tasks: 0, byteStores: 0 } })
      // What is freed goes back in steps, after tens of rounds: up to 1.5 MiB more in each ten until then. A leak of a table of tokens, in
      // each load, would be more.
      expect(Math.min(...found.growth), found.growth.join()).toBeLessThan(2)
      expect(found.seconds).toBeLessThan(1)
      expect(found.bytes).toBeLessThan(64 << 20)
    },
  )
})
