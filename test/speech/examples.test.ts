import { copyFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { obtainModel } from '../../lib/model/download/index.ts'
import { packageRoot, runNode, speech, withApp } from '../fixtures/snippets.ts'

// The examples look for it in the cache.
beforeAll(() => obtainModel('base'))

const words = /ask not what your country can do for you/i

function runExample(name: string, ...args: string[]) {
  return runNode([join(packageRoot, 'examples', name), ...args], packageRoot)
}

describe('examples', () => {
  it('transcribe-file.mjs prints the text, and what did the work to stderr', async () => {
    const { code, stdout, stderr } = await runExample('transcribe-file.mjs', speech)
    expect(code).toBe(0)
    expect(stdout).toMatch(words)
    expect(stdout.trim().split('\n')).toHaveLength(1)
    expect(stderr).toMatch(/^11\.0 s of en, \d+\.\d s on (cpu|hip) \(\w+\)$/m)
  })

  it('transcribe-file.mjs says what is wrong and what to do', async () => {
    const { code, stdout, stderr } = await runExample('transcribe-file.mjs', 'https://127.0.0.1/a.wav')
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain('ERR_AUDIO_DECODE: ')
    expect(stderr).toContain('  Pass the stream of a download: (await fetch(url)).body')
  })

  it('subtitles.mjs writes SubRip', async () => {
    const { code, stdout } = await runExample('subtitles.mjs', speech)
    expect(code).toBe(0)
    const cues = stdout.trim().split('\n\n')
    expect(cues.length).toBeGreaterThan(1)
    for (const [i, cue] of cues.entries()) {
      const [number, times, text, ...more] = cue.split('\n')
      expect(number).toBe(String(i + 1))
      expect(times).toMatch(/^00:00:\d\d,\d{3} --> 00:00:\d\d,\d{3}$/)
      expect(text?.length).toBeLessThanOrEqual(84)
      expect(more).toEqual([])
    }
    expect(cues.map((cue) => cue.split('\n')[2]).join(' ')).toMatch(words)
  })

  it('transcribe-folder.mjs writes a text for each recording and reports the one that is none', async () => {
    await withApp(async (folder) => {
      await copyFile(speech, join(folder, 'other.wav'))
      await writeFile(join(folder, 'broken.mp3'), 'This is no recording.')
      const { code, stdout, stderr } = await runExample('transcribe-folder.mjs', folder)
      expect(code).toBe(1)
      expect(stdout.trim().split('\n').sort()).toEqual([
        expect.stringMatching(/^other\.wav: done in \d+\.\d s$/),
        expect.stringMatching(/^speech\.wav: done in \d+\.\d s$/),
      ])
      expect(stderr).toMatch(/^broken\.mp3: .*a text file that begins with "This is no recording\."$/m)
      expect(await readFile(join(folder, 'speech.txt'), 'utf8')).toMatch(words)
      expect(await readFile(join(folder, 'other.txt'), 'utf8')).toMatch(words)
    })
  })

  it.each(['transcribe-file.mjs', 'subtitles.mjs', 'transcribe-folder.mjs'])(
    '%s explains its use',
    async (name) => {
      const { code, stdout, stderr } = await runExample(name)
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
      expect(stderr).toContain(`Usage: node examples/${name} `)
    },
  )

  it('require-gpu.mjs answers by exit code, with the reason', async () => {
    const { code, stdout, stderr } = await runExample('require-gpu.mjs')
    if (code === 0) expect(stdout).toMatch(/^OK: /)
    else {
      expect(code).toBe(1)
      expect(stderr).toMatch(/^[A-Z_]+: The GPU would not be used: .+\n(- .+\n)+$/)
    }
  })
})
