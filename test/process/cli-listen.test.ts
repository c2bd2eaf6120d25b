import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { recorderNames } from '../../lib/cli/listen/recorders.ts'
import { fakePath } from '../fixtures/fake-path.ts'
import { packageRoot, speech } from '../fixtures/snippets.ts'
import { buildSpeaking } from '../fixtures/speaking-model.ts'
import { buildWav } from '../native/wav.ts'
import { folder } from './child.ts'
import { type CliOptions, runCli } from './cli.ts'
import { fakeCamera } from './fake-camera.ts'

/** What the made model hears in each of the four sentences of the recording. */
const heard = 'This is a sentence.\n'
const samples = readFileSync(speech).subarray(44)
const mp3 = join(packageRoot, 'vendor/whisper.cpp/samples/jfk.mp3')
const model = join(folder, 'sentence.bin')

beforeAll(() => {
  const script = [{ text: ' This is a sentence.', start: 0, end: 2 }]
  writeFileSync(model, buildSpeaking({ script, audioContext: 64, layers: 1 }))
})

// The made model does not listen, so that its words have no times to agree on.
const onCpu = ['--model', model, '--backend', 'cpu', '--language', 'en', '--policy', 'phrase']
const listen = (args: readonly string[], options: CliOptions = {}) =>
  runCli(['listen', ...onCpu, ...args], { cwd: folder, ...options })

/** The environment of a fake recorder. */
function fakes(programs: readonly string[], more: Readonly<Record<string, string>> = {}) {
  return { PATH: fakePath(folder, programs), FAKE_SOUND: speech, FAKE_SPEED: '10', ...more }
}

async function runningPrograms(): Promise<string> {
  return (await promisify(execFile)('ps', ['-eo', 'args'])).stdout
}

/** A recorder that has no pipe as standard input, as on a terminal. */
const noPipe = 'exec </dev/null;'

describe('a channel or track', () => {
  /** Two channels, of which the second speaks. */
  const stereo = Buffer.alloc(2 * samples.length)
  for (let at = 0; at < samples.length; at += 2) samples.copy(stereo, 2 * at + 2, at, at + 2)
  const wav = join(folder, 'stereo.wav')
  const mkv = join(folder, 'tracks.mkv')

  beforeAll(async () => {
    writeFileSync(wav, buildWav({ format: 1, bits: 16, channels: 2, data: stereo }))
    const quiet = ['-f', 'lavfi', '-i', 'anullsrc=r=16000:cl=mono:d=8']
    const languages = ['-metadata:s:a:0', 'language=ger', '-metadata:s:a:1', 'language=eng']
    const args = [...quiet, '-i', speech, '-map', '0', '-map', '1', ...languages, '-c:a', 'pcm_s16le', mkv]
    await promisify(execFile)('ffmpeg', ['-nostdin', '-v', 'error', '-y', ...args])
  })

  it.each<[string, string[], Buffer | undefined, number]>([
    ['of standard input', ['--channels', '2', '--channel', '1'], stereo, 4],
    ['of standard input', ['--channels', '2', '--channel', '0'], stereo, 0],
    ['of a file', [wav, '--channel', '1'], undefined, 4],
    ['of a file', [wav, '--channel', '0'], undefined, 0],
    ['of a container', [mkv, '--track', '1'], undefined, 4],
    ['of a container', [mkv, '--track', 'en', '--channel', '0'], undefined, 4],
    ['of a container', [mkv, '--track', 'deu'], undefined, 0],
  ])('%s is heard alone: %j', async (_, args, input, times) => {
    expect(await listen(args, input && { input })).toMatchObject({
      code: 0,
      stdout: heard.repeat(times),
      stderr: '',
    })
  })

  it.each<[string[], number, string]>([
    [['-', '--channel', '1'], 2, 'Expected 0 (--channels is 1) for --channel but received 1'],
    [[wav, '--channel', 'split'], 2, 'Expected "mix" or the number of a channel for --channel'],
    [[wav, '--channel', '2'], 1, "Cannot decode '"],
    [[mkv, '--track', '2'], 2, 'Expected an integer from 0 to 1 for --track but received 2'],
    [[mkv, '--track', 'fr'], 2, 'Expected one of the tracks 0 (ger), 1 (eng) for --track but received'],
  ])('that is not there is told: %j', async (args, code, message) => {
    const ended = await listen(args, { input: stereo })
    expect(ended).toMatchObject({ code, stdout: '' })
    expect(ended.stderr).toContain(message)
  })
})

describe('standard input', () => {
  it('is heard to its end', async () => {
    expect(await listen([], { input: samples })).toMatchObject({
      code: 0,
      stdout: heard.repeat(4),
      stderr: '',
    })
  })

  it('may have another form', async () => {
    const floats = Float32Array.from(
      new Int16Array(samples.buffer, samples.byteOffset, samples.length / 2),
      (x) => x / 32768,
    )
    const stereo = new Float32Array(2 * floats.length)
    for (const [i, sample] of floats.entries()) stereo.fill(sample, 2 * i, 2 * i + 2)
    const ended = await listen(['-', '--rate', '16000', '--channels', '2', '--format', 'f32le'], {
      input: new Uint8Array(stereo.buffer),
    })
    expect(ended).toMatchObject({ code: 0, stdout: heard.repeat(4), stderr: '' })
  })

  it('that is a file is told so', async () => {
    const ended = await listen(['-'], { input: readFileSync(speech) })
    expect(ended).toMatchObject({ code: 2, stdout: '' })
    expect(ended.stderr).toMatch(/^whisper-hip: Expected raw samples .* a WAV file\n {2}- Name the file: /)
  })

  it('may be empty', async () => {
    expect(await listen(['-'])).toMatchObject({ code: 0, stdout: '', stderr: '' })
  })

  it('is printed as JSON, with speed where it is wanted', async () => {
    const types = async (...args: string[]) => {
      const { code, stdout, stderr } = await listen(['-', '--json', ...args], { input: samples })
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      return stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).type)
    }
    const plain = await types()
    expect(plain.filter((type) => type === 'final')).toHaveLength(4)
    expect(plain).not.toContain('stats')
    expect(await types('--stats')).toContain('stats')
  })
})

describe('a microphone', () => {
  it('is heard until Ctrl-C, and what was said last still comes', async () => {
    // Three seconds of sound after the first sentence is there: in the second one, or after it.
    const options: CliOptions = { env: fakes(['arecord']), before: noPipe, signal: 'SIGINT', delay: 300 }
    const ended = await listen([], options)
    expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' })
    expect(ended.stdout.length).toBeGreaterThan(heard.length)
    expect(ended.stdout.replaceAll(heard, '')).toBe('')
  })

  it.each(recorderNames)('is recorded by %s', async (program) => {
    const call = join(folder, `call of ${program}`)
    const ended = await listen(['--source', program, '--microphone', '-x y', '--rate', '16000'], {
      env: fakes(recorderNames, { FAKE_CALL: call }),
      signal: 'SIGINT',
    })
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    expect(ended.stdout).toContain(heard)
    const [name, ...args] = JSON.parse(readFileSync(call, 'utf8').trimEnd().split('\n').at(-1) ?? '')
    expect(name).toBe(program)
    expect(args).not.toContain('-x y')
    expect(args.includes('--raw')).toBe(program === 'pw-record' || program === 'parec')
  })

  it('that fails is told with the last words of the program, after what was heard', async () => {
    const ended = await listen([], {
      env: fakes(['arecord', 'sox'], { FAKE_FAULT: 'arecord: pcm_read: read error: No such device' }),
      before: noPipe,
    })
    expect(ended).toMatchObject({ code: 1, stdout: heard.repeat(4) })
    expect(ended.stderr).toMatch(
      /^whisper-hip: Cannot record with arecord: it ended with exit code 1: .*No such device \(ERR_AUDIO_DECODE\)\n {2}- Try sox, /,
    )
  })

  it('that records at another rate is refused', async () => {
    const FAKE_FAULT = 'Warning: rate is not accurate (requested = 16000Hz, got = 48000Hz)'
    const env = fakes(['arecord'], { FAKE_FAULT, FAKE_SOUND: '' })
    const ended = await listen([], { env, before: noPipe })
    expect(ended).toMatchObject({ code: 1, stdout: '' })
    expect(ended.stderr).toContain('rate is not accurate')
    expect(ended.stderr).toContain('  - Name a rate that the device has')
  })

  it('needs a program, which is told before a model is loaded', async () => {
    const ended = await listen(['--model', 'none'], { env: { PATH: fakePath(folder, []) }, before: noPipe })
    expect(ended).toMatchObject({ code: 1, stdout: '' })
    for (const name of ['pipewire-bin', 'pulseaudio-utils', 'alsa-utils', 'apt install sox'])
      expect(ended.stderr).toContain(name)
  })

  it('is not left behind', async () => {
    const call = join(folder, 'left behind')
    const env = fakes(['arecord'], { FAKE_CALL: call })
    const args = ['--microphone', `unique-${process.pid}`]
    for (const options of [{ signal: 'SIGTERM' }, { leave: true }] as const) {
      const { code } = await listen(args, { env, before: noPipe, ...options })
      expect(code).toBe('signal' in options ? 143 : 0)
      expect(await runningPrograms()).not.toContain(args[1])
    }
  })
})

describe('a recording or address', () => {
  let server: Server
  const address = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  beforeAll(async () => {
    const segments = join(folder, 'hls')
    mkdirSync(segments)
    await promisify(execFile)('ffmpeg', [
      ...['-nostdin', '-v', 'error', '-i', speech, '-c:a', 'aac', '-hls_time', '3', '-hls_list_size', '0'],
      join(segments, 'list.m3u8'),
    ])
    const thief = `#EXTM3U\n#EXT-X-TARGETDURATION:11\n#EXTINF:11,\nfile://${mp3}\n#EXT-X-ENDLIST\n`
    writeFileSync(join(segments, 'thief.m3u8'), thief)
    server = createServer((request, response) => {
      try {
        response.end(readFileSync(join(segments, `${request.url}`)))
      } catch {
        response.writeHead(404).end()
      }
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  })
  afterAll(() => server?.close())

  it('is heard to its end', async () => {
    expect(await listen([speech])).toMatchObject({ code: 0, stdout: heard.repeat(4), stderr: '' })
    const ended = await listen([`${address()}/list.m3u8`])
    expect(ended).toMatchObject({ code: 0, stdout: heard.repeat(4), stderr: '' })
  })

  it('is read as fast as it plays where that is wanted', async () => {
    const short = join(folder, 'short.wav')
    writeFileSync(short, buildWav({ format: 1, bits: 16, data: samples.subarray(0, 4 * 32_000) }))
    const begun = performance.now()
    const ended = await listen([short, '--realtime'])
    expect(ended).toMatchObject({ code: 0, stdout: heard.repeat(2) })
    expect(performance.now() - begun).toBeGreaterThan(3500)
  })

  it('may be a camera', async () => {
    const sound = join(folder, 'camera.raw')
    const cut = ['-ss', '7.6', '-f', 'mulaw', '-ar', '8000', sound]
    await promisify(execFile)('ffmpeg', ['-nostdin', '-v', 'error', '-i', speech, ...cut])
    const camera = await fakeCamera(readFileSync(sound))
    try {
      expect(await listen([camera.address])).toMatchObject({ code: 0, stdout: heard, stderr: '' })
    } finally {
      camera.close()
    }
    const gone = await listen([camera.address])
    expect(gone).toMatchObject({ code: 1, stdout: '' })
    expect(gone.stderr).toContain('Connection refused')
    expect(gone.stderr).not.toContain('secret')
  })

  it('is left by Ctrl-C', async () => {
    const ended = await listen([speech, '--realtime'], { signal: 'SIGINT' })
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    expect(ended.stdout.length).toBeLessThan(4 * heard.length)
  })

  it('never leads to a file of this machine', async () => {
    const ended = await listen([`${address()}/thief.m3u8`])
    expect(ended).toMatchObject({ code: 1, stdout: '' })
    expect(ended.stderr).toMatch(/^whisper-hip: Cannot decode 'http:.*thief\.m3u8': it ended with exit code/)
    expect(ended.stderr).toContain("Protocol 'file' not on whitelist")
  })

  it.each<[string, number, string]>([
    ['none.wav', 1, "Cannot decode 'none.wav': there is no such file (ERR_AUDIO_DECODE)"],
    ['http://127.0.0.1:9/a.mp3', 1, 'Connection refused'],
    ['ftp://127.0.0.1/a.mp3', 2, 'Expected a path or an address of http'],
  ])('%s fails with exit code %d', async (input, code, message) => {
    const ended = await listen([input])
    expect(ended).toMatchObject({ code, stdout: '' })
    expect(ended.stderr).toContain(message)
  })

  it('of which the name looks like an option is no option', async () => {
    writeFileSync(join(folder, '-y.wav'), readFileSync(speech))
    expect(await listen(['--', '-y.wav'])).toMatchObject({ code: 0, stdout: heard.repeat(4) })
  })

  it('that is no sound fails', async () => {
    writeFileSync(join(folder, 'text.mp3'), 'this is a text, and no recording at all')
    const ended = await listen(['text.mp3'])
    expect(ended).toMatchObject({ code: 1, stdout: '' })
    expect(ended.stderr).toMatch(/^whisper-hip: Cannot decode 'text\.mp3': it ended with exit code 1: .+/)
  })

  it('needs ffmpeg', async () => {
    const ended = await listen([speech], { env: { WHISPER_HIP_FFMPEG: '/no/ffmpeg' } })
    expect(ended).toMatchObject({ code: 1, stdout: '' })
    expect(ended.stderr).toContain('WHISPER_HIP_FFMPEG names "/no/ffmpeg", which does not exist')
  })
})

describe('files', () => {
  it('are written while it runs', async () => {
    const env = fakes(['arecord'])
    const ended = await listen(['--srt', 'live.srt', '--vtt', 'live.vtt', '--txt', 'live.txt'], {
      env,
      before: noPipe,
      // It is not asked to end.
      signal: 'SIGKILL',
    })
    expect(ended.signal).toBe('SIGKILL')
    const read = (name: string) => readFileSync(join(folder, name), 'utf8')
    expect(read('live.txt')).toContain(heard)
    expect(read('live.srt')).toMatch(/^1\n00:00:00,\d{3} --> 00:00:0\d,\d{3}\nThis is a sentence\.\n\n/)
    expect(read('live.vtt')).toMatch(/^WEBVTT\n\n00:00:00\.\d{3} --> /)
  })

  it('stay valid when there is no more room', async () => {
    const ended = await listen([speech, '--srt', 'full.srt', '--max-segment-length', '1'], {
      // A block of 512 bytes.
      before: 'ulimit -f 1;',
    })
    expect(ended.code).toBe(1)
    expect(ended.stderr).toMatch(/^whisper-hip: EFBIG/)
    const srt = readFileSync(join(folder, 'full.srt'), 'utf8')
    expect(srt).toMatch(/^(\d+\n.{29}\n(This|is|a|sentence\.)\n\n)+$/)
    expect(srt.length).toBeGreaterThan(400)
  })

  it.each<[string[], string, number]>([
    [
      ['--srt', 'no folder/x.srt'],
      "Cannot write 'no folder/x.srt': its folder does not exist (ERR_WRITE)",
      1,
    ],
    [['--srt', 'x', '--vtt', './x'], 'Both --srt and --vtt would be ./x', 2],
    [['--max-segment-length', '0', '--srt', 'x'], 'from 1 to 10000 for --max-segment-length but', 2],
  ])('%j is told before a model is loaded', async (args, message, code) => {
    const ended = await listen([speech, '--model', 'none', ...args])
    expect(ended).toMatchObject({ code, stdout: '' })
    expect(ended.stderr).toContain(message)
  })
})

describe('usage', () => {
  it.each<[string[], string]>([
    [
      ['--policy', 'agrement'],
      'for --policy but received "agrement" of type string; did you mean agreement?',
    ],
    [['--step', '0.1'], 'Expected a number from 0.2 to 10 for --step but received 0.1'],
    [['--rate', 'fast'], 'for --rate but received "fast"'],
    [['--vad-threshold', '2'], 'for --vad-threshold but received 2'],
    [['--language', 'klingon'], 'for --language but'],
    [['--stats'], '--stats is for --json'],
    [['a.wav', 'b.wav'], 'too many arguments'],
    [['--sorce', 'x'], 'Did you mean --source?'],
  ])('%j is wrong: exit code 2', async (args, message) => {
    const ended = await listen([...args, '--model', 'none'])
    expect(ended).toMatchObject({ code: 2, stdout: '' })
    expect(ended.stderr).toContain(message)
  })
})

describe('the end', () => {
  it('comes at once with the second Ctrl-C', async () => {
    const env = fakes(['arecord'], { FAKE_DEAF: '1' })
    const args = ['--microphone', `deaf-${process.pid}`]
    const ended = await listen(args, { env, before: noPipe, signal: 'SIGINT', again: 500 })
    expect(ended).toMatchObject({ code: 130, signal: null, stderr: '' })
    expect(ended.seconds).toBeLessThan(0.9)
    expect(await runningPrograms()).not.toContain(args[1])
  })

  it('is not hurried by a Ctrl-C that comes twice, as under npx', async () => {
    const env = fakes(['arecord'])
    const ended = await listen([], { env, before: noPipe, signal: 'SIGINT', again: 2 })
    expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' })
  })

  it('comes quietly when nobody reads on', async () => {
    const ended = await listen([], { env: fakes(['arecord']), before: noPipe, leave: true })
    expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' })
    expect(ended.seconds).toBeLessThan(10)
  })
})
