import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import xterm from '@xterm/headless'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { StreamEvent } from '../../lib/index.ts'
import { obtainModel } from '../../lib/model/download/index.ts'
import { fakePath } from '../fixtures/fake-path.ts'
import { convert, scratchFolder } from '../fixtures/material.ts'
import { speech } from '../fixtures/snippets.ts'
import { cli, runCli } from '../process/cli.ts'

let folder: Awaited<ReturnType<typeof scratchFolder>>
/** Two sentences with a pause between them. */
let recording: string
const words = /your country can do for you.*ask what you can do for your country/is

beforeAll(async () => {
  await obtainModel('base')
  folder = await scratchFolder()
  recording = await convert(speech, join(folder.path, 'recording.wav'), '-ss', '5')
})
afterAll(() => folder[Symbol.asyncDispose]())

/** What stands on a terminal after all of this has been written. */
async function screenOf(written: string, columns: number, rows: number): Promise<string[]> {
  const terminal = new xterm.Terminal({ cols: columns, rows, allowProposedApi: true })
  await new Promise<void>((resolve) => terminal.write(written, resolve))
  const { active } = terminal.buffer
  const lines = Array.from(
    { length: active.length },
    (_, i) => active.getLine(i)?.translateToString(true) ?? '',
  )
  return lines.filter((line) => line !== '')
}

describe('listen', () => {
  it('shows live captions on a terminal', async () => {
    const command = `stty cols 24 rows 8; exec '${process.execPath}' '${cli}' listen '${recording}' --realtime --backend cpu -l en 2>/dev/null`
    const { stdout } = await promisify(execFile)('script', ['-qec', command, '/dev/null'], {
      env: { ...process.env, TERM: 'xterm', NO_COLOR: '' },
    })
    // Words were shown before their utterance was final. How many were committed depends on the machine.
    expect(stdout).toContain('\x1b[2m')
    const captions = (await screenOf(stdout, 24, 8)).join(' ')
    expect(captions).toMatch(words)
    // Nothing but final text is left.
    expect(captions.match(/country/gi)).toHaveLength(2)
    expect(captions).not.toContain('…')
  })

  it('writes what a microphone hears, and subtitles', async () => {
    const env = { PATH: fakePath(folder.path, ['pw-record']), FAKE_SOUND: recording, FAKE_SPEED: '3' }
    const subtitles = join(folder.path, 'live.srt')
    const args = [
      'listen',
      '--json',
      '--srt',
      subtitles,
      '--max-segment-length',
      '20',
      '--backend',
      'cpu',
      '-l',
      'en',
    ]
    // Not at the first output, but when the recording has been played.
    const ended = await runCli(args, {
      env,
      before: 'exec </dev/null;',
      signal: 'SIGINT',
      when: '',
      after: 8,
    })
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    const events: StreamEvent[] = ended.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    const finals = events.flatMap((event) => (event.type === 'final' ? event : []))
    expect(finals.map(({ text }) => text).join(' ')).toMatch(words)
    for (const { utterance, text } of finals)
      for (const event of events)
        if (event.type === 'partial' && event.utterance === utterance)
          expect(text.startsWith(event.committed)).toBe(true)

    const cues = (await readFile(subtitles, 'utf8'))
      .trimEnd()
      .split('\n\n')
      .map((cue) => cue.split('\n'))
    expect(cues.length).toBeGreaterThan(3)
    expect(cues.map(([, , text]) => text).join(' ')).toMatch(words)
    for (const [i, [number, times, text = '']] of cues.entries()) {
      expect(number).toBe(String(i + 1))
      expect(times).toMatch(/^00:00:0\d,\d{3} --> 00:00:0\d,\d{3}$/)
      expect(text.length).toBeLessThanOrEqual(20)
    }
    const starts = cues.map(([, times]) => times)
    expect(starts).toEqual(starts.toSorted())
  })
})
