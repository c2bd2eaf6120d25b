import type { NativeHipDevice } from '../../native.ts'
import type { ProbeStage } from '../types.ts'
import type { ProbeExit, ProbeOutcome } from './protocol.ts'

/** What a trial gave, as it is kept. */
export interface KeptOutcome extends ProbeOutcome {
  /** When the trial ended, in milliseconds since 1970. */
  at: number
  /** How many trials in succession gave an answer that is kept for a while only; 1 for the first. */
  attempts: number
}

/**
 * Reads what was kept. Anybody may have written it: what is not of its form in every part is nothing.
 * @param value of JSON
 */
export function readKept(value: unknown): KeptOutcome | null {
  if (!isObject(value)) return null
  const { stages, devices, exit, stderr, at, attempts } = value
  const read = {
    stages: all(stages, readStage),
    devices: all(devices, readDevice),
    exit: readExit(exit),
  }
  if (read.stages === null || read.devices === null || read.exit === null) return null
  if (!isText(stderr) || !isNumber(at) || !isCount(attempts) || attempts < 1) return null
  return { stages: read.stages, devices: read.devices, exit: read.exit, stderr, at, attempts }
}

function readStage(value: Readonly<Record<string, unknown>>): ProbeStage | null {
  const { name, milliseconds, ok, error, weights, unsupported, problem } = value
  if (!isText(name) || !isNumber(milliseconds) || typeof ok !== 'boolean') return null
  if (!isOptional(problem, isText) || !isOptional(error, (some) => some === null || isNumber(some)))
    return null
  if (!isOptional(weights, isText) || !isOptional(unsupported, (some) => some === true)) return null
  return {
    name,
    milliseconds,
    ok,
    ...(error !== undefined && { error: error as number | null }),
    ...(weights !== undefined && { weights: weights as string }),
    ...(unsupported !== undefined && { unsupported: true as const }),
    ...(problem !== undefined && { problem: problem as string }),
  }
}

function readDevice(value: Readonly<Record<string, unknown>>): NativeHipDevice | null {
  const { name, description, pciId, memoryFree, memoryTotal } = value
  if (!isText(name) || !isText(description) || !isText(pciId)) return null
  if (!isNumber(memoryFree) || !isNumber(memoryTotal)) return null
  return { name, description, pciId, memoryFree, memoryTotal }
}

function readExit(value: unknown): ProbeExit | null {
  if (!isObject(value)) return null
  const { kind, code, signal, outOfMemory, seconds, of, busy } = value
  if (kind === 'code') return isCount(code) ? { kind, code } : null
  if (kind === 'signal') return isText(signal) ? { kind, signal, outOfMemory: outOfMemory === true } : null
  if (kind !== 'timeout' || !isNumber(seconds) || (of !== 'stage' && of !== 'trial')) return null
  return { kind, seconds, of, busy: busy === true }
}

function all<T>(
  value: unknown,
  read: (item: Readonly<Record<string, unknown>>) => T | null,
): readonly T[] | null {
  if (!Array.isArray(value)) return null
  const items = value.map((item) => (isObject(item) ? read(item) : null))
  return items.every((item) => item !== null) ? items : null
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isText = (value: unknown): value is string => typeof value === 'string'
const isNumber = (value: unknown): value is number => Number.isFinite(value) && (value as number) >= 0
const isCount = (value: unknown): value is number => Number.isInteger(value) && (value as number) >= 0
const isOptional = (value: unknown, is: (value: unknown) => boolean) => value === undefined || is(value)
