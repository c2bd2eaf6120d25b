import { execFileSync } from 'node:child_process'
import { createCipheriv } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type AudioInput,
  detectSpeech,
  loadModel,
  type Model,
  type TranscribeOptions,
} from '../../lib/index.ts'
import { cpu, greedy, speaking, temporaryPath } from './support.ts'
import { buildWav } from './wav.ts'

/** Needs ffmpeg, with its encoders, to make the files. */
let model: Model
/** One that looks for the language in the audio. */
let multilingual: Model

beforeAll(async () => {
  const script = [{ text: ' Hi.', start: 0, end: 1 }]
  model = await loadModel(speaking({ script }), cpu)
  multilingual = await loadModel(speaking({ script, multilingual: true, languageId: 2 }), cpu)
})
afterAll(() => Promise.all([model.dispose(), multilingual.dispose()]))

/** Random, but the same each time: by chance some bytes look like the beginning of something. */
const noise = (count: number) =>
  createCipheriv('aes-128-ctr', Buffer.alloc(16, 1), Buffer.alloc(16)).update(Buffer.alloc(count))

const SECONDS = 20
const RATE = 16_000

/** Chirps, so that every second takes about as many bytes as any other. */
const sound = Int16Array.from(
  { length: SECONDS * RATE },
  (_, i) => 9000 * Math.sin(i / (7 + (i % 4000) / 1000)) + 500 * Math.sin(i * i),
)
const wav = buildWav({ format: 1, bits: 16, data: new Uint8Array(sound.buffer) })

function encode(name: string, ...options: string[]): Buffer {
  const path = temporaryPath(name)
  execFileSync(
    'ffmpeg',
    [
      '-v',
      'error',
      ...options.slice(0, options.indexOf('-i') + 1),
      ...(options.includes('-i') ? [] : ['-i']),
      '-',
      ...options.slice(options.indexOf('-i') + 1),
      '-y',
      path,
    ],
    { input: wav },
  )
  return readFileSync(path)
}

const heard = (audio: AudioInput, options: TranscribeOptions = {}) =>
  model.transcribe(audio, { ...greedy, clips: [[900_000, 900_001]], ...options })

const formats: [string, string[]][] = [
  ['mp3', ['-b:a', '64k']],
  ['flac', []],
  ['ogg', ['-c:a', 'libvorbis']],
  ['opus', ['-c:a', 'libopus', '-b:a', '32k']],
  ['m4a', ['-c:a', 'aac', '-movflags', '+faststart']],
  ['webm', ['-c:a', 'libopus', '-b:a', '32k']],
]

describe.each(formats)('%s', (ending, options) => {
  let whole: Buffer
  beforeAll(() => {
    whole = encode(`whole.${ending}`, ...options)
  })
  const at = (part: number) => Math.round(whole.length * part)

  it('that is whole has no warnings', async () => {
    const { duration, warnings } = await heard(whole)
    expect(warnings).toEqual([])
    expect(Math.abs(duration - SECONDS)).toBeLessThan(0.1)
  })

  it('is told by the search for speech and for the language, too', async () => {
    const damaged = Buffer.concat([
      whole.subarray(0, at(0.3)),
      Buffer.alloc(at(0.3)),
      whole.subarray(at(0.6)),
    ])
    const { warnings } = await heard(damaged)
    expect(warnings.length).toBeGreaterThan(0)
    expect(await detectSpeech(damaged)).toMatchObject({ warnings })
    expect(await multilingual.detectLanguage(damaged)).toMatchObject({ warnings })
    expect(await detectSpeech(whole)).toMatchObject({ warnings: [] })
    expect(await multilingual.detectLanguage(whole)).toMatchObject({ warnings: [] })
  })

  it('that is overwritten keeps its time, and says where', async () => {
    for (const bytes of [noise(at(0.6) - at(0.3)), Buffer.alloc(at(0.6) - at(0.3))]) {
      const damaged = Buffer.concat([whole.subarray(0, at(0.3)), bytes, whole.subarray(at(0.6))])
      const { duration, warnings } = await heard(Readable.from([damaged]))
      expect(Math.abs(duration - SECONDS)).toBeLessThan(0.3)
      const [range] = warnings.filter(({ start }) => start !== undefined)
      expect(range).toMatchObject({ code: 'AUDIO_DAMAGED' })
      expect(Math.abs((range?.start ?? 0) - 0.3 * SECONDS)).toBeLessThan(1.6)
      expect(Math.abs((range?.end ?? 0) - 0.6 * SECONDS)).toBeLessThan(ending === 'webm' ? 5.5 : 1.6)
    }
  })

  it('that ends early says so', async () => {
    const { duration, warnings } = await heard(whole.subarray(0, at(0.6)))
    expect(Math.abs(duration - 0.6 * SECONDS)).toBeLessThan(1.6)
    expect(warnings.map(({ code }) => code)).toContain('AUDIO_TRUNCATED')
  })

  it('of which little is left gives that', async () => {
    const { duration, warnings } = await heard(
      Buffer.concat([whole.subarray(0, at(0.3)), noise(at(1) - at(0.3))]),
    )
    expect(duration).toBeGreaterThan(3)
    expect(warnings.length).toBeGreaterThan(0)
  })
})

describe.each(formats.filter(([ending]) => ending !== 'm4a'))('%s', (ending, options) => {
  it('of which a part was cut out keeps its time, and says where', async () => {
    const whole = encode(`cut.${ending}`, ...options)
    const at = (part: number) => Math.round(whole.length * part)
    const { duration, warnings } = await heard(
      Buffer.concat([whole.subarray(0, at(0.3)), whole.subarray(at(0.6))]),
    )
    expect(Math.abs(duration - SECONDS)).toBeLessThan(0.3)
    expect(warnings).toMatchObject([{ code: 'AUDIO_DAMAGED' }])
  })
})

describe('the clock of a container', () => {
  it.each([
    ['late.m4a', ['-c:a', 'aac']],
    ['late.mov', ['-c:a', 'aac']],
    ['late.webm', ['-c:a', 'libopus']],
    ['late.mkv', ['-c:a', 'libvorbis']],
    ['late.ogg', ['-c:a', 'libvorbis']],
    ['late.opus', ['-c:a', 'libopus']],
  ])('%s begins late', async (name, options) => {
    const { duration, warnings } = await heard(encode(name, '-itsoffset', '4', '-i', ...options))
    expect(Math.abs(duration - SECONDS - 4)).toBeLessThan(0.1)
    expect(warnings).toEqual([])
  })

  it.each([
    ['hole.m4a', ['-c:a', 'aac']],
    ['hole.ts', ['-c:a', 'aac']],
    ['hole.webm', ['-c:a', 'libopus']],
    ['hole.ogg', ['-c:a', 'libvorbis']],
    ['hole.opus', ['-c:a', 'libopus']],
  ])('%s has a hole', async (name, options) => {
    const hole = ['-af', "aselect='not(between(t,3,6))'"]
    const { duration, warnings } = await heard(encode(name, ...hole, ...options))
    expect(Math.abs(duration - SECONDS)).toBeLessThan(0.15)
    expect(warnings).toEqual([])
  })
})

describe('what the addon cannot decode', () => {
  it.each([
    ['mp3', '-ar 44100', '-ar 22050'],
    ['ogg', '-c:a libvorbis -ar 44100', '-c:a libvorbis -ar 16000'],
  ])('goes to ffmpeg: %s with two sample rates', async (ending, ...options) => {
    const parts = options.map((text, i) => encode(`part-${i}.${ending}`, ...text.split(' ')))
    for (const audio of [Buffer.concat(parts), Readable.from(parts)]) {
      expect(Math.abs((await heard(audio)).duration - 2 * SECONDS)).toBeLessThan(0.3)
    }
  })
})

describe('channels', () => {
  const stereo = (other: (sample: number, i: number) => number) => {
    const samples = Int16Array.from({ length: 2 * sound.length }, (_, i) =>
      i % 2 === 0 ? (sound[i / 2] as number) : other(sound[(i - 1) / 2] as number, i),
    )
    return { samples, sampleRate: RATE, channels: 2 }
  }

  it('of which one is the inverse of the other are heard, with a warning', async () => {
    const { text, warnings } = await heard(
      stereo((sample) => -sample),
      { clips: [[0, 20]] },
    )
    expect(text).toContain('Hi.')
    expect(warnings).toMatchObject([{ code: 'AUDIO_CHANNEL_INVERTED' }])
  })

  it('that are alike, or of which one is silent, have none', async () => {
    for (const other of [(sample: number) => sample / 2, () => 0, (sample: number) => sample * 0.7 + 30])
      expect((await heard(stereo(other))).warnings).toEqual([])
  })

  it('that differ are told of when they are mixed', async () => {
    const other = stereo((_, i) => 8000 * Math.sin(i / 31))
    expect((await heard(other)).warnings).toMatchObject([{ code: 'AUDIO_CHANNELS_DIFFER' }])
    expect((await heard(other, { channel: 1 })).warnings).toEqual([])
  })

  it('are transcribed one by one', async () => {
    const { segments, duration } = await heard(
      stereo(() => 0),
      { channel: 'split', clips: [[0, 20]] },
    )
    expect(duration).toBe(SECONDS)
    expect(new Set(segments.map(({ channel }) => channel))).toEqual(new Set([0]))
    const { segments: both } = await heard(
      stereo((sample) => sample),
      { channel: 'split', clips: [[0, 20]] },
    )
    expect(both.map(({ channel }) => channel)).toEqual([0, 1])
  })

  it('that are not there are refused with those that are', async () => {
    await expect(
      heard(
        stereo(() => 0),
        { channel: 2 },
      ),
    ).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      message: 'Expected an integer from 0 to 1 for channel but received 2',
    })
    await expect(
      heard(
        stereo(() => 0),
        { track: 1 },
      ),
    ).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' })
  })
})
