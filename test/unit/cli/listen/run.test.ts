import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, describe, expect, it } from 'vitest'
import { OutputFiles } from '../../../../lib/cli/listen/files.ts'
import { startProgram } from '../../../../lib/cli/listen/program-source.ts'
import { listen } from '../../../../lib/cli/listen/run.ts'
import type { Source } from '../../../../lib/cli/listen/source.ts'
import { openStdin } from '../../../../lib/cli/listen/stdin.ts'
import { plainView } from '../../../../lib/cli/listen/views.ts'
import { FakeLiveStream } from './fake-live-stream.ts'

const folder = mkdtempSync(join(tmpdir(), 'whisper hip run '))
afterAll(() => rmSync(folder, { recursive: true }))

/** Runs a source to its end. */
async function run(source: Source, output = new PassThrough(), signal = new AbortController().signal) {
  const txt = join(folder, `${Math.random()}.txt`)
  const files = new OutputFiles({ txt }, 84)
  const live = new FakeLiveStream()
  const failed = await listen({ source, live, view: plainView, files, output, signal }).then(
    () => null,
    (error) => error,
  )
  files.close()
  source.close()
  return { failed, text: readFileSync(txt, 'utf8'), printed: output.read()?.toString(), live }
}

/** A program of Node as a source. */
const program = (script: string, more: { endless?: boolean; refusal?: RegExp } = {}) =>
  startProgram({
    program: process.execPath,
    args: ['-e', script],
    env: { GREETING: 'hello' },
    name: 'node',
    failing: 'Cannot record with node',
    endless: more.endless ?? false,
    advice: ['Try again'],
    refusal: more.refusal && { said: more.refusal, advice: 'Name a rate' },
  })

describe('a program', () => {
  it('is heard to its end', async () => {
    const source = await program('process.stdout.write("hey" + process.env.GREETING[4])')
    expect(await run(source)).toMatchObject({
      failed: null,
      text: 'he\nyo\nthe end\n',
      printed: 'he\nyo\nthe end\n',
    })
  })

  it('that fails is told with its last words, after what was heard', async () => {
    const source = await program(
      'process.stdout.write("hey!"); console.error("at rtsp://me:secret@host/x\\nno \\x1b[31mdevice"); process.exitCode = 3',
    )
    const { failed, text } = await run(source)
    expect(text).toBe('he\ny!\nthe end\n')
    expect(failed).toMatchObject({
      code: 'ERR_AUDIO_DECODE',
      message: 'Cannot record with node: it ended with exit code 3: at rtsp://host/x; no [31mdevice',
      advice: ['Try again'],
    })
  })

  it.each([
    ['process.exitCode = 0', 'it ended with exit code 0'],
    ['process.kill(process.pid, "SIGTERM")', 'it was ended by SIGTERM'],
  ])('that has no end of its own fails by %s', async (script, message) => {
    const { failed } = await run(await program(script, { endless: true }))
    expect(failed.message).toBe(`Cannot record with node: ${message}`)
  })

  it('that records something else is stopped', async () => {
    const source = await program('console.error("rate is not accurate"); setInterval(() => {}, 1000)', {
      refusal: /not accurate/,
    })
    expect((await run(source)).failed).toMatchObject({
      message: 'Cannot record with node: it cannot record so: rate is not accurate',
      advice: ['Name a rate'],
    })
  })

  it('that cannot be started is an error at once', async () => {
    const job = { program: '/none', args: [], name: '', failing: '', endless: false, advice: [] }
    await expect(startProgram(job)).rejects.toThrow('ENOENT')
  })

  it('is asked to end, and its last samples are heard', async () => {
    const source = await program(
      'process.on("SIGTERM", () => { process.stdout.write("ow"); process.exit(1) }); process.stdout.write("oh"); setInterval(() => {}, 1000)',
      { endless: true },
    )
    source.samples.once('readable', () => source.stop())
    expect(await run(source)).toMatchObject({ failed: null, text: 'oh\now\nthe end\n' })
  })

  it('that does not want to end is ended', async () => {
    const source = await program(
      'process.on("SIGTERM", () => {}); process.stdout.write("oh"); setInterval(() => {}, 1000)',
      { endless: true },
    )
    source.samples.once('readable', () => source.stop())
    expect(await run(source)).toMatchObject({ failed: null, text: 'oh\nthe end\n' })
  })
})

describe('standard input', () => {
  it('is heard to its end', async () => {
    const stdin = new PassThrough()
    stdin.end('abcdefghijklmnop')
    expect(await run(openStdin(stdin))).toMatchObject({
      failed: null,
      text: 'ab\ncd\nef\ngh\nij\nkl\nmn\nop\nthe end\n',
    })
  })

  it('may be short, or come in small pieces', async () => {
    const stdin = new PassThrough()
    for (const byte of 'RIFF') stdin.write(byte)
    stdin.end()
    expect((await run(openStdin(stdin))).text).toBe('RI\nFF\nthe end\n')
    const empty = new PassThrough()
    empty.end()
    expect((await run(openStdin(empty))).text).toBe('the end\n')
  })

  it.each([
    [Buffer.from('RIFF\x24\0\0\0WAVEfmt '), 'a WAV file'],
    [Buffer.from('fLaC\0\0\0\x22....'), 'a FLAC file'],
    [Buffer.from('ID3\x04\0\0\0\0\0\0\0\0\0\0\0'), 'an MP3 file'],
    [Buffer.from('\0\0\0\x18ftypmp42'), 'an MP4 or MOV file'],
    [Buffer.from('\x1aE\xdf\xa3\x9f\x42\x86\x81\x01\x42\xf7\x81', 'latin1'), 'a Matroska or WebM file'],
  ])('%j is no samples, but %s', async (head, found) => {
    const stdin = new PassThrough()
    stdin.write(head.subarray(0, 3))
    stdin.end(head.subarray(3))
    expect((await run(openStdin(stdin))).failed).toMatchObject({
      message: `Expected raw samples on standard input but received ${found}`,
      advice: ['Name the file: whisper-hip listen FILE', expect.stringContaining('ffmpeg -i -')],
    })
  })

  it('can be left before its end', async () => {
    const stdin = new PassThrough()
    const source = openStdin(stdin)
    stdin.write('abcdefghijkl')
    setTimeout(() => source.stop(), 20)
    expect(await run(source)).toMatchObject({ failed: null, text: 'ab\ncd\nef\ngh\nij\nkl\nthe end\n' })
    expect(stdin.destroyed).toBe(true)
  })

  it('that breaks is an error', async () => {
    const stdin = new PassThrough()
    const source = openStdin(stdin)
    setTimeout(() => stdin.destroy(new Error('EIO')), 10)
    expect((await run(source)).failed.message).toBe('EIO')
  })
})

it('a slow reader of the output is waited for', async () => {
  const output = new PassThrough({ highWaterMark: 4 })
  const stdin = new PassThrough()
  stdin.end('x'.repeat(4000))
  let most = 0
  const reading = setInterval(() => {
    most = Math.max(most, output.readableLength + output.writableLength)
    output.read()
  })
  expect((await run(openStdin(stdin), output)).failed).toBeNull()
  clearInterval(reading)
  expect(most).toBeLessThan(20)
})

it('an interruption ends the wait for a reader', async () => {
  const controller = new AbortController()
  const stdin = new PassThrough()
  stdin.end('x'.repeat(4000))
  setTimeout(() => controller.abort(), 20)
  const { failed } = await run(openStdin(stdin), new PassThrough({ highWaterMark: 4 }), controller.signal)
  expect(failed.name).toBe('AbortError')
})
