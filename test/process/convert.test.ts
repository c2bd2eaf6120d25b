import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { buildGguf } from '../fixtures/gguf-builder.ts'
import { folder, makeMaterials, materials, runChild } from './child.ts'
import { runCli } from './cli.ts'

/** Needs dist/ (`npm run build:lib`). */
beforeAll(() => makeMaterials())

let folders = 0

/** A folder with a model that is to be replaced. */
function newFolder(): string {
  const place = join(folder, `converted ${folders++}`)
  mkdirSync(place)
  writeFileSync(join(place, 'model.bin'), 'before')
  return place
}

const convert = (cwd: string, before: string) =>
  runCli(['convert', materials.SLOW_MODEL, '-o', 'model.bin', '--force', '--type', 'q5_0'], { cwd, before })

/** Sends a signal to the program that follows, when it has begun to write. */
const killed = (signal: string) =>
  `(for i in $(seq 2000); do ls -A . | grep -q partial && break; sleep 0.01; done; kill -${signal} $$) & `

describe('a conversion', () => {
  it.each([
    ['INT', 130],
    ['TERM', 143],
  ])('that is interrupted by SIG%s leaves what was there, and nothing else', async (signal, code) => {
    const place = newFolder()
    expect(await convert(place, killed(signal))).toMatchObject({ code, stdout: '' })
    expect(readdirSync(place)).toEqual(['model.bin'])
    expect(readFileSync(join(place, 'model.bin'), 'utf8')).toBe('before')
  })

  it('that is killed leaves what was there, and an unfinished file that is in nobody’s way', async () => {
    const place = newFolder()
    expect(await convert(place, killed('KILL'))).toMatchObject({ signal: 'SIGKILL' })
    expect(readFileSync(join(place, 'model.bin'), 'utf8')).toBe('before')
    expect(readdirSync(place)).toHaveLength(2)
    expect(await convert(place, '')).toMatchObject({ code: 0 })
    expect(readFileSync(join(place, 'model.bin')).subarray(0, 4).toString()).toBe('lmgg')
  })

  it('that cannot write its weights or its tables leaves what was there, and nothing else', async () => {
    const source = join(folder, 'tiny.gguf')
    writeFileSync(source, buildGguf())
    const whole = join(newFolder(), 'whole.gguf')
    expect((await runCli(['convert', source, '-o', whole])).code).toBe(0)
    const { size } = statSync(whole)
    // The last of the tables are the mel filters, of 64 KB.
    for (const [bytes, reason] of [
      [size / 2, 'File too large'],
      [size - 30_000, 'it is too large for the file system'],
    ] as const) {
      const place = newFolder()
      const ended = await runCli(['convert', source, '-o', 'made.gguf'], {
        cwd: place,
        before: `ulimit -f ${Math.floor(bytes / 512)}; `,
      })
      expect(ended).toMatchObject({ code: 1, stdout: '' })
      expect(ended.stderr).toContain(`Cannot write 'made.gguf': ${reason}`)
      expect(readdirSync(place)).toEqual(['model.bin'])
    }
  })
})

describe('an application that ends while it converts', () => {
  const model = 'model.bin'
  const run = (how: string, place: string, signal?: NodeJS.Signals) =>
    runChild('convert-ends.cjs', [how, join(place, model)], signal && { signal })

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'by %s leaves nothing, and ends by it',
    async (signal) => {
      const place = newFolder()
      expect(await run('waits', place, signal)).toMatchObject({ signal, stdout: 'now\n' })
      expect(readdirSync(place)).toEqual([model])
      expect(readFileSync(join(place, model), 'utf8')).toBe('before')
    },
  )

  it.each([
    ['exits', 3],
    ['throws', 1],
  ])('and %s, leaves nothing', async (how, code) => {
    const place = newFolder()
    expect(await run(how, place)).toMatchObject({ code })
    expect(readdirSync(place)).toEqual([model])
  })

  it('twice leaves nothing of either', async () => {
    const place = newFolder()
    expect(await run('both', place, 'SIGTERM')).toMatchObject({ signal: 'SIGTERM' })
    expect(readdirSync(place)).toEqual([model])
  })

  it.each(['listens', 'listensLate'])('only by its own will when it %s to the signal', async (how) => {
    const place = newFolder()
    const ended = await run(how, place, 'SIGTERM')
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    expect(ended.stdout).toBe('now\nheard\ndone\n')
    expect(readdirSync(place)).toEqual([model])
    expect(readFileSync(join(place, model)).subarray(0, 4).toString()).toBe('lmgg')
  })
})
