import { types } from 'node:util'
import { toNodeSignal } from './abort.ts'
import { WhisperHipError } from './errors.ts'
import { isDetached } from './kinds.ts'
import { nearest } from './nearest.ts'

/**
 * Argument checks at the door of the library. Each check returns its value with the checked type, or throws
 * `ERR_INVALID_ARGUMENT` with one message grammar: "Expected X for Y but received Z of type T".
 */

const longestQuote = 60

/** Renders a value from outside for a message: short, on one line, never running code of the value. */
function render(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value.length > longestQuote ? `${value.slice(0, longestQuote)}…` : value)
    case 'bigint':
      return `${value}n`
    case 'function':
      return 'a function'
    case 'object':
      return value === null ? 'null' : renderObject(value)
    default:
      return String(value)
  }
}

function renderObject(value: object): string {
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (types.isTypedArray(value)) return `${value[Symbol.toStringTag]}(${value.length})`
  if (types.isProxy(value)) return 'a proxy'
  const prototype = Object.getPrototypeOf(value)
  const maker = prototype && Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value
  const name = typeof maker === 'function' && Object.getOwnPropertyDescriptor(maker, 'name')?.value
  return typeof name === 'string' && name !== '' && name !== 'Object' ? `an instance of ${name}` : 'an object'
}

/** A value from outside as messages show it, e.g. `12 of type number`. */
export function describeValue(value: unknown): string {
  return `${render(value)} of type ${typeof value}`
}

/** What a check can say beside its sentence. */
export interface InvalidArgumentDetails {
  /** What the word was probably meant to be. */
  nearest?: string | undefined
  advice?: readonly string[]
  cause?: unknown
}

/** The error of every argument check, e.g. `Expected an integer from 1 to 32 for beamSize but received 99 of type number`. */
export function invalidArgument(
  expected: string,
  name: string,
  received: unknown,
  details: InvalidArgumentDetails = {},
): WhisperHipError {
  const message = `Expected ${expected} for ${name} but received ${describeValue(received)}${question(details.nearest)}`
  return new WhisperHipError('ERR_INVALID_ARGUMENT', message, details)
}

function question(near: string | undefined): string {
  return near === undefined ? '' : `; did you mean ${near}?`
}

/** "from 1 to 8", "of at least 0", "of at most 0" or nothing. */
function range(min: number, max: number): string {
  if (min > Number.MIN_SAFE_INTEGER && max < Number.MAX_SAFE_INTEGER) return ` from ${min} to ${max}`
  if (min > Number.MIN_SAFE_INTEGER) return ` of at least ${min}`
  return max < Number.MAX_SAFE_INTEGER ? ` of at most ${max}` : ''
}

/** An integer with `min <= value <= max`. */
export function checkInteger(
  value: unknown,
  name: string,
  min = Number.MIN_SAFE_INTEGER,
  max = Number.MAX_SAFE_INTEGER,
): number {
  if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max)
    return value as number
  throw invalidArgument(`an integer${range(min, max)}`, name, value)
}

/** A number with `min <= value <= max`; never NaN, and infinite only where the bound is. */
export function checkNumber(
  value: unknown,
  name: string,
  min = -Number.MAX_VALUE,
  max = Number.MAX_VALUE,
): number {
  if (typeof value === 'number' && value >= min && value <= max) return value
  throw invalidArgument(`a number${range(min, max)}`, name, value)
}

export function checkBoolean(value: unknown, name: string): boolean {
  if (typeof value === 'boolean') return value
  throw invalidArgument('a boolean', name, value)
}

/** A string of `minLength` to `maxLength` UTF-16 units without NUL, which would end it early in native code. */
export function checkString(value: unknown, name: string, minLength = 0, maxLength = 1_000_000): string {
  if (typeof value !== 'string') throw invalidArgument('a string', name, value)
  if (value.length < minLength || value.length > maxLength) {
    throw invalidArgument(`a string of ${minLength} to ${maxLength} characters`, name, value)
  }
  if (value.includes('\0')) throw invalidArgument('a string without NUL characters', name, value)
  return value
}

/** One of a fixed set of strings; a near miss is answered with the nearest choice. */
export function checkEnum<T extends string>(value: unknown, name: string, choices: readonly T[]): T {
  if (choices.includes(value as T)) return value as T
  const expected = choices.map((choice) => JSON.stringify(choice)).join(' or ')
  const near = typeof value === 'string' ? nearest(value, choices) : undefined
  throw invalidArgument(expected, name, value, { nearest: near })
}

/** An array of `minLength` to `maxLength` elements. */
export function checkArray(
  value: unknown,
  name: string,
  minLength = 0,
  maxLength = 100_000,
): readonly unknown[] {
  if (Array.isArray(value) && value.length >= minLength && value.length <= maxLength) return value
  throw invalidArgument(`an array of ${minLength} to ${maxLength} elements`, name, value)
}

/** An `AbortSignal`, also of another realm or a polyfill: known by its members. What is returned is Node's. */
export function checkSignal(value: unknown, name: string): AbortSignal {
  const signal = value as AbortSignal | null | undefined
  if (
    typeof signal === 'object' &&
    typeof signal?.aborted === 'boolean' &&
    typeof signal.addEventListener === 'function' &&
    typeof signal.removeEventListener === 'function'
  ) {
    return toNodeSignal(signal)
  }
  throw invalidArgument('an AbortSignal', name, value)
}

/** Memory that has not been taken away from its owner: what is left of it has no length, and would pass for silence or an empty file. */
export function checkAttached(memory: ArrayBufferView | ArrayBufferLike, name: string): void {
  if (isDetached(memory)) throw invalidArgument('memory that has not been transferred', name, memory)
}

/** A function; the caller names the shape that it documents. */
export function checkFunction<T extends (...values: never[]) => unknown>(value: unknown, name: string): T {
  if (typeof value === 'function') return value as T
  throw invalidArgument('a function', name, value)
}

/**
 * Checks the names of an options object and takes a snapshot of it, so that each getter runs once.
 *
 * @param options the object, or `undefined` for none
 * @param knownNames options that are honoured
 * @param where names the call in messages, e.g. `transcribe()`
 * @returns the own properties that are not `undefined`, on an object without prototype
 * @throws `ERR_INVALID_ARGUMENT` naming the unknown option and the nearest known one
 */
export function checkOptions(
  options: unknown,
  knownNames: readonly string[],
  where: string,
): Record<string, unknown> {
  const snapshot: Record<string, unknown> = Object.create(null)
  if (options === undefined) return snapshot
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw invalidArgument('an object', `the options of ${where}`, options)
  }
  for (const name of Object.keys(options)) {
    const value = (options as Record<string, unknown>)[name]
    if (value === undefined) continue
    if (!knownNames.includes(name)) {
      const near = nearest(name, knownNames)
      const message = `Unknown option ${render(name)} of ${where}${question(near)}`
      throw new WhisperHipError('ERR_INVALID_ARGUMENT', message)
    }
    snapshot[name] = value
  }
  return snapshot
}
