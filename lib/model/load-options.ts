import {
  checkBoolean,
  checkEnum,
  checkFunction,
  checkInteger,
  checkOptions,
  checkSignal,
  checkString,
} from '../check.ts'
import { weightTypeNames } from './conversions.ts'
import type { LoadOptions } from './types.ts'

/** Names of the options of {@link loadModel}. */
export const loadOptionNames = [
  'backend',
  'device',
  'allowPartial',
  'concurrency',
  'maxStreams',
  'flashAttention',
  'weightType',
  'isolation',
  'nodePath',
  'offline',
  'sha256',
  'onProgress',
  'signal',
] as const satisfies readonly (keyof LoadOptions)[]

const DEFAULT_CONCURRENCY = 2

/** Options of {@link loadModel}, checked, with defaults. */
export type ParsedLoadOptions = LoadOptions &
  Required<Pick<LoadOptions, 'backend' | 'concurrency' | 'flashAttention' | 'isolation' | 'weightType'>>

/** @throws `ERR_INVALID_ARGUMENT` naming the option */
export function parseLoadOptions(options: unknown): ParsedLoadOptions {
  const given = checkOptions(options, loadOptionNames, 'loadModel()')
  const parsed: ParsedLoadOptions = {
    backend: checkEnum(given.backend ?? 'auto', 'backend', ['auto', 'hip', 'cpu']),
    concurrency: checkInteger(given.concurrency ?? DEFAULT_CONCURRENCY, 'concurrency', 1, 16),
    flashAttention: checkBoolean(given.flashAttention ?? true, 'flashAttention'),
    weightType: checkEnum(given.weightType ?? 'auto', 'weightType', ['auto', ...weightTypeNames]),
    isolation: checkEnum(given.isolation ?? 'none', 'isolation', ['none', 'process']),
  }
  if (typeof given.device === 'string') parsed.device = checkString(given.device, 'device', 1, 200)
  else if (given.device !== undefined) parsed.device = checkInteger(given.device, 'device', 0, 63)
  if (given.allowPartial !== undefined) parsed.allowPartial = checkBoolean(given.allowPartial, 'allowPartial')
  if (given.maxStreams !== undefined)
    parsed.maxStreams = checkInteger(given.maxStreams, 'maxStreams', 1, 1000)
  if (given.nodePath !== undefined) parsed.nodePath = checkString(given.nodePath, 'nodePath', 1, 4096)
  if (given.offline !== undefined) parsed.offline = checkBoolean(given.offline, 'offline')
  if (given.sha256 !== undefined) parsed.sha256 = checkString(given.sha256, 'sha256', 64, 64)
  if (given.onProgress !== undefined) parsed.onProgress = checkFunction(given.onProgress, 'onProgress')
  if (given.signal !== undefined) parsed.signal = checkSignal(given.signal, 'signal')
  return parsed
}
