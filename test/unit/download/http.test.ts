import { readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { downloadFile, type FileRequest } from '../../../lib/model/download/http.ts'
import type { Settings } from '../../../lib/model/download/settings.ts'
import {
  dropAt,
  type Handler,
  makeBody,
  quick,
  sendBeginning,
  sendFile,
  serve,
  sha256,
  temporaryFolder,
} from './server.ts'

const body = makeBody(20_000)

/** Downloads from a server with this handler into a fresh folder. */
async function setUp(handler: Handler) {
  const server = await serve(handler)
  const folder = await temporaryFolder()
  const path = join(folder, 'model.bin')
  const run = (more: Partial<FileRequest> = {}, settings: Partial<Settings> = {}) => {
    const onProgress: FileRequest['onProgress'] = (received, total) => {
      more.onProgress?.(received, total)
      dropAt(received)
    }
    return downloadFile({ url: server.url(), path, ...more, onProgress }, { ...quick, ...settings })
  }
  return { server, folder, path, run }
}

const failsWith = (message: string | RegExp) =>
  expect.objectContaining({ code: 'ERR_DOWNLOAD', message: expect.stringMatching(message) })

describe('a transfer that goes well', () => {
  it('puts the checked file in place and leaves nothing else', async () => {
    const { folder, path, run } = await setUp((request, response) => sendFile(request, response, body))
    const seen: [number, number | null][] = []
    const result = await run({
      bytes: body.length,
      sha256: sha256(body),
      onProgress: (received, total) => seen.push([received, total]),
    })
    expect(result).toEqual({ bytes: body.length, sha256: sha256(body) })
    expect(sha256(await readFile(path))).toBe(sha256(body))
    expect(await readdir(folder)).toEqual(['model.bin'])
    expect(seen.at(-1)).toEqual([body.length, body.length])
  })

  it('works without Content-Length, and reports an unknown total as null', async () => {
    const { path, run } = await setUp((_request, response) => {
      response.write(body.subarray(0, 9_000))
      setTimeout(() => response.end(body.subarray(9_000)), 30)
    })
    const totals = new Set<number | null>()
    await run({ onProgress: (received, total) => received < body.length && totals.add(total) })
    expect(sha256(await readFile(path))).toBe(sha256(body))
    expect([...totals]).toEqual([null])
  })

  it('passes an exception of the progress callback on', async () => {
    const { run } = await setUp((request, response) => sendFile(request, response, body))
    const mine = new Error('mine')
    await expect(
      run({
        onProgress: () => {
          throw mine
        },
      }),
    ).rejects.toBe(mine)
  })
})

describe('a connection that drops', () => {
  it('is continued where it stopped, as often as it brings something', async () => {
    const { server, path, run } = await setUp((request, response) =>
      sendFile(request, response, body, { cut: 2_500 }),
    )
    await run({ sha256: sha256(body) })
    expect(sha256(await readFile(path))).toBe(sha256(body))
    expect(server.requests.length).toBe(8)
    const [first, second] = server.requests
    expect(first?.headers.range).toBeUndefined()
    expect(second?.headers).toMatchObject({ range: 'bytes=2500-', 'if-range': '"v1"' })
  })

  it('is continued by a later call', async () => {
    const { server, path, run } = await setUp((request, response, index) =>
      sendFile(request, response, body, index < 2 ? { cut: 5_000 } : {}),
    )
    await expect(run({}, { attempts: 1 })).rejects.toEqual(failsWith(/dropped, after 5\.0 kB/))
    await expect(run({}, { attempts: 1 })).rejects.toEqual(failsWith(/dropped, after 10\.0 kB/))
    await run({ sha256: sha256(body) })
    expect(server.requests.map((request) => request.headers.range)).toEqual([
      undefined,
      'bytes=5000-',
      'bytes=10000-',
    ])
    expect(sha256(await readFile(path))).toBe(sha256(body))
  })

  it('starts over when the server ignores ranges', async () => {
    const { path, run } = await setUp((_request, response, index) => {
      response.setHeader('etag', '"v1"')
      response.setHeader('content-length', body.length)
      if (index === 0) sendBeginning(response, body.subarray(0, 7_000))
      else response.end(body)
    })
    await run({ sha256: sha256(body) })
    expect(sha256(await readFile(path))).toBe(sha256(body))
  })

  it.each([
    ['weak', { etag: 'W/"v1"' }],
    ['missing', {}],
  ])('asks for the whole file again when the entity tag is %s', async (_name, headers) => {
    const { server, path, run } = await setUp((_request, response, index) => {
      response.writeHead(200, { ...headers, 'content-length': body.length })
      if (index === 0) sendBeginning(response, body.subarray(0, 7_000))
      else response.end(body)
    })
    await run()
    expect(server.requests[1]?.headers.range).toBeUndefined()
    expect(sha256(await readFile(path))).toBe(sha256(body))
  })

  it('is given up after some attempts without progress, naming how far it got', async () => {
    const { server, run } = await setUp((_request, response) => {
      response.setHeader('content-length', body.length)
      sendBeginning(response, body.subarray(0, 500))
    })
    await expect(run({ bytes: body.length })).rejects.toEqual(
      failsWith(/dropped, after 500 bytes of 20\.0 kB \(5 attempts\)/),
    )
    expect(server.requests.length).toBe(5)
  })
})

describe('a file that changes between two attempts', () => {
  const changed = makeBody(15_000, 7)

  it('is fetched anew when the server says so', async () => {
    const { path, run } = await setUp((request, response, index) =>
      index === 0
        ? sendFile(request, response, body, { cut: 5_000 })
        : sendFile(request, response, changed, { etag: '"v2"' }),
    )
    await run()
    expect(sha256(await readFile(path))).toBe(sha256(changed))
  })

  it('is never spliced, even when the server ignores If-Range', async () => {
    const { path, run } = await setUp((request, response, index) => {
      if (index === 0) return sendFile(request, response, body, { cut: 5_000 })
      if (request.headers.range === undefined) return sendFile(request, response, changed, { etag: '"v2"' })
      response.writeHead(206, { etag: '"v2"', 'content-range': `bytes 5000-14999/15000` })
      response.end(changed.subarray(5_000))
    })
    await run()
    expect(sha256(await readFile(path))).toBe(sha256(changed))
  })

  it('is fetched anew on 416', async () => {
    const short = changed.subarray(0, 3_000)
    const { path, run } = await setUp((request, response, index) => {
      if (index === 0) return sendFile(request, response, body, { cut: 5_000 })
      if (request.headers.range !== undefined) return response.writeHead(416).end()
      sendFile(request, response, short, { etag: '"v2"' })
    })
    await run()
    expect(sha256(await readFile(path))).toBe(sha256(short))
  })

  it('starts over when the server continues at another place', async () => {
    const { path, run } = await setUp((request, response, index) => {
      if (index === 0) return sendFile(request, response, body, { cut: 5_000 })
      if (request.headers.range === undefined) return sendFile(request, response, body)
      response.writeHead(206, { etag: '"v1"', 'content-range': `bytes 4000-19999/20000` })
      response.end(body.subarray(4_000))
    })
    await run()
    expect(sha256(await readFile(path))).toBe(sha256(body))
  })
})

describe('what is not the model', () => {
  it('is refused when the digest differs, at once, and does not stay on the disk', async () => {
    const { server, folder, run } = await setUp((request, response) => sendFile(request, response, body))
    const wanted = sha256(makeBody(20_000, 2))
    await expect(run({ sha256: wanted })).rejects.toEqual(failsWith(`${sha256(body)}.*${wanted}`))
    expect(server.requests.length).toBe(1)
    expect(await readdir(folder)).toEqual([])
  })

  it('is fetched once more when the damage was in what lay on the disk', async () => {
    const { path, run } = await setUp((request, response, index) =>
      sendFile(request, response, body, index === 0 ? { cut: 5_000 } : {}),
    )
    await expect(run({}, { attempts: 1 })).rejects.toThrow()
    await writeFile(`${path}.partial`, Buffer.alloc(5_000))
    await run({ sha256: sha256(body) })
    expect(sha256(await readFile(path))).toBe(sha256(body))
  })

  it('is refused when its announced size differs, before anything is written', async () => {
    const { server, folder, run } = await setUp((request, response) => sendFile(request, response, body))
    await expect(run({ bytes: 19_999 })).rejects.toEqual(
      failsWith('has 20000 bytes where the model has 19999'),
    )
    expect(server.requests.length).toBe(1)
    expect(await readdir(folder)).toEqual([])
  })

  it('is refused when it ends early without saying how long it is', async () => {
    const { run } = await setUp((_request, response) => {
      response.write(body.subarray(0, 800))
      response.end()
    })
    await expect(run({ bytes: body.length })).rejects.toEqual(
      failsWith(/ended too early, after 800 bytes of 20\.0 kB/),
    )
  })

  it('is refused when it does not end in time', async () => {
    const { run } = await setUp((_request, response) => {
      response.write(body)
      response.end('more')
    })
    await expect(run({ bytes: body.length })).rejects.toEqual(failsWith('sent more than the 20000 bytes'))
  })

  it.each([
    ['an HTML page by type', 'text/html; charset=utf-8', 'anything', 'HTML page'],
    ['an HTML page by content', 'application/octet-stream', '\n <!DOCTYPE HTML><p>log in', 'HTML page'],
    [
      'a Git LFS pointer',
      'application/octet-stream',
      'version https://git-lfs.github.com/spec/v1',
      'Git LFS pointer',
    ],
    ['an empty file', 'application/octet-stream', '', 'is empty'],
  ])('is refused when it is %s', async (_name, type, content, message) => {
    const { server, run } = await setUp((_request, response) => {
      response.writeHead(200, { 'content-type': type }).end(content)
    })
    await expect(run()).rejects.toEqual(failsWith(message))
    expect(server.requests.length).toBe(1)
  })

  it.each([
    ['a part that was not asked for', 206, 'a part that was not asked for'],
    ['416 to a request without a range', 416, '416'],
    ['404', 404, '404 Not Found'],
    ['204', 204, '204 No Content'],
  ])('is refused when the server answers %s', async (_name, status, message) => {
    const { server, run } = await setUp((_request, response) => response.writeHead(status).end())
    await expect(run()).rejects.toEqual(failsWith(message))
    expect(server.requests.length).toBe(1)
  })

  it.each([401, 403])('is refused with advice about the token on %i', async (status) => {
    const { run } = await setUp((_request, response) => response.writeHead(status).end())
    await expect(run()).rejects.toMatchObject({
      code: 'ERR_DOWNLOAD',
      advice: [expect.stringContaining('HF_TOKEN')],
    })
  })
})

describe('a server in trouble', () => {
  it.each([500, 503, 429])('is asked again after %i', async (status) => {
    const { path, run } = await setUp((request, response, index) =>
      index < 2 ? response.writeHead(status).end('sorry') : sendFile(request, response, body),
    )
    await run()
    expect(sha256(await readFile(path))).toBe(sha256(body))
  })

  it('is given up when it stays in trouble', async () => {
    const { server, run } = await setUp((_request, response) => response.writeHead(500).end())
    await expect(run()).rejects.toEqual(failsWith(/500 Internal Server Error \(5 attempts\)/))
    expect(server.requests.length).toBe(5)
  })

  it('waits as long as Retry-After demands', async () => {
    const { run } = await setUp((request, response, index) =>
      index === 0
        ? response.writeHead(503, { 'retry-after': '0.3' }).end()
        : sendFile(request, response, body),
    )
    const start = performance.now()
    await run()
    expect(performance.now() - start).toBeGreaterThan(290)
  })
})

describe('silence', () => {
  it('in the middle of the body ends the attempt, and the next one continues', async () => {
    const { server, path, run } = await setUp((request, response, index) => {
      if (index > 0) return sendFile(request, response, body)
      response.writeHead(200, { etag: '"v1"', 'content-length': body.length })
      response.write(body.subarray(0, 6_000))
    })
    await run({ sha256: sha256(body) }, { stallMs: 400 })
    expect(server.requests[1]?.headers.range).toBe('bytes=6000-')
    expect(sha256(await readFile(path))).toBe(sha256(body))
  })

  it('does not end a slow transfer that keeps moving', async () => {
    const { path, run } = await setUp(async (_request, response) => {
      response.setHeader('content-length', 1_000)
      for (let offset = 0; offset < 1_000; offset += 100) {
        response.write(body.subarray(offset, offset + 100))
        await new Promise((resolve) => setTimeout(resolve, 70))
      }
      response.end()
    })
    await run({}, { stallMs: 500 })
    expect(sha256(await readFile(path))).toBe(sha256(body.subarray(0, 1_000)))
  })

  it('instead of an answer is not waited for twice', async () => {
    const { server, run } = await setUp(() => undefined)
    await expect(run({}, { stallMs: 100 })).rejects.toEqual(failsWith('sent nothing for 0.1 s'))
    expect(server.requests.length).toBe(1)
  })
})

describe('redirects', () => {
  it.each([
    ['relative', () => 'b.bin'],
    ['absolute', (base: URL) => new URL('/a/b.bin', base).href],
    ['without scheme', (base: URL) => `//${base.host}/a/b.bin`],
  ])('%s ones are followed', async (_name, target) => {
    const { server, path, run } = await setUp((request, response) => {
      if (request.url === '/a/b.bin') return sendFile(request, response, body)
      response.writeHead(302, { location: target(server.url('/')) }).end()
    })
    await run({ url: server.url('/a/x') })
    expect(sha256(await readFile(path))).toBe(sha256(body))
  })

  it('in a loop end after ten', async () => {
    const { server, run } = await setUp((_request, response) =>
      response.writeHead(307, { location: '/again' }).end(),
    )
    await expect(run()).rejects.toEqual(failsWith('redirects more than 10 times'))
    expect(server.requests.length).toBe(11)
  })

  it('keep the token for the first origin', async () => {
    const other = await serve((request, response) => sendFile(request, response, body))
    const { server, run } = await setUp((request, response) =>
      response.writeHead(302, { location: request.url === '/2' ? other.url('/cdn').href : '/2' }).end(),
    )
    await run({ token: 'secret' })
    expect(server.requests.map((request) => request.headers.authorization)).toEqual([
      'Bearer secret',
      'Bearer secret',
    ])
    expect(other.requests[0]?.headers.authorization).toBeUndefined()
  })

  it.each([
    ['http://127.0.0.1/x', /from https to the unencrypted http:\/\/127\.0\.0\.1\/x/],
    ['file:///etc/passwd', /not an http or https address/],
    ['http://[', /not an http or https address/],
  ])('from https to %s are refused', async (location, message) => {
    const spy = vi.spyOn(globalThis, 'fetch')
    spy.mockImplementation(async () => new Response(null, { status: 302, headers: { location } }))
    try {
      const path = join(await temporaryFolder(), 'model.bin')
      const request = { url: new URL('https://models.example/x'), path }
      await expect(downloadFile(request, quick)).rejects.toEqual(failsWith(message))
      expect(spy).toHaveBeenCalledTimes(1)
    } finally {
      spy.mockRestore()
    }
  })
})

describe('an unreachable server', () => {
  it('is not tried twice, and the message keeps the query to itself', async () => {
    const path = join(await temporaryFolder(), 'model.bin')
    const closed = await closedAddress()
    const start = performance.now()
    const error = await downloadFile({ url: closed, path }, { ...quick, retryDelayMs: 5_000 }).catch(
      (e: Error) => e,
    )
    expect(error).toEqual(
      failsWith(/could not connect to http:\/\/127\.0\.0\.1:\d+\/model\.bin: .*ECONNREFUSED/),
    )
    expect(String(error)).not.toContain('secret')
    expect(performance.now() - start).toBeLessThan(1_000)
  })

  it('is explained by the proxy variable that fetch ignores', async () => {
    const closed = await closedAddress()
    vi.stubEnv('HTTP_PROXY', 'http://user:password@proxy.example:8080')
    for (const name of ['NO_PROXY', 'no_proxy', 'NODE_USE_ENV_PROXY']) vi.stubEnv(name, '')
    const path = join(await temporaryFolder(), 'model.bin')
    const error = await downloadFile({ url: closed, path }, quick).catch((e: Error) => e)
    vi.unstubAllEnvs()
    expect(error).toEqual(failsWith('HTTP_PROXY is set, but Node .* does not send fetch through a proxy'))
    expect(String(error)).not.toContain('password')
  })
})

/** An address where nobody listens any more. */
async function closedAddress(): Promise<URL> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return new URL(`http://127.0.0.1:${port}/model.bin?key=secret`)
}

describe('aborting', () => {
  it('rejects with the reason and keeps what has arrived', async () => {
    const { folder, run } = await setUp((_request, response) => {
      response.writeHead(200, { etag: '"v1"', 'content-length': body.length })
      response.write(body.subarray(0, 4_000))
    })
    const controller = new AbortController()
    const reason = new Error('enough')
    const onProgress = () => controller.abort(reason)
    await expect(run({ signal: controller.signal, onProgress })).rejects.toBe(reason)
    expect((await readdir(folder)).sort()).toEqual(['model.bin.partial', 'model.bin.partial.json'])
  })

  it('ends the pause between two attempts', async () => {
    const { run } = await setUp((_request, response) => response.writeHead(500).end())
    const signal = AbortSignal.timeout(50)
    const start = performance.now()
    await expect(run({ signal }, { retryDelayMs: 8_000 })).rejects.toBe(await reasonOf(signal))
    expect(performance.now() - start).toBeLessThan(2_000)
  })
})

async function reasonOf(signal: AbortSignal): Promise<unknown> {
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve))
  return signal.reason as unknown
}

describe('a full disk', () => {
  it('is noticed before the first byte is written', async () => {
    const { folder, run } = await setUp((request, response) => sendFile(request, response, body))
    const statfs = async () => ({ blocks: 1_000, bavail: 10, bsize: 4_096 })
    await expect(run({}, { statfs })).rejects.toEqual(
      failsWith(/Not enough disk space in .*: 33\.6 MB needed, 41\.0 kB free/),
    )
    expect(await readdir(folder)).toEqual([])
  })

  it('is not assumed where the file system does not say how large it is', async () => {
    const { path, run } = await setUp((request, response) => sendFile(request, response, body))
    await run({}, { statfs: async () => ({ blocks: 0, bavail: 0, bsize: 4_096 }) })
    expect(sha256(await readFile(path))).toBe(sha256(body))
  })

  it('while writing is named, and what was written is removed', async () => {
    const { folder, path, run } = await setUp((_request, response) => response.end(body))
    await symlink('/dev/full', `${path}.partial`)
    await expect(run()).rejects.toEqual(failsWith(/Could not write .*\.partial: the disk is full \(ENOSPC\)/))
    expect(await readdir(folder)).toEqual([])
  })
})
