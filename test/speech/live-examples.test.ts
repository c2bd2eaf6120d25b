import { type ChildProcessWithoutNullStreams, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import type { StreamEvent } from '../../lib/index.ts'
import { obtainModel } from '../../lib/model/download/index.ts'
import { fakePath } from '../fixtures/fake-path.ts'
import { convert, scratchFolder } from '../fixtures/material.ts'
import { packageRoot, runNode, speech } from '../fixtures/snippets.ts'

let folder: Awaited<ReturnType<typeof scratchFolder>>
/** One sentence. */
let sentence: string
const words = /ask what you can do for your country/i

beforeAll(async () => {
  // The examples look for it in the cache.
  await obtainModel('base')
  folder = await scratchFolder()
  sentence = await convert(speech, join(folder.path, 'sentence.wav'), '-ss', '7.6')
})
afterAll(() => folder[Symbol.asyncDispose]())

/** An example that runs. */
class Example {
  stdout = ''
  stderr = ''
  readonly #child: ChildProcessWithoutNullStreams
  readonly #closed: Promise<unknown>

  constructor(name: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.#child = spawn(process.execPath, [join(packageRoot, 'examples', name), ...args], {
      env: { ...process.env, ...env },
    })
    this.#closed = once(this.#child, 'close')
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
    })
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
    })
  }

  /** Waits until something has been printed. */
  async printed(pattern: RegExp): Promise<string> {
    while (!pattern.test(this.stdout)) {
      if (this.#child.exitCode !== null) throw new Error(`It has ended: ${this.stderr}`)
      await Promise.race([once(this.#child.stdout, 'data'), this.#closed])
    }
    return pattern.exec(this.stdout)?.[0] ?? ''
  }

  async end(signal?: NodeJS.Signals): Promise<number | null> {
    if (signal !== undefined) this.#child.kill(signal)
    await this.#closed
    return this.#child.exitCode
  }
}

const running: Example[] = []
afterEach(async () => {
  for (const example of running.splice(0)) await example.end('SIGKILL')
})

function run(...args: ConstructorParameters<typeof Example>): Example {
  const example = new Example(...args)
  running.push(example)
  return example
}

/** Events of the server until it closes. */
async function conversation(
  socket: WebSocket,
): Promise<{ events: StreamEvent[]; code: number; reason: string }> {
  const events: StreamEvent[] = []
  socket.on('message', (data) => events.push(JSON.parse(String(data))))
  const [code, reason] = await once(socket, 'close')
  return { events, code, reason: String(reason) }
}

describe('live-microphone.mjs', () => {
  it('prints what is said until Ctrl-C', async () => {
    const example = run('live-microphone.mjs', [], {
      PATH: fakePath(folder.path, ['arecord']),
      FAKE_SOUND: sentence,
    })
    await example.printed(/country.*\n/i)
    expect(await example.end('SIGINT')).toBe(0)
    expect(example.stderr).not.toMatch(/error/i)
    expect(example.stdout).toMatch(words)
    expect(example.stdout).not.toContain('\r')
  })

  it('fails with the recorder', async () => {
    const PATH = fakePath(folder.path, ['sox'])
    const example = run('live-microphone.mjs', [], { PATH, FAKE_FAULT: 'no such device' })
    expect(await example.end()).toBe(1)
    expect(example.stderr).toContain('no such device\nThe recorder ended with exit code 1\n')
  })

  it('names what can be installed', async () => {
    const example = run('live-microphone.mjs', [], { PATH: fakePath(folder.path, []) })
    expect(await example.end()).toBe(1)
    expect(example.stderr).toContain('None of these programs is installed: parec, arecord, pw-record, sox')
  })
})

describe('live-url.mjs', () => {
  it('prints what is said in an HLS stream', async () => {
    await convert(
      sentence,
      join(folder.path, 'list.m3u8'),
      '-c:a',
      'aac',
      '-hls_time',
      '1',
      '-hls_list_size',
      '0',
    )
    const server = createServer(async (request, response) => {
      response.end(await readFile(join(folder.path, `${request.url}`)))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    try {
      const example = run('live-url.mjs', [`http://127.0.0.1:${port}/list.m3u8`])
      expect(await example.end()).toBe(0)
      expect(example.stdout).toMatch(words)
      expect(example.stdout).toMatch(/^( +\d+\.\d s {2}.+\n)+$/)

      const mp3 = join(packageRoot, 'vendor/whisper.cpp/samples/jfk.mp3')
      const thief = `#EXTM3U\n#EXT-X-TARGETDURATION:11\n#EXTINF:11,\nfile://${mp3}\n#EXT-X-ENDLIST\n`
      await writeFile(join(folder.path, 'thief.m3u8'), thief)
      const robbed = run('live-url.mjs', [`http://127.0.0.1:${port}/thief.m3u8`])
      expect(await robbed.end()).toBe(1)
      expect(robbed.stderr).toContain("Protocol 'file' not on whitelist")
    } finally {
      server.close()
    }
  })

  it('fails with ffmpeg', async () => {
    const example = run('live-url.mjs', ['http://127.0.0.1:9/none.m3u8'])
    expect(await example.end()).toBe(1)
    expect(example.stderr).toContain('Connection refused')
  })

  it.each([[], ['speech.wav'], ['file:///etc/passwd']])('explains its use: %s', async (...args) => {
    const path = join(packageRoot, 'examples/live-url.mjs')
    const { code, stdout, stderr } = await runNode([path, ...args], packageRoot)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain('Usage: node examples/live-url.mjs URL')
  })
})

describe('live-websocket.mjs', () => {
  it('answers samples with events', async () => {
    const raw = await convert(sentence, join(folder.path, 'speech.raw'), '-f', 'f32le', '-ar', '48000')
    const samples = await readFile(raw)
    const example = run('live-websocket.mjs', ['base', '0'])
    const address = await example.printed(/http:\S+/)

    const page = await fetch(address)
    expect(page.headers.get('content-type')).toBe('text/html')
    const script = join(folder.path, 'page.mjs')
    await writeFile(script, /<script type="module">(.*)<\/script>/s.exec(await page.text())?.[1] ?? '(')
    expect(await runNode(['--check', script], folder.path)).toMatchObject({ code: 0, stderr: '' })

    const socket = new WebSocket(`${address.replace('http', 'ws')}/?rate=48000`)
    const talk = conversation(socket)
    await once(socket, 'open')
    for (let at = 0; at < samples.length; at += 50_000) socket.send(samples.subarray(at, at + 50_000))
    socket.send('end')
    const { events, code } = await talk
    expect(code).toBe(1005)
    const finals = events.flatMap((event) => (event.type === 'final' ? event.text : []))
    expect(finals.join(' ')).toMatch(words)

    // It goes on when clients leave without a word, or send nonsense.
    const leaving = new WebSocket(address.replace('http', 'ws'))
    await once(leaving, 'open')
    leaving.send(samples.subarray(0, 1000))
    leaving.terminate()
    const wrong = new WebSocket(`${address.replace('http', 'ws')}/?rate=fast`)
    expect(await conversation(wrong)).toMatchObject({
      code: 1011,
      reason: expect.stringContaining('sampleRate'),
    })
    const tooMuch = new WebSocket(address.replace('http', 'ws'))
    await once(tooMuch, 'open')
    tooMuch.send(Buffer.alloc(2 << 20))
    expect((await conversation(tooMuch)).code).toBe(1009)
    expect((await fetch(address)).status).toBe(200)
  })
})

describe('live-phone-call.mjs', () => {
  it('prints what both sides say', async () => {
    const raw = await convert(sentence, join(folder.path, 'call.raw'), '-f', 'mulaw', '-ar', '8000')
    const samples = await readFile(raw)
    const example = run('live-phone-call.mjs', ['base', '0'])
    const address = await example.printed(/ws:\S+/)

    const socket = new WebSocket(address)
    await once(socket, 'open')
    const send = (message: object) => socket.send(JSON.stringify(message))
    send({ event: 'connected', protocol: 'Call', version: '1.0.0' })
    send({
      event: 'start',
      sequenceNumber: '1',
      start: {
        callSid: 'CA1',
        tracks: ['inbound'],
        mediaFormat: { encoding: 'audio/x-mulaw', sampleRate: 8000, channels: 1 },
      },
      streamSid: 'MZ1',
    })
    // 20 ms each, as on the telephone.
    for (let at = 0; at < samples.length; at += 160) {
      const payload = samples.subarray(at, at + 160).toString('base64')
      send({
        event: 'media',
        media: { track: 'inbound', chunk: '1', timestamp: '1', payload },
        streamSid: 'MZ1',
      })
    }
    send({
      event: 'media',
      media: { track: 'outbound', payload: Buffer.alloc(8000, 0xff).toString('base64') },
    })
    send({ event: 'stop', stop: { callSid: 'CA1' }, streamSid: 'MZ1' })
    send({ event: 'media', media: { track: 'inbound', payload: '/////w==' } })
    await example.printed(/your country\W*\n$/i)
    expect(example.stdout).toMatch(words)
    expect(example.stdout).not.toContain('outbound')
    expect(example.stdout).toMatch(/^CA1 \d+\.\d s inbound: .+$/m)

    // It goes on after nonsense.
    for (const nonsense of ['{', 'null', '{"event":"media"}']) {
      const other = new WebSocket(address)
      await once(other, 'open')
      other.send(nonsense)
      expect((await conversation(other)).code).toBe(1007)
    }
    expect(example.stderr).not.toContain('    at ')
  })
})

it('the mu-law table is that of ffmpeg', async () => {
  const { stdout } = await promisify(execFile)(
    'sh',
    [
      '-c',
      'i=0; while [ $i -lt 256 ]; do printf "\\\\$(printf %o $i)"; i=$((i+1)); done | ffmpeg -v error -f mulaw -ar 8000 -i - -f s16le -',
    ],
    { encoding: 'buffer', cwd: folder.path },
  )
  const source = await readFile(join(packageRoot, 'examples/live-phone-call.mjs'), 'utf8')
  const table = /const muLaw = (Int16Array\.from\(.*?\n\}\))/s.exec(source)?.[1] ?? ''
  const muLaw = new Function(`return ${table}`)() as Int16Array
  expect([...muLaw]).toEqual([...new Int16Array(stdout.buffer, stdout.byteOffset, 256)])
})
