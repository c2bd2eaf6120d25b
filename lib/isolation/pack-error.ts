import { type ErrorCode, WhisperHipError } from '../errors.ts'
import { isError } from '../kinds.ts'

/** An error as data: structured clones of errors lose their class and own properties. */
export interface PackedError {
  /** Whether it is a {@link WhisperHipError}. */
  ours: boolean
  name: string
  message: string
  stack: string | undefined
  /** `code`, `reason`, `advice`, `errno`, `syscall`, `path`: those that it has, when they are plain. */
  properties: Record<string, unknown>
  cause: PackedError | undefined
}

const carried = ['code', 'reason', 'advice', 'errno', 'syscall', 'path'] as const

/** Causes of causes are followed this far: they may form a circle. */
const deepest = 8

/** Makes data of whatever was thrown. */
export function packError(error: unknown, depth = 0): PackedError {
  if (!isError(error)) return packError(new Error(String(error)), depth)
  const properties: Record<string, unknown> = {}
  for (const name of carried) {
    const value = (error as Error & Record<string, unknown>)[name]
    if (isPlain(value)) properties[name] = value
  }
  return {
    ours: error instanceof WhisperHipError,
    name: error.name,
    message: error.message,
    stack: error.stack,
    properties,
    cause: error.cause === undefined || depth === deepest ? undefined : packError(error.cause, depth + 1),
  }
}

function isPlain(value: unknown): boolean {
  if (Array.isArray(value)) return value.every((element) => typeof element === 'string')
  return typeof value === 'string' || typeof value === 'number'
}

/** Makes the error again: of this library's class when it was, with the stack of where it arose. */
export function unpackError({ ours, name, message, stack, properties, cause }: PackedError): Error {
  const below = cause === undefined ? undefined : unpackError(cause)
  const error = ours
    ? new WhisperHipError(properties.code as ErrorCode, message, { ...properties, cause: below })
    : Object.assign(new Error(message, below === undefined ? undefined : { cause: below }), {
        name,
        ...properties,
      })
  if (stack !== undefined) error.stack = stack
  return error
}
