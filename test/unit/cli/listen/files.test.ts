import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { cuesOf } from '../../../../lib/cli/listen/cues.ts'
import { checkPaths, OutputFiles } from '../../../../lib/cli/listen/files.ts'
import { GrowingFile } from '../../../../lib/cli/listen/growing-file.ts'
import { srt } from '../../../../lib/output/srt.ts'
import { final } from './events.ts'

const folder = mkdtempSync(join(tmpdir(), 'whisper hip files '))
afterAll(() => rmSync(folder, { recursive: true }))
const at = (name: string) => join(folder, name)

describe('subtitles of an utterance', () => {
  it('show from the first word to the last', () => {
    expect(cuesOf(final('Ask not.', { start: 2 }), 84)).toEqual([{ start: 2, end: 3, text: 'Ask not.' }])
  })

  it('are cut between words', () => {
    expect(cuesOf(final('Ask not what your country', { start: 2 }), 10)).toEqual([
      { start: 2, end: 3, text: 'Ask not' },
      { start: 3, end: 4, text: 'what your' },
      { start: 4, end: 4.5, text: 'country' },
    ])
    expect(cuesOf(final('incomprehensibilities 日本'), 3).map(({ text }) => text)).toEqual([
      'incomprehensibilities',
      '日本',
    ])
  })

  it('without words are whole', () => {
    expect(cuesOf(final('Ask not.', { words: [] }), 3)).toEqual([{ start: 0, end: 10, text: 'Ask not.' }])
  })
})

describe('files', () => {
  const paths = { srt: at('a.srt'), vtt: at('a.vtt'), txt: at('a.txt') }

  it('are complete after each utterance', () => {
    writeFileSync(paths.srt, 'of an older recording')
    const files = new OutputFiles(paths, 8)
    const contents = () => Object.values(paths).map((path) => readFileSync(path, 'utf8'))
    expect(contents()).toEqual(['', 'WEBVTT\n\n', ''])
    files.add(final('Ask <not> what.'))
    const first = [
      '1\n00:00:00,000 --> 00:00:00,500\nAsk\n\n2\n00:00:00,500 --> 00:00:01,000\n<not>\n\n3\n00:00:01,000 --> 00:00:01,500\nwhat.\n\n',
      'WEBVTT\n\n00:00:00.000 --> 00:00:00.500\nAsk\n\n00:00:00.500 --> 00:00:01.000\n&lt;not&gt;\n\n00:00:01.000 --> 00:00:01.500\nwhat.\n\n',
      'Ask <not> what.\n',
    ]
    expect(contents()).toEqual(first)
    files.add(final('', { words: [] }))
    expect(contents()).toEqual(first)
    files.add(final('Yes.', { start: 3 }))
    files.close()
    expect(contents()).toEqual([
      `${first[0]}4\n00:00:03,000 --> 00:00:03,500\nYes.\n\n`,
      `${first[1]}00:00:03.000 --> 00:00:03.500\nYes.\n\n`,
      `${first[2]}Yes.\n`,
    ])
  })

  it('may be devices', () => {
    const file = new GrowingFile('/dev/full', srt)
    expect(() => file.add({ start: 0, end: 1, text: 'x' })).toThrow('ENOSPC')
    file.close()
  })
})

describe('paths', () => {
  it('are checked before anything is recorded', async () => {
    await checkPaths({ srt: at('new.srt'), vtt: '/dev/null' }, null)
    await expect(checkPaths({ srt: at('no/new.srt') }, null)).rejects.toThrow('its folder does not exist')
    await expect(checkPaths({ srt: join(at('a.srt'), 'x.srt') }, null)).rejects.toThrow('is not a folder')
    mkdirSync(at('folder'))
    await expect(checkPaths({ txt: at('folder') }, null)).rejects.toThrow('it is a folder')
    await expect(checkPaths({ txt: at('x'.repeat(300)) }, null)).rejects.toThrow('the name is too long')
  })

  it('that would be written twice, or are the recording, are wrong usage', async () => {
    await expect(checkPaths({ srt: at('x'), txt: join(at('.'), 'x') }, null)).rejects.toThrow(
      'Both --srt and --txt would be',
    )
    await expect(checkPaths({ vtt: at('x.wav') }, at('x.wav'))).rejects.toThrow(
      'Both the recording and --vtt',
    )
  })
})
