/** One GET over fetch: redirects, authorisation and the meaning of a bad answer. Retries are the business of http.ts. */
import { URL } from 'node:url'
import { runInThisContext } from 'node:vm'
import { isError, isErrorNamed } from '../../kinds.ts'
import { downloadError } from './failure.ts'
import { proxyNote } from './proxy.ts'

const maxRedirects = 10

/** A failure that another attempt may mend. */
export class Interruption extends Error {
  constructor(
    message: string,
    /** `after progress`: nobody answered, so that another attempt only makes sense when an earlier one brought something. */
    readonly retry: 'always' | 'after progress' = 'always',
    cause?: unknown,
    /** The pause that the server asked for. */
    readonly retryAfterMs = 0,
  ) {
    super(message, { cause })
  }
}

export interface Get {
  url: URL
  headers: Record<string, string>
  /** Bearer token; sent to the origin of `url` and to no other. */
  token: string | undefined
  signal: AbortSignal
}

/** The answer 200, 206 or 416 after redirects. Other answers reject with `ERR_DOWNLOAD` or an {@link Interruption}. */
export async function get({ url, headers, token, signal }: Get): Promise<Response> {
  let current = url
  for (let redirects = 0; redirects <= maxRedirects; redirects++) {
    const authorization: Record<string, string> =
      token !== undefined && current.origin === url.origin ? { authorization: `Bearer ${token}` } : {}
    const response = await fetchOnce(current, { ...headers, ...authorization }, signal)
    if ([200, 206, 416].includes(response.status)) return response
    await response.body?.cancel()
    const location = response.headers.get('location')
    if (response.status < 300 || response.status >= 400 || location === null)
      throw statusError(response, current)
    current = redirectTarget(location, current)
  }
  throw downloadError(`${showUrl(url)} redirects more than ${maxRedirects} times`)
}

/** A URL for messages: without user, query and fragment, which may hold secrets. */
export function showUrl(url: URL): string {
  return url.origin + url.pathname
}

async function fetchOnce(url: URL, headers: Record<string, string>, signal: AbortSignal): Promise<Response> {
  try {
    // `identity`: lengths and ranges have to count the bytes of the file, not those of a compressed transfer.
    const all = { 'accept-encoding': 'identity', 'user-agent': 'whisper-hip', ...headers }
    return await nodeFetch()(url.href, { headers: all, redirect: 'manual', signal })
  } catch (error) {
    signal.throwIfAborted()
    throw networkError(error, url)
  }
}

/** Node's own, which works with what is Node's: under jsdom the global is missing, or what somebody put in its place. */
function nodeFetch(): typeof globalThis.fetch {
  return runInThisContext('fetch')
}

/** What undici's `fetch failed` or `terminated` really was. */
export function networkError(error: unknown, url: URL): unknown {
  if (!isErrorNamed(error, 'TypeError')) return error
  const cause = isError(error.cause) ? error.cause : error
  const code = 'code' in cause ? String(cause.code) : ''
  const where = showUrl(url)
  const dropped = droppedCodes.has(code) || error.message === 'terminated'
  if (dropped) return new Interruption(`the connection to ${where} was dropped`, 'always', error)
  const reason = unreachableReasons[code]
  const detail = code ? `${reason ?? cause.message} (${code})` : cause.message
  const message = `could not connect to ${where}: ${detail}${proxyNote(url)}`
  return reason ? new Interruption(message, 'after progress', error) : downloadError(message, error)
}

const droppedCodes = new Set([
  'ECONNRESET',
  'EPIPE',
  'UND_ERR_SOCKET',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
])

const unreachableReasons: Record<string, string | undefined> = {
  ENOTFOUND: 'the host name is not known',
  EAI_AGAIN: 'the host name could not be looked up',
  ECONNREFUSED: 'the connection was refused',
  ENETUNREACH: 'the network is unreachable',
  EHOSTUNREACH: 'the host is unreachable',
  ETIMEDOUT: 'the connection timed out',
  UND_ERR_CONNECT_TIMEOUT: 'the connection timed out',
}

function redirectTarget(location: string, from: URL): URL {
  const target = URL.canParse(location, from.href) ? new URL(location, from) : undefined
  const shown = target ? showUrl(target) : JSON.stringify(location)
  if (target === undefined || !['http:', 'https:'].includes(target.protocol))
    throw downloadError(`${showUrl(from)} redirects to ${shown}, which is not an http or https address`)
  if (from.protocol === 'https:' && target.protocol === 'http:')
    throw downloadError(`${showUrl(from)} redirects from https to the unencrypted ${shown}, which is refused`)
  return target
}

function statusError(response: Response, url: URL): Error {
  const { status } = response
  const message = `${showUrl(url)} answered ${status} ${response.statusText}`.trimEnd()
  if (status === 408 || status === 429 || status >= 500) {
    const seconds = Number(response.headers.get('retry-after'))
    const retryAfterMs = Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0), 30) * 1000 : 0
    return new Interruption(message, 'always', undefined, retryAfterMs)
  }
  if (status === 401 || status === 403)
    return downloadError(message, undefined, [
      'Set HF_TOKEN to a valid access token of the hub if the model needs one; unset it if it has expired.',
    ])
  return downloadError(message)
}
