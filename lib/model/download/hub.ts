/** Files of the Hugging Face hub, or of a mirror that speaks its addresses (`HF_ENDPOINT`). */
import { invalidArgument } from '../../check.ts'
import type { HubSource } from '../catalogue.ts'

/** Address of a file, and the token for it (`HF_TOKEN`). Throws `ERR_INVALID_ARGUMENT` when a variable is unusable. */
export function hubFile(
  source: HubSource,
  environment: NodeJS.ProcessEnv = process.env,
): { url: URL; token: string | undefined } {
  const { repository, revision, path } = source
  const base = endpoint(environment)
  base.pathname = `${base.pathname.replace(/\/+$/, '')}/${repository}/resolve/${revision}/${path}`
  return { url: base, token: accessToken(environment) }
}

function endpoint(environment: NodeJS.ProcessEnv): URL {
  const value = environment.HF_ENDPOINT || 'https://huggingface.co'
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (url && ['http:', 'https:'].includes(url.protocol) && !url.username && !url.password && !url.search)
    return url
  throw invalidArgument(
    'an http or https address without user and query',
    'HF_ENDPOINT',
    url ? `${url.protocol}//${url.host}${url.pathname}` : value,
  )
}

function accessToken(environment: NodeJS.ProcessEnv): string | undefined {
  const token = environment.HF_TOKEN?.trim()
  if (!token) return undefined
  // Its value is a secret: the message must not show it.
  if (!/^[\x21-\x7e]+$/.test(token)) throw invalidArgument('visible ASCII characters', 'HF_TOKEN', '(hidden)')
  return token
}
