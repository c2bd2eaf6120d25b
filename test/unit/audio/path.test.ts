import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, open, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeSystemError } from '../../../lib/audio/failures.ts'
import { prepareAudio } from '../../../lib/audio/sources.ts'
import { FakeByteStore } from './fake-byte-store.ts'

const native = { ByteStore: FakeByteStore }
const never = new AbortController().signal
const prepare = (input: string | URL) => prepareAudio(input, native, never)

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'whisper-hip-test-'))
})
afterAll(() => rm(folder, { recursive: true }))

const flac = Buffer.from('fLaC\0\0\0\x22')

async function put(name: string, content: Uint8Array | string): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, content)
  return path
}

async function problem(
  input: string | URL,
): Promise<{ code: string; message: string; advice: readonly string[] }> {
  return prepare(input).then(
    () => expect.unreachable(),
    (error) => error,
  )
}

describe('a path', () => {
  it('goes to the addon where that decodes', async () => {
    const path = await put('a b ü.flac', flac)
    const answer = { source: { kind: 'file', path }, decodeSeconds: 0 }
    expect(await prepare(path)).toMatchObject(answer)
    expect(await prepare(relative(process.cwd(), path))).toMatchObject(answer)
    expect(await prepare(pathToFileURL(path))).toMatchObject(answer)
  })

  it('is told by its first bytes, not by its name', async () => {
    const path = await put('really-flac.txt', flac)
    expect((await prepare(path)).source).toEqual({ kind: 'file', path })
  })

  it('is looked at behind its ID3 tag, however long that is', async () => {
    const tag = Buffer.alloc(10 + 200_000)
    tag.write('ID3\x04', 'latin1')
    tag.set([200_000 >> 14, (200_000 >> 7) & 127, 200_000 & 127], 7)
    const list = await put('tagged.mp3', Buffer.concat([tag, Buffer.from('#EXTM3U\n#EXT-X-VERSION:3\n')]))
    expect((await problem(list)).message).toContain('a text file that begins with "#EXTM3U')
    const music = await put('music.mp3', Buffer.concat([tag, Buffer.from([0xff, 0xfb, 0x90, 0])]))
    expect((await prepare(music)).source.kind).toBe('file')
  })

  it.each<[string, () => string | Promise<string>, string]>([
    ['a missing file', () => join(folder, 'missing.wav'), 'there is no such file'],
    ['a missing folder', () => join(folder, 'no/such/x.wav'), 'there is no such file'],
    ['an empty file', () => put('empty.wav', ''), 'it is empty'],
    ['a folder', () => folder, 'it is a directory'],
    [
      'a text file',
      () => put('notes.wav', 'Dear diary, today I'),
      'it is a text file that begins with "Dear diary',
    ],
    ['an HTML page', () => put('error.mp3', '<!DOCTYPE html><html></html>'), 'it is an HTML page'],
    ['a device', () => '/dev/zero', 'it is a device'],
    ['a path through a file', async () => `${await put('plain', flac)}/x.wav`, 'not a folder'],
    ['a name that is too long', () => join(folder, 'x'.repeat(300)), 'too long'],
  ])('to %s is ERR_AUDIO_DECODE', async (_, make, found) => {
    const path = await make()
    const error = await problem(path)
    expect(error.code).toBe('ERR_AUDIO_DECODE')
    expect(error.message).toContain(found)
    expect(error.message).toContain(path)
  })

  it('to a circle of links or a socket is refused without waiting', async () => {
    await mkdir(join(folder, 'odd'))
    const loop = join(folder, 'odd/loop')
    await symlink(loop, loop)
    expect((await problem(loop)).message).toContain('form a loop')

    const server = createServer().listen(join(folder, 'odd/socket'))
    await new Promise((resolve) => server.once('listening', resolve))
    expect((await problem(join(folder, 'odd/socket'))).message).toContain('a socket')
    server.close()
  })

  it('to a named pipe is read to its end, whoever is there first', async () => {
    const pipe = join(folder, 'a pipe')
    execFileSync('mkfifo', [pipe])
    const preparing = prepare(pipe)
    await new Promise((resolve) => setTimeout(resolve, 100))
    await writeFile(pipe, Buffer.concat([flac, Buffer.alloc(200_000, 1)]))
    const { source } = await preparing
    expect(source.kind).toBe('bytes')
    expect((source as unknown as { store: FakeByteStore }).store.byteLength).toBe(200_008)
  })

  it('to a named pipe that nobody writes to does not hold up an abort', async () => {
    const pipe = join(folder, 'a silent pipe')
    execFileSync('mkfifo', [pipe])
    const controller = new AbortController()
    const preparing = prepareAudio(pipe, native, controller.signal)
    setTimeout(() => controller.abort(new Error('stop')), 50)
    await expect(preparing).rejects.toThrow('stop')
  })

  it('to a descriptor is read like a pipe', async () => {
    const file = await open(await put('by descriptor.flac', flac))
    try {
      for (const path of [
        `/dev/fd/${file.fd}`,
        `/proc/self/fd/${file.fd}`,
        `/proc/${process.pid}/fd/${file.fd}`,
      ]) {
        const { source } = await prepare(path)
        expect((source as unknown as { store: FakeByteStore }).store.bytes()).toEqual(new Uint8Array(flac))
      }
    } finally {
      await file.close()
    }
  })

  it('that may not be read says so', () => {
    expect(describeSystemError(Object.assign(new Error('EACCES: …'), { code: 'EACCES' }))).toBe(
      'permission denied',
    )
  })

  it('that is a URL gets advice', async () => {
    const advice = ['Pass the stream of a download: (await fetch(url)).body']
    expect(await problem('https://example.org/a.mp3')).toMatchObject({ code: 'ERR_AUDIO_DECODE', advice })
    expect(await problem(new URL('https://example.org/a.mp3'))).toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      advice,
    })
    expect((await problem('file:///a.mp3')).advice[0]).toContain('new URL(')
    expect((await problem(new URL('file://host/a.mp3'))).code).toBe('ERR_INVALID_ARGUMENT')
    expect((await problem(new URL('data:audio/wav,x'))).code).toBe('ERR_INVALID_ARGUMENT')
  })

  it.each(['', 'a\0b.wav', new URL('file:///a%00b.wav')])(
    'that cannot be one is refused: %s',
    async (path) => {
      expect((await problem(path)).code).toBe('ERR_INVALID_ARGUMENT')
    },
  )
})
