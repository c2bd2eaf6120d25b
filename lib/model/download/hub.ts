/** Files of the Hugging Face hub, or of a mirror that speaks its addresses (`HF_ENDPOINT`). */
import { URL } from 'node:url'
import { invalidArgument } from '../../check.ts'
import type { HubSource } from '../catalogue.ts'

/** Address of a file, and the token for it (`HF_TOKEN`). Throws `ERR_INVALID_ARGUMENT` when a variable is unusable. */
export function hubFile(
  { repository, revision, path }: Pick<HubSource, 'repository' | 'revision' | 'path'>,
  environment: NodeJS.ProcessEnv = process.env,
): HubAddress {
  return hubAddress(`${repository}/resolve/${revision}/${path}`, environment)
}

/** An address of the hub, and the token for it. */
export function hubAddress(path: string, environment: NodeJS.ProcessEnv = process.env): HubAddress {
  const base = endpoint(environment)
  base.pathname = `${base.pathname.replace(/\/+$/, '')}/${path}`
  return { url: base, token: accessToken(environment) }
}

export interface HubAddress {
  url: URL
  token: string | undefined
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
