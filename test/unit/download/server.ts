/** What the download tests share: a scripted server on 127.0.0.1, a temporary folder, quick limits, a model-like body. */
import { createHash } from 'node:crypto'
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
  const folder = await mkdtemp(join(tmpdir(), 'whisper-hip-download-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** Bytes that differ everywhere, so that a wrong splice shows. */
export function makeBody(length: number, seed = 1): Buffer {
  const body = Buffer.alloc(length)
  let state = seed
  for (let index = 0; index < length; index++) {
    state = (state * 1103515245 + 12345) % 2147483648
    body[index] = state >> 16
  }
  return body
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
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
  if (cut === undefined) response.end(rest)
  else response.write(rest.subarray(0, cut), () => setTimeout(() => response.destroy(), 10))
}
