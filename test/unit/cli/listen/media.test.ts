import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { UsageError } from '../../../../lib/cli/failures.ts'
import {
  checkMedia,
  ffmpegArguments,
  lookAt,
  mediaOf,
  type Reading,
} from '../../../../lib/cli/listen/media.ts'

const argumentsFor = (named: string, reading: Partial<Reading> = {}) =>
  ffmpegArguments(mediaOf(named), { realtime: false, channel: 'mix', track: undefined, ...reading })
const protocolsOf = (named: string) => mediaOf(named).protocols

describe('a path', () => {
  it.each([
    'talk.wav',
    '-i.wav',
    '--help',
    'concat:a|b',
    'pipe:0',
    'data:audio',
    'a b;rm -rf $HOME.mp3',
    'http:x',
  ])('%j is a file, whatever it looks like', (path) => {
    expect(mediaOf(path)).toMatchObject({ url: `file:${resolve(path)}`, path, live: false })
    const args = argumentsFor(path)
    expect(args[args.indexOf('-i') + 1]).toBe(`file:${resolve(path)}`)
    expect(args.filter((arg) => arg.includes(path))).toHaveLength(1)
  })

  it('may be an address of this machine', () => {
    const path = resolve('a b.wav')
    expect(mediaOf(pathToFileURL(path).href)).toMatchObject({ url: `file:${path}`, path })
    expect(() => mediaOf('file://elsewhere/a.wav')).toThrow(UsageError)
  })

  it('leads nowhere else', () => {
    expect(protocolsOf('list.m3u8')).toEqual(['file', 'crypto'])
  })

  it('is looked at before a model is loaded', async () => {
    await checkMedia(mediaOf(import.meta.filename))
    await checkMedia(mediaOf('rtsp://camera/1'))
    await expect(checkMedia(mediaOf('none.wav'))).rejects.toThrow(
      "Cannot decode 'none.wav': there is no such file",
    )
  })
})

describe('an address', () => {
  it.each([
    'http://x.org/a.mp3',
    'HTTPS://x.org/a.m3u8',
    'rtsp://camera/1',
    'rtsps://camera/1',
    'rtmp://x.org/live',
    'rtmps://x.org/live',
    'rtp://239.0.0.1:5004',
    'udp://@239.0.0.1:5004',
    'tcp://127.0.0.1:9000',
    'tls://127.0.0.1:9000',
  ])('%s never leads to a file of this machine', (url) => {
    expect(mediaOf(url)).toMatchObject({ url, path: null })
    for (const local of ['file', 'pipe', 'concat', 'subfile', 'data', 'unix', 'fd', 'cache'])
      expect(protocolsOf(url)).not.toContain(local)
    expect(argumentsFor(url)).toContain(protocolsOf(url).join(','))
  })

  it('is shown without its password', () => {
    expect(mediaOf('rtsp://user:secret@camera/1')).toMatchObject({
      url: 'rtsp://user:secret@camera/1',
      name: 'rtsp://camera/1',
    })
    expect(() => mediaOf('ssh://user:secret@host/x')).toThrow(/but received ssh:\/\/host\/x/)
  })

  it.each(['ftp://x.org/a', 'concat://a', 'hls+http://x.org/a', 'constructor://x'])(
    '%s is not supported',
    (url) => {
      expect(() => mediaOf(url)).toThrow(UsageError)
    },
  )

  it('near a known one is answered with that', () => {
    expect(() => mediaOf('htps://x.org/a')).toThrow('did you mean https?')
  })
})

describe('ffmpeg', () => {
  it('writes 16 kHz and the times of packets', () => {
    const output = ['-map', '0:a:0', '-ac', '2', '-ar', '16000', '-c:a', 'pcm_s16le', '-flush_packets', '1']
    expect(argumentsFor('talk.mkv')).toEqual([
      ...['-nostdin', '-hide_banner', '-loglevel', 'error', '-protocol_whitelist', 'file,crypto'],
      ...['-i', `file:${resolve('talk.mkv')}`],
      ...[...output, '-f', 's16le', 'pipe:1'],
      ...[...output, '-f', 'framecrc', 'pipe:3'],
    ])
  })

  it('reads as fast as a recording plays, when it is asked to', () => {
    const args = argumentsFor('talk.mkv', { realtime: true })
    expect(args.indexOf('-re')).toBe(args.indexOf('-i') - 1)
  })

  it('takes the track and the channel that are wanted', () => {
    const args = argumentsFor('rtsp://camera/1', { track: 2, channel: 1 })
    expect(args.filter((_, i) => args[i - 1] === '-map')).toEqual(['0:a:2', '0:a:2'])
    expect(args.filter((_, i) => args[i - 1] === '-af')).toEqual(
      Array(2).fill('channelmap=map=1|1:channel_layout=stereo'),
    )
  })

  it('cannot tell the languages of what is read once', async () => {
    const { signal } = new AbortController()
    await expect(lookAt(mediaOf('rtsp://camera/1'), 'de', signal)).rejects.toThrow(
      'Expected the number of an audio track for --track but received "de"',
    )
    await expect(lookAt(mediaOf('rtsp://camera/1'), 1, signal)).resolves.toMatchObject({ track: undefined })
  })

  it('gives a silent web server up', () => {
    expect(argumentsFor('https://x.org/a.m3u8')).toContain('-rw_timeout')
    expect(argumentsFor('talk.mkv')).not.toContain('-rw_timeout')
  })
})
