/** A file over HTTP: resumed, checked while it streams, and put in place in one step. */

import { dirname } from 'node:path'
import { performance } from 'node:perf_hooks'
import { ensureSpace, publish } from './disk.ts'
import { downloadError, formatBytes } from './failure.ts'
import { Partial } from './partial.ts'
import { pause } from './pause.ts'
import { get, Interruption, networkError, showUrl } from './request.ts'
import { inspectAnswer, inspectBeginning } from './response.ts'
import type { Settings } from './settings.ts'
import { Watchdog } from './watchdog.ts'

export interface FileRequest {
  url: URL
  /** Where the finished file goes. `${path}.partial` holds it until then, `${path}.partial.json` what a resumption needs. */
  path: string
  /** Expected size; another size is an error. */
  bytes?: number | undefined
  /** Expected SHA-256 in lower-case hex. */
  sha256?: string | undefined
  /** Bearer token, sent to the origin of `url` only. */
  token?: string | undefined
  signal?: AbortSignal | undefined
  /** At most ten times a second, and at the end. `total` is null while the size is unknown. */
  onProgress?: ((received: number, total: number | null) => void) | undefined
}

export interface FileResult {
  bytes: number
  sha256: string
}

/** Downloads a file. Rejects with `ERR_DOWNLOAD`, or with the reason of the signal. The caller holds a lock on `path`. */
export async function downloadFile(request: FileRequest, settings: Settings): Promise<FileResult> {
  const { signal } = request
  const partial = new Partial(request.path, request.url, request.bytes)
  let fruitless = 0
  let best = 0
  for (;;) {
    try {
      return await attempt(request, partial, settings)
    } catch (error) {
      signal?.throwIfAborted()
      if (!(error instanceof Interruption)) throw error
      fruitless = partial.length >= best + settings.progressBytes ? 1 : fruitless + 1
      best = Math.max(best, partial.length)
      const hopeless = error.retry === 'after progress' && best === 0
      if (hopeless || fruitless >= settings.attempts) throw givenUp(error, best, request.bytes, fruitless)
      const backOff = Math.min(settings.retryDelayMs * 2 ** (fruitless - 1), 8_000)
      await pause(Math.max(backOff, error.retryAfterMs), signal)
    }
  }
}

async function attempt(request: FileRequest, partial: Partial, settings: Settings): Promise<FileResult> {
  const { url, token, signal } = request
  await partial.resume(signal)
  const watchdog = new Watchdog(settings.stallMs, signal, showUrl(url))
  try {
    const headers: Record<string, string> = {}
    if (partial.validator !== undefined) {
      headers.range = `bytes=${partial.length}-`
      headers['if-range'] = partial.validator
    }
    const response = await get({ url, headers, token, signal: watchdog.signal })
    try {
      return await receive(request, response, partial, watchdog, settings)
    } finally {
      // Whatever was not read must not keep the connection busy.
      await response.body?.cancel().catch(() => undefined)
    }
  } finally {
    watchdog.stop()
  }
}

async function receive(
  { url, path, bytes, sha256, onProgress }: FileRequest,
  response: Response,
  partial: Partial,
  watchdog: Watchdog,
  settings: Settings,
): Promise<FileResult> {
  const shown = showUrl(url)
  const answer = inspectAnswer(response, partial, shown)
  if (answer === 'restart') {
    await partial.discard()
    throw new Interruption(`${shown} has changed during the download`)
  }
  const { offset, validator, total = bytes } = answer
  if (bytes !== undefined && total !== bytes)
    throw downloadError(`${shown} has ${total} bytes where the model has ${bytes}`)
  if (total !== undefined) await ensureSpace(dirname(path), total - offset, settings)

  const report = throttle((received: number) => onProgress?.(received, total ?? null))
  const file = await partial.open(offset, validator)
  try {
    for await (const chunk of chunksOf(response, url, watchdog.signal)) {
      watchdog.feed()
      if (partial.length === 0) inspectBeginning(chunk, shown)
      if (total !== undefined && partial.length + chunk.length > total)
        throw downloadError(`${shown} sent more than the ${total} bytes that it announced`)
      await partial.append(file, chunk)
      report(partial.length)
    }
  } finally {
    await file.close()
  }
  if (total !== undefined && partial.length < total) throw new Interruption(`${shown} ended too early`)
  if (partial.length === 0) throw downloadError(`${shown} is empty`)

  const result = { bytes: partial.length, sha256: partial.hash.digest('hex') }
  if (sha256 !== undefined && result.sha256 !== sha256) {
    await partial.discard()
    const message = `the SHA-256 of ${shown} is ${result.sha256} where the model has ${sha256}`
    // What an earlier attempt left on the disk may have been the damaged part.
    throw offset > 0 ? new Interruption(message) : downloadError(message)
  }
  await publish(partial.path, path)
  await partial.forget()
  onProgress?.(result.bytes, result.bytes)
  return result
}

/** The body in chunks; failures of the network become an {@link Interruption}. */
async function* chunksOf(response: Response, url: URL, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of response.body ?? []) yield chunk
  } catch (error) {
    signal.throwIfAborted()
    throw networkError(error, url)
  }
}

function throttle(report: (received: number) => void): (received: number) => void {
  let last = Number.NEGATIVE_INFINITY
  return (received) => {
    const now = performance.now()
    if (now - last < 100) return
    last = now
    report(received)
  }
}

function givenUp(error: Interruption, received: number, total: number | undefined, attempts: number): Error {
  const of = total === undefined ? '' : ` of ${formatBytes(total)}`
  const after = received > 0 ? `, after ${formatBytes(received)}${of}` : ''
  const tries = attempts > 1 ? ` (${attempts} attempts)` : ''
  return downloadError(error.message + after + tries, error)
}
