/** What the download tests share: a scripted server on 127.0.0.1, a temporary folder, quick limits, a model-like body. */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { defaultSettings, type Settings } from '../../../lib/model/download/settings.ts'

export const quick: Settings = { ...defaultSettings, stallMs: 2_000, retryDelayMs: 2, progressBytes: 1_000 }

/** `index` counts the requests from 0. */
export type Handler = (request: IncomingMessage, response: ServerResponse, index: number) => void

export interface TestServer {
  url: (path?: string) => URL
  requests: IncomingMessage[]
}

export async function serve(handler: Handler): Promise<TestServer> {
  const requests: IncomingMessage[] = []
  const server = createServer((request, response) => {
    requests.push(request)
    handler(request, response, requests.length - 1)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { url: (path = '/ggml-test.bin') => new URL(path, `http://127.0.0.1:${port}`), requests }
}

export async function temporaryFolder(): Promise<string> {
  // In memory where possible: each finished download is flushed, which takes long on a slow disk.
  const parent = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
  const folder = await mkdtemp(join(parent, 'whisper-hip-download-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** Bytes that differ everywhere, so that a wrong splice shows, and that do not compress (xorshift32). */
export function makeBody(length: number, seed = 1): Buffer {
  const body = Buffer.alloc(length)
  let state = seed
  for (let index = 0; index < length; index++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    body[index] = state
  }
  return body
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Answers that {@link dropAt} cuts off once the client has stored them up to `at`. */
const unfinished: { at: number; response: ServerResponse }[] = []

/** Tells what the client has stored: a connection dropped earlier might take bytes with it that nobody has read yet. */
export function dropAt(received: number): void {
  for (const { at, response } of unfinished) if (received >= at) response.destroy()
}

/** Sends the first bytes of an answer; the rest never comes. `stored`: what the client has by then. */
export function sendBeginning(response: ServerResponse, bytes: Buffer, stored = bytes.length): void {
  unfinished.push({ at: stored, response })
  response.write(bytes)
}

/** Answers like a proper file server: ranges, If-Range, ETag. `cut`: bytes of the answer after which the connection drops. */
export function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  body: Buffer,
  options: { etag?: string; cut?: number } = {},
): void {
  const { etag = '"v1"', cut } = options
  const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '')
  const from = range && request.headers['if-range'] === etag ? Number(range[1]) : 0
  const rest = body.subarray(from)
  response.setHeader('etag', etag)
  response.setHeader('content-length', rest.length)
  if (from > 0) {
    response.statusCode = 206
    response.setHeader('content-range', `bytes ${from}-${body.length - 1}/${body.length}`)
  }
  if (cut === undefined || cut >= rest.length) response.end(rest)
  else sendBeginning(response, rest.subarray(0, cut), from + cut)
}
