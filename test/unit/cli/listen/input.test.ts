import { describe, expect, it } from 'vitest'
import { UsageError } from '../../../../lib/cli/failures.ts'
import { chooseInput, type InputFlags, type Stdin, sampleFormat } from '../../../../lib/cli/listen/input.ts'

const terminal: Stdin = { isTTY: true, isPiped: false }
const pipe: Stdin = { isPiped: true }
/** As under cron and systemd. */
const nothing: Stdin = { isPiped: false }

describe('the input is', () => {
  it.each<[string | undefined, InputFlags, Stdin, object]>([
    [undefined, {}, pipe, { kind: 'stdin' }],
    ['-', {}, nothing, { kind: 'stdin' }],
    [undefined, {}, terminal, { kind: 'microphone' }],
    [undefined, {}, nothing, { kind: 'microphone' }],
    [undefined, { source: 'parec' }, pipe, { kind: 'microphone', program: 'parec' }],
    [undefined, { microphone: 'plughw:1' }, pipe, { kind: 'microphone', device: 'plughw:1' }],
    ['talk.mkv', {}, pipe, { kind: 'media', realtime: false, media: { path: 'talk.mkv' } }],
    ['talk.mkv', { realtime: true }, terminal, { kind: 'media', realtime: true }],
    ['https://x.org/a.m3u8', {}, terminal, { kind: 'media', media: { path: null, live: false } }],
    ['rtsp://camera/1', {}, terminal, { kind: 'media', media: { path: null, live: true } }],
  ])('%j with %j and standard input %j: %j', (named, flags, stdin, expected) => {
    expect(chooseInput(named, flags, stdin)).toMatchObject(expected)
  })

  it.each<[string | undefined, InputFlags, Stdin, string]>([
    ['-', {}, terminal, 'Standard input (-) is a terminal'],
    [
      undefined,
      { source: 'arecrod' },
      terminal,
      'for --source but received "arecrod"; did you mean arecord?',
    ],
    ['-', { source: 'parec' }, pipe, '--source is for a microphone, which this is not'],
    ['a.wav', { microphone: 'x' }, terminal, '--microphone is for a microphone'],
    ['a.wav', { rate: '8000' }, terminal, '--rate is for raw samples and microphones'],
    ['a.wav', { format: 'f32le' }, terminal, '--format is for raw samples on standard input'],
    [undefined, { format: 'f32le' }, terminal, '--format is for raw samples on standard input'],
    ['-', { track: 1 }, pipe, '--track is for recordings and addresses, which this is not'],
    [undefined, { track: 'de' }, terminal, '--track is for recordings and addresses'],
    [undefined, { realtime: true }, pipe, '--realtime is for recordings'],
    ['rtsp://camera/1', { realtime: true }, terminal, '--realtime is for recordings'],
    ['ftp://x.org/a.wav', {}, terminal, 'Expected a path or an address of http, https, rtsp'],
  ])('%j with %j and standard input %j is wrong usage', (named, flags, stdin, message) => {
    expect(() => chooseInput(named, flags, stdin)).toThrow(UsageError)
    expect(() => chooseInput(named, flags, stdin)).toThrow(message)
  })
})

it('samples are what was said, but of ffmpeg what it was told to write', () => {
  const options = { sampleRate: 8000, channels: 2, format: 'f32le' } as const
  expect(sampleFormat({ kind: 'stdin' }, options)).toEqual(options)
  const media = chooseInput('a.wav', {}, nothing)
  const expected = { sampleRate: 16_000, channels: 1, format: 's16le' }
  expect(sampleFormat(media, {})).toEqual({ ...expected, channels: 2 })
  expect(sampleFormat({ kind: 'stdin' }, {})).toEqual(expected)
})
