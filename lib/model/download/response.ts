/** What an answer says before its body is kept: does it continue what is there, is it the file at all? */
import { downloadError } from './failure.ts'
import type { Partial } from './partial.ts'

/** An answer that can be stored: where its body begins in the file, how long the whole file is, how to continue it later. */
export interface Answer {
  offset: number
  total: number | undefined
  validator: string | undefined
}

/** Reads status and headers of a 200, 206 or 416. `restart`: the server no longer has the file that was begun. */
export function inspectAnswer(response: Response, partial: Partial, shown: string): Answer | 'restart' {
  const { status, headers } = response
  if (status === 416)
    return partial.length > 0 ? 'restart' : fail(`${shown} answered 416 to a request for all of it`)
  const type = headers.get('content-type') ?? ''
  if (/^text\/html\b/i.test(type)) throw downloadError(htmlMessage(shown))
  const validator = strongValidator(headers)
  const length = status === 200 ? bodyLength(headers) : undefined
  if (status === 200) return { offset: 0, total: length, validator }

  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get('content-range') ?? '')
  if (range === null || partial.length === 0)
    return fail(`${shown} answered with a part that was not asked for`)
  if (Number(range[1]) !== partial.length) return 'restart'
  const tag = headers.get('etag')
  if (tag !== null && validator !== partial.validator) return 'restart'
  const total = range[2] === '*' ? undefined : Number(range[2])
  return { offset: partial.length, total, validator: validator ?? partial.validator }
}

/** Rejects the first bytes of what is plainly no model, with a better reason than the digest could give. */
export function inspectBeginning(chunk: Uint8Array, shown: string): void {
  const text = Buffer.from(chunk.subarray(0, 200)).toString('latin1').trimStart().toLowerCase()
  if (text.startsWith('<!doctype html') || text.startsWith('<html')) throw downloadError(htmlMessage(shown))
  if (text.startsWith('version https://git-lfs'))
    throw downloadError(`${shown} is a Git LFS pointer, not the file that it points to`)
}

function htmlMessage(shown: string): string {
  return `${shown} answered with an HTML page instead of a model: a log-in page or a network filter may be in the way`
}

/** An entity tag that promises byte equality, else the modification time; either can go into If-Range (RFC 9110, 13.1.5). */
function strongValidator(headers: Headers): string | undefined {
  const tag = headers.get('etag')
  if (tag !== null) return /^"[^"]*"$/.test(tag) ? tag : undefined
  return headers.get('last-modified') ?? undefined
}

/** Content-Length counts the bytes of the file only when they are not compressed. */
function bodyLength(headers: Headers): number | undefined {
  const encoding = headers.get('content-encoding') ?? 'identity'
  const length = headers.get('content-length')
  return encoding === 'identity' && length !== null && /^\d+$/.test(length) ? Number(length) : undefined
}

function fail(message: string): never {
  throw downloadError(message)
}
