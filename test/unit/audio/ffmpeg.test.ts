import { execFile, execFileSync } from 'node:child_process'
import { createReadStream, existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { prepareAudio } from '../../../lib/audio/sources.ts'
import type { AudioInput } from '../../../lib/audio/types.ts'
import { type LogEntry, setLogger } from '../../../lib/log.ts'
import { FakeByteStore } from './fake-byte-store.ts'

const native = { ByteStore: FakeByteStore }
const never = new AbortController().signal
const prepare = (input: AudioInput, signal = never) => prepareAudio(input, native, signal)

let folder: string

/** A second of 440 Hz at 44.1 kHz in stereo, in the format of the name's suffix. */
async function tone(name: string, ...options: string[]): Promise<string> {
  const path = join(folder, name)
  const source = ['-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=44100:duration=1', '-ac', '2']
  await promisify(execFile)('ffmpeg', ['-loglevel', 'error', '-y', ...source, ...options, `file:${path}`])
  return path
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'whisper-hip-test-'))
  await Promise.all([
    tone('tone.m4a'),
    tone('fast.m4a', '-movflags', '+faststart'),
    tone('tone.webm'),
    tone('tone.opus'),
  ])
})
afterAll(() => rm(folder, { recursive: true }))
afterEach(() => {
  delete process.env.WHISPER_HIP_FFMPEG
  setLogger(null)
})

/** Checks that it is the tone: its length, and two crossings of zero in each period. */
async function expectTone(input: AudioInput): Promise<void> {
  const { source, decodeSeconds } = await prepare(input)
  expect(source).toMatchObject({ kind: 'pcm', format: 's16', sampleRate: 16_000, channels: 2 })
  expect(decodeSeconds).toBeGreaterThan(0)
  const samples = (source as { store: unknown }).store as FakeByteStore
  const wave = samples.integers().filter((_, i) => i % 2 === 0)
  expect(wave.length).toBeGreaterThan(15_500)
  expect(wave.length).toBeLessThan(17_500)
  const middle = wave.subarray(4000, 12_000)
  const crossings = middle.filter((value, i) => i > 0 && value < 0 !== (middle[i - 1] ?? 0) < 0).length
  expect(Math.abs(crossings - 440)).toBeLessThan(4)
}

async function problem(
  input: AudioInput,
): Promise<{ code: string; message: string; advice: readonly string[] }> {
  return prepare(input).then(
    () => expect.unreachable(),
    (error) => error,
  )
}

/** A program in place of ffmpeg. */
async function program(script: string): Promise<void> {
  const path = join(folder, `program-${Math.random()}`)
  await writeFile(path, `#!/bin/sh\n${script}\n`)
  await chmod(path, 0o755)
  process.env.WHISPER_HIP_FFMPEG = path
}

const running = (pid: number) => {
  try {
    process.kill(pid, 0)
    return !/^State:\s+Z/m.test(execFileSync('cat', [`/proc/${pid}/status`], { encoding: 'utf8' }))
  } catch {
    return false
  }
}

async function until(condition: () => boolean): Promise<void> {
  const limit = Date.now() + 5000
  while (!condition()) {
    if (Date.now() > limit) throw new Error('it never happened')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

describe('decoding with ffmpeg', () => {
  it.each(['tone.m4a', 'fast.m4a', 'tone.webm', 'tone.opus'])(
    '%s from a path, from bytes and from a stream',
    async (name) => {
      const path = join(folder, name)
      await expectTone(path)
      await expectTone(await readFile(path))
      await expectTone(createReadStream(path, { highWaterMark: 777 }))
      await expectTone(new Blob([await readFile(path)]))
    },
  )

  it('leaves no temporary file behind for formats that need one', async () => {
    const temporary = join(folder, 'temporary')
    await mkdir(temporary)
    vi.stubEnv('TMPDIR', temporary)
    try {
      await expectTone(await readFile(join(folder, 'tone.m4a')))
    } finally {
      vi.unstubAllEnvs()
    }
    expect(await readdir(temporary)).toEqual([])
  })

  it('decodes WAV files with a codec that the addon does not know', async () => {
    await expectTone(await tone('adpcm.wav', '-c:a', 'adpcm_ms'))
  })

  it('passes on what ffmpeg complains about, although it went on', async () => {
    await program('echo "a corrupt frame" >&2; head -c 32 /dev/zero')
    const entries: LogEntry[] = []
    setLogger((entry) => entries.push(entry))
    const path = join(folder, 'tone.m4a')
    const { warnings } = await prepare(path)
    expect(warnings).toEqual([
      {
        code: 'AUDIO_DAMAGED',
        message: 'ffmpeg could not decode all of the recording: a corrupt frame',
      },
    ])
    expect(entries).toEqual([{ level: 'warn', message: `ffmpeg on "${path}": a corrupt frame` }])
  })
})

describe('hostile names', () => {
  it.each([
    '-i.m4a',
    '-f.m4a',
    'http:evil.m4a',
    'concat:a|b.m4a',
    'pipe:0',
    '%03d.m4a',
    'a b\'"\\*?.m4a',
    'a\nb.m4a',
  ])('%j is a file like any other', async (name) => {
    const path = join(folder, name)
    await writeFile(path, await readFile(join(folder, 'tone.m4a')))
    await expectTone(path)
    const home = process.cwd()
    try {
      process.chdir(folder)
      await expectTone(name)
    } finally {
      process.chdir(home)
    }
  })

  it('never reach a shell', async () => {
    const mark = join(folder, 'mark')
    for (const name of [
      'a$(touch mark).m4a',
      'a`touch mark`.m4a',
      'a; touch mark #.m4a',
      'a | touch mark.m4a',
    ]) {
      const path = join(folder, name)
      await writeFile(path, await readFile(join(folder, 'tone.m4a')))
      const home = process.cwd()
      try {
        process.chdir(folder)
        await expectTone(name)
      } finally {
        process.chdir(home)
      }
    }
    expect(existsSync(mark)).toBe(false)
  })

  it('cannot make ffmpeg open anything else', async () => {
    let requests = 0
    const server = createServer((_, response) => {
      requests++
      response.end()
    }).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/x.ts`
    const lists = [
      `#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n${url}\n`,
      `ffconcat version 1.0\nfile '${url}'\n`,
      `ffconcat version 1.0\nfile '${join(folder, 'tone.m4a')}'\n`,
    ]
    for (const list of lists) {
      const path = join(folder, 'list.m4a')
      await writeFile(path, list)
      expect((await problem(path)).code).toBe('ERR_AUDIO_DECODE')
      expect((await problem(Buffer.from(list))).code).toBe('ERR_AUDIO_DECODE')
    }
    server.close()
    expect(requests).toBe(0)
  })
})

describe('failures', () => {
  it('of a damaged file say what ffmpeg said', async () => {
    const path = join(folder, 'broken.m4a')
    await writeFile(path, (await readFile(join(folder, 'tone.m4a'))).subarray(0, 3000))
    for (const [input, name] of [
      [path, `"${path}"`],
      [await readFile(path), 'the audio bytes'],
    ] as const) {
      const error = await problem(input)
      expect(error.code).toBe('ERR_AUDIO_DECODE')
      expect(error.message).toContain(
        `Cannot decode ${name}: it is an M4A file, and ffmpeg failed with exit code 1: `,
      )
      expect(error.message).toContain('moov atom not found')
      expect(error.message).not.toMatch(/0x[\da-f]{6}|\n/)
    }
  })

  it('of data in no known format, and of video without sound', async () => {
    const noise = Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * i * 7919) % 251))
    expect((await problem(noise)).message).toContain('it is data in an unknown format, and ffmpeg failed')
    const silent = join(folder, 'silent.mp4')
    execFileSync('ffmpeg', ['-loglevel', 'error', '-f', 'lavfi', '-i', 'color=d=0.2:s=32x32', silent])
    expect((await problem(silent)).message).toBe(
      `Cannot decode "${silent}": it is an MP4 or MOV file without an audio track`,
    )
  })

  it('of a program are those of its exit code', async () => {
    await program('echo "I give up" >&2; exit 3')
    expect((await problem(createReadStream(join(folder, 'tone.webm')))).message).toBe(
      'Cannot decode the audio stream: it is a Matroska or WebM file, and ffmpeg failed with exit code 3: I give up',
    )
  })

  it('of a program that is killed name the signal, and only the end of a flood of messages', async () => {
    await program('head -c 1000000 /dev/zero | tr "\\0" "x" >&2; echo >&2; echo last words >&2; kill -9 $$')
    const { message } = await problem(join(folder, 'tone.m4a'))
    expect(message).toContain('signal SIGKILL')
    expect(message).toContain('last words')
    expect(message.length).toBeLessThan(5000)
  })

  it('of the source are those of the source', async () => {
    async function* broken() {
      yield (await readFile(join(folder, 'tone.webm'))).subarray(0, 5000)
      throw new Error('connection reset')
    }
    expect((await problem(broken())).message).toBe('Cannot decode the audio stream: connection reset')
  })

  it('of the store end the program', async () => {
    class FullStore extends FakeByteStore {
      override append(): number {
        throw Object.assign(new Error('no memory'), { code: 'ERR_OUT_OF_MEMORY' })
      }
    }
    const preparing = prepareAudio(join(folder, 'tone.m4a'), { ByteStore: FullStore }, never)
    await expect(preparing).rejects.toMatchObject({ code: 'ERR_OUT_OF_MEMORY' })
  })
})

describe('without ffmpeg', () => {
  it('says so, what the file is, and how to get it', async () => {
    const path = join(folder, 'tone.m4a')
    const { PATH } = process.env
    process.env.PATH = folder
    try {
      const error = await problem(path)
      expect(error.code).toBe('ERR_AUDIO_UNSUPPORTED')
      expect(error.message).toBe(
        `Cannot decode "${path}": it is an M4A file, which needs ffmpeg, and ffmpeg is not installed`,
      )
      expect(error.advice.join()).toContain('apt install ffmpeg')
      expect((await problem(await readFile(path))).message).toContain('the audio bytes: it is an M4A file')
      expect((await problem(createReadStream(join(folder, 'tone.webm')))).code).toBe('ERR_AUDIO_UNSUPPORTED')
    } finally {
      process.env.PATH = PATH
    }
  })

  it('names the variable that names no program', async () => {
    process.env.WHISPER_HIP_FFMPEG = '/nowhere/ffmpeg'
    const error = await problem(join(folder, 'tone.m4a'))
    expect(error.code).toBe('ERR_AUDIO_UNSUPPORTED')
    expect(error.message).toContain('WHISPER_HIP_FFMPEG names "/nowhere/ffmpeg", which does not exist')
    process.env.WHISPER_HIP_FFMPEG = join(folder, 'tone.m4a')
    expect((await problem(join(folder, 'tone.m4a'))).message).toContain('cannot be run: permission denied')
  })
})

describe('aborting', () => {
  it('kills the program and leaves nothing of it', async () => {
    const file = join(folder, 'pid')
    await program(`echo $$ > ${file}; exec sleep 60`)
    const controller = new AbortController()
    const preparing = prepare(join(folder, 'tone.m4a'), controller.signal)
    await until(() => existsSync(file))
    controller.abort(new Error('stop'))
    await expect(preparing).rejects.toThrow('stop')
    const pid = Number(await readFile(file, 'utf8'))
    await until(() => !running(pid))
  })

  it('does not wait for a child of the program that keeps its output open', async () => {
    const file = join(folder, 'started')
    await program(`touch ${file}; sleep 3`)
    const controller = new AbortController()
    const preparing = prepare(join(folder, 'tone.m4a'), controller.signal)
    await until(() => existsSync(file))
    const begun = performance.now()
    controller.abort(new Error('stop'))
    await expect(preparing).rejects.toThrow('stop')
    expect(performance.now() - begun).toBeLessThan(1000)
  })
})
