import type { ProbeStage } from '../../index.ts'
import type { Half, Run } from './run.ts'
import type { Section } from './section.ts'

const MOST_DIFFERENCES = 10

/** What a transcription on both showed. */
export function runSection({ message, problem, model, recording, gpu, cpu, comparison }: Run): Section {
  const lines = [`${message}.`]
  // Where the GPU cannot be used at all, the report begins with why, and has the steps.
  const advice = cpu === null ? [] : (problem?.advice ?? [])
  if (cpu !== null && problem !== null && problem.message !== message)
    lines.push(`${problem.reason ?? problem.code}: ${problem.message}`)
  if (model !== null) {
    const { name, parameters, weightType, weightBytes } = model
    lines.push(
      `model ${name}: ${millions(parameters)} million weights as ${weightType}, ${megabytes(weightBytes)}`,
      `recording ${recording}`,
    )
  }
  if (gpu !== null) lines.push(...half('GPU', gpu))
  if (cpu !== null) lines.push(...half('CPU', cpu))
  if (comparison !== null) {
    const { differences, wordErrorRate, probabilityDifference: difference } = comparison
    if (differences.length > 0)
      lines.push(`words that differ: ${(100 * wordErrorRate).toFixed(1)} % (5 % are allowed)`)
    for (const { gpu, cpu } of differences.slice(0, MOST_DIFFERENCES))
      lines.push(`  GPU: ${gpu || '(nothing)'} | CPU: ${cpu || '(nothing)'}`)
    if (differences.length > MOST_DIFFERENCES)
      lines.push(`  and ${differences.length - MOST_DIFFERENCES} more`)
    if (difference !== null)
      lines.push(`probabilities of the tokens differ by ${difference.toPrecision(2)} on average`)
  }
  lines.push(...advice.map((line) => `- ${line}`))
  return { title: 'A transcription on the GPU and on the CPU', lines }
}

function half(name: string, { text, stats, weightBytes }: Half): string[] {
  const { audioSeconds, wallSeconds, realTimeFactor, gpuNodes, cpuNodes, cpuOperations, device } = stats
  const weights = Object.entries(weightBytes).map(([memory, bytes]) => `${megabytes(bytes)} in ${memory}`)
  const operations = name === 'GPU' && cpuNodes > 0 ? ` (${cpuOperations.join(', ')})` : ''
  return [
    `${name}: ${text || '(nothing)'}`,
    `  ${device}: ${audioSeconds.toFixed(1)} s of audio in ${wallSeconds.toFixed(2)} s, ${realTimeFactor.toFixed(1)} times as fast as the speech`,
    `  graph nodes: ${gpuNodes} on the GPU, ${cpuNodes} on the CPU${operations}; weights: ${weights.join(', ')}`,
  ]
}

/** Every stage with the error against the CPU. */
export function stagesTable(stages: readonly ProbeStage[]): string[][] {
  return [
    ['operation', 'error', 'ms', ''],
    ...stages.map(({ name, error, milliseconds, ok, unsupported }) => [
      name,
      error === undefined ? '' : error === null ? 'not a number' : error.toPrecision(2),
      milliseconds.toFixed(0),
      unsupported ? 'not supported' : ok ? '' : 'FAILED',
    ]),
  ]
}

function millions(count: number): string {
  return (count / 1e6).toFixed(0)
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`
}
