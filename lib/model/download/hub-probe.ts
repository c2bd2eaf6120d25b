import { hubFile } from './hub.ts'
import type { Repository } from './repository.ts'
import { companionNames, type RepositoryFile } from './repository-files.ts'
import { get } from './request.ts'

/** Weights in one file, best first. */
const WEIGHTS: readonly string[] = [
  'model.safetensors',
  'model.bin',
  'pytorch_model.bin',
  'weights.safetensors',
]

/**
 * The files of a model by the names that they always have, for mirrors that serve files and do not list them.
 * @returns empty where there are no weights of such a name
 */
export async function probeRepository(
  repository: Repository,
  signal: AbortSignal,
): Promise<{ commit: string; files: RepositoryFile[] }> {
  const found: RepositoryFile[] = []
  let commit = repository.revision
  const names = repository.file === undefined ? WEIGHTS : [repository.file]
  for (const path of names) {
    const weights = await probe(repository, path, signal)
    if (weights === undefined) continue
    commit = weights.commit ?? commit
    found.push(weights.file)
    break
  }
  if (found.length === 0) return { commit, files: [] }
  for (const path of companionNames) {
    const companion = await probe(repository, path, signal)
    if (companion !== undefined) found.push(companion.file)
  }
  return { commit, files: found }
}

async function probe(
  { id, revision }: Repository,
  path: string,
  signal: AbortSignal,
): Promise<{ file: RepositoryFile; commit: string | undefined } | undefined> {
  const address = hubFile({ repository: id, revision, path })
  let response: Response
  try {
    response = await get({ ...address, headers: {}, signal })
  } catch {
    signal.throwIfAborted()
    return undefined
  }
  await response.body?.cancel()
  const { headers } = response
  if (/^text\/html\b/i.test(headers.get('content-type') ?? '')) return undefined
  // Of a large file the entity tag is its digest.
  const sha256 = /^"([0-9a-f]{64})"$/.exec(headers.get('x-linked-etag') ?? headers.get('etag') ?? '')?.[1]
  const commit = /^[0-9a-f]{7,64}$/.exec(headers.get('x-repo-commit') ?? '')?.[0]
  return { file: { path, ...(sha256 !== undefined && { sha256 }) }, commit }
}
