import { anySignal, timeoutSignal } from '../../abort.ts'
import { WhisperHipError } from '../../errors.ts'
import { isError, messageOf } from '../../kinds.ts'
import { downloadError } from './failure.ts'
import { hubAddress } from './hub.ts'
import { probeRepository } from './hub-probe.ts'
import { isFileName, type Repository } from './repository.ts'
import type { RepositoryFile } from './repository-files.ts'
import { get, showUrl } from './request.ts'

/** Longest listing that is read, in bytes: of ten thousand files. */
const MAX_LISTING = 8 << 20

export interface Listing {
  /** What the revision stands for now. */
  commit: string
  files: RepositoryFile[]
}

/**
 * Asks the hub for the files of a repository.
 * @throws `ERR_MODEL_NOT_FOUND` when there is no such repository or revision, or it needs a token; `ERR_DOWNLOAD`
 */
export async function listRepository(
  repository: Repository,
  signal: AbortSignal | undefined,
): Promise<Listing> {
  const { id, revision } = repository
  const { url, token } = hubAddress(`api/models/${id}/revision/${encodeURIComponent(revision)}`)
  url.search = 'blobs=true'
  const either = anySignal(signal, timeoutSignal(60_000))
  let response: Response
  try {
    response = await get({ url, headers: { accept: 'application/json' }, token, signal: either })
  } catch (error) {
    signal?.throwIfAborted()
    if (isMissing(error)) {
      const probed = await probeRepository(repository, either)
      if (probed.files.length > 0) return probed
    }
    throw explain(error, id, revision, url)
  }
  return parse(await readText(response, url), url)
}

const isMissing = (error: unknown) => isError(error) && / answered (401|403|404)\b/.test(error.message)

function explain(error: unknown, id: string, revision: string, url: URL): Error {
  const message = messageOf(error)
  const advice = error instanceof WhisperHipError ? error.advice : []
  // The hub answers 401 for what does not exist, too: it does not tell strangers what it has.
  if (isMissing(error)) {
    const where = revision === 'main' ? '' : ` with the revision ${revision}`
    return new WhisperHipError(
      'ERR_MODEL_NOT_FOUND',
      `There is no file or folder ${id} here, and no repository of that name${where} on the hub that is open to everybody: ${message}`,
      {
        cause: error,
        advice: [
          'For a file or folder of this machine, check the path; begin it with ./ to mean nothing else',
          ...advice,
        ],
      },
    )
  }
  return downloadError(`Could not list the repository ${id}: ${message}`, error, [
    ...advice,
    `A mirror must answer ${showUrl(url)}, as HF_ENDPOINT says`,
  ])
}

async function readText(response: Response, url: URL): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length
    if (bytes > MAX_LISTING) throw downloadError(`${showUrl(url)} answered with more than a list of files`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function parse(text: string, url: URL): Listing {
  const wrong = (cause?: unknown) =>
    downloadError(`${showUrl(url)} did not answer with the files of a repository`, cause)
  let answer: { sha?: unknown; siblings?: unknown }
  try {
    answer = JSON.parse(text) as typeof answer
  } catch (cause) {
    throw wrong(cause)
  }
  const { sha, siblings } = answer ?? {}
  if (typeof sha !== 'string' || !/^[0-9a-f]{7,64}$/.test(sha) || !Array.isArray(siblings)) throw wrong()
  const files = siblings.map(fileOf).filter((file): file is RepositoryFile => file !== undefined)
  return { commit: sha, files }
}

/** A file as the hub lists it; `undefined` for one that no model has. */
function fileOf(sibling: unknown): RepositoryFile | undefined {
  const { rfilename, size, blobId, lfs } = (sibling ?? {}) as Record<string, unknown>
  if (typeof rfilename !== 'string' || !isFileName(rfilename)) return undefined
  const { sha256, size: whole } = (lfs ?? {}) as Record<string, unknown>
  const bytes = typeof whole === 'number' ? whole : size
  return {
    path: rfilename,
    ...(typeof bytes === 'number' && Number.isSafeInteger(bytes) && bytes > 0 && { bytes }),
    ...(typeof sha256 === 'string' && /^[0-9a-f]{64}$/.test(sha256) && { sha256 }),
    ...(lfs === undefined && typeof blobId === 'string' && /^[0-9a-f]{40}$/.test(blobId) && { blob: blobId }),
  }
}
