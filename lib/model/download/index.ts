import { URL } from 'node:url'
import { invalidArgument } from '../../check.ts'
import { WhisperHipError } from '../../errors.ts'
import { isUrl } from '../../kinds.ts'
import { nearest } from '../../nearest.ts'
import { catalogue, downloadBytes, findModel, modelNames } from '../catalogue.ts'
import { cachedModel } from './cache.ts'
import { obtainEntry } from './obtain.ts'
import { obtainRepository } from './obtain-repository.ts'
import type { ObtainOptions } from './options.ts'
import { asRepository } from './repository.ts'
import { defaultSettings } from './settings.ts'
import { obtainUrl } from './url.ts'

/**
 * Path of a model on this machine, downloaded into the cache when it is not there yet.
 *
 * @param model A catalogue name or alias (`base`, `turbo`), a repository of the Hugging Face hub (`openai/whisper-base`,
 * `hf://OWNER/NAME@REVISION/FILE`), or an http(s) address of a model file, as text or `URL`.
 * @returns A ggml file, a folder, or the file behind the URL.
 *
 * Rejects with:
 * - `ERR_MODEL_NOT_FOUND`: no such name, or not cached while `offline`;
 * - `ERR_DOWNLOAD`: no source worked (`advice` lists each with its reason), or the cache cannot be written to;
 * - `ERR_INVALID_ARGUMENT`: a wrong argument, `HF_ENDPOINT` or `HF_TOKEN`;
 * - the reason of `signal` when that aborts.
 */
export async function obtainModel(model: string | URL, options: ObtainOptions = {}): Promise<string> {
  options.signal?.throwIfAborted()
  const { sha256 } = options
  if (sha256 !== undefined && !(typeof sha256 === 'string' && /^[0-9a-f]{64}$/i.test(sha256)))
    throw invalidArgument('64 hexadecimal digits', 'sha256', sha256)
  const repository = typeof model === 'string' || isUrl(model) ? asRepository(String(model)) : undefined
  if (repository !== undefined) {
    if (sha256 !== undefined)
      throw invalidArgument(
        'no value beside the name of a repository, whose digests the hub tells,',
        'sha256',
        sha256,
      )
    return obtainRepository(repository, options, defaultSettings)
  }
  const url = asUrl(model)
  if (url !== undefined) return obtainUrl(url, { ...options, sha256: sha256?.toLowerCase() }, defaultSettings)
  if (typeof model !== 'string' || model === '') throw invalidArgument('a model name or URL', 'model', model)
  const entry = findModel(model)
  if (entry === undefined) throw unknownName(model)
  if (sha256 !== undefined) throw invalidArgument('no value beside a catalogue name', 'sha256', sha256)
  return obtainEntry(entry, options, defaultSettings)
}

/** A model that you can load by name. */
export interface ListedModel {
  name: string
  aliases: readonly string[]
  /** Number of weights, rounded to millions. */
  parameters: number
  /** Whether it was trained for languages other than English. */
  multilingual: boolean
  /** Bytes to download from the first source. */
  bytes: number
  /** Its path in the cache, or null. */
  path: string | null
}

/** Lists the catalogue, smallest first within each family, and says which models are in the cache. Never touches the network. */
export async function listModels(): Promise<ListedModel[]> {
  return Promise.all(
    catalogue.map(async (entry) => {
      const { name, aliases, parameters, multilingual, sources } = entry
      const bytes = sources[0] === undefined ? 0 : downloadBytes(sources[0])
      return { name, aliases, parameters, multilingual, bytes, path: (await cachedModel(entry)) ?? null }
    }),
  )
}

function asUrl(name: unknown): URL | undefined {
  if (isUrl(name)) return new URL(name.href)
  return typeof name === 'string' && /^https?:\/\//i.test(name) && URL.canParse(name)
    ? new URL(name)
    : undefined
}

function unknownName(name: string): WhisperHipError {
  const shown = JSON.stringify(name.length > 60 ? `${name.slice(0, 60)}…` : name)
  const guess = plainName(name) ?? nearest(name, modelNames())
  return new WhisperHipError(
    'ERR_MODEL_NOT_FOUND',
    `There is no model ${shown}${guess === undefined ? '' : `: did you mean "${guess}"?`}`,
    { advice: [`Known names: ${modelNames().join(', ')}.`] },
  )
}

/** The catalogue name in the names that files and repositories of it have: `ggml-base.en.bin`, `whisper-base`, `faster-whisper-base`. */
function plainName(name: string): string | undefined {
  const bare = (name.split('/').at(-1) ?? '')
    .toLowerCase()
    .replace(/\.(bin|gguf|pt|pth|safetensors|onnx|zip)$/, '')
    .replace(/^(ggml|gguf|openai|faster|systran)[-_]/, '')
    .replace(/^(faster[-_])?whisper[-_]/, '')
    .replace(/[-_](ggml|gguf|ct2|q\d\w*|f16|fp16|f32|fp32)$/, '')
  return bare === name ? undefined : findModel(bare)?.name
}
