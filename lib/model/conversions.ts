import { typeName } from './ggml-types.ts'
import { GgmlType, type PlanTensor } from './plan.ts'

/**
 * Type in memory of weights that are stored as `stored`. f32 weights become f16: beside f32 weights, whisper.cpp wants f32
 * convolutions, which it cannot run (see {@link memoryType}). OpenAI's own weights are f16 numbers, so that nothing is lost.
 */
export function weightTypeInMemory(stored: GgmlType): GgmlType {
  return stored === GgmlType.F32 ? GgmlType.F16 : stored
}

/** One note for each pair of types, e.g. `149 tensors f16 -> f32`. */
export function conversionsOf(tensors: readonly PlanTensor[]): string[] {
  const counts = new Map<string, number>()
  for (const { type, parts } of tensors) {
    const stored = parts[0]?.type as GgmlType
    if (stored === type) continue
    const pair = `${typeName(stored)} -> ${typeName(type)}`
    counts.set(pair, (counts.get(pair) ?? 0) + 1)
  }
  return [...counts].map(([pair, count]) => `${count} tensors ${pair}`)
}
