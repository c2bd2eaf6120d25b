import type { BackendInfo, GpuDevice, ProbeStage } from '../../index.ts'

/** Versions of what the library runs in. */
export interface Surroundings {
  /** Of this package. */
  version: string
  node: string
  /** Operating system, kernel and processor. */
  system: string
}

/** A heading of the report and what stands below it. */
export interface Section {
  title: string
  /** The first row is the head of the table. */
  table?: readonly (readonly string[])[]
  lines?: readonly string[]
  /** What to do, most likely first. */
  steps?: readonly string[]
}

/** The answer to the question that the command is asked, in a sentence. */
export function verdict({ active, reason, device }: BackendInfo): string {
  if (reason === 'NATIVE_MISSING') return 'whisper-hip does not work here: its addon cannot be loaded'
  if (active === 'cpu') return 'The GPU is not used: transcriptions run on the CPU'
  if (reason !== 'OK') return 'The GPU works in part: transcriptions run on it and on the CPU'
  return device === null
    ? 'The GPU works: transcriptions run on it'
    : `The GPU works: transcriptions run on ${device.name} (${device.gfx ?? 'unknown chip'}, ${device.pciId})`
}

/** Everything that was found, in the order in which a human needs it. Nothing is shown that was not looked at. */
export function sections(info: BackendInfo, surroundings: Surroundings): Section[] {
  return [
    ...(info.advice.length === 0 ? [] : [{ title: 'What to do', steps: info.advice }]),
    gpus(info.devices),
    ...probe(info.probe),
    ...notes(info),
    rocm(info),
    parts(info),
    build(info),
    environment(info.environment),
    {
      title: 'Versions',
      lines: [`whisper-hip ${surroundings.version}, Node ${surroundings.node}`, surroundings.system],
    },
  ]
}

function gpus(devices: BackendInfo['devices']): Section {
  if (devices.length === 0) return { title: 'AMD GPUs', lines: ['none in this machine'] }
  const head = ['#', 'name', 'chip', 'PCI address', 'memory', 'free', 'kind', 'reason']
  return { title: 'AMD GPUs', table: [head, ...devices.map(gpu)] }
}

function gpu(device: GpuDevice): string[] {
  const { index, name, pciId, memoryTotal, memoryFree, integrated, reason } = device
  const kind = integrated === null ? '?' : integrated ? 'integrated' : 'discrete'
  return [
    String(index),
    name,
    chip(device),
    pciId,
    gigabytes(memoryTotal),
    gigabytes(memoryFree),
    kind,
    reason,
  ]
}

/** What the chip is, and what ROCm takes it for where that differs. */
function chip({ gfx, gfxEffective }: GpuDevice): string {
  if (gfx === null) return gfxEffective === null ? '?' : `? as ${gfxEffective}`
  return gfxEffective === null || gfxEffective === gfx ? gfx : `${gfx} as ${gfxEffective}`
}

function gigabytes(bytes: number | null): string {
  return bytes === null ? '?' : `${(bytes / 2 ** 30).toFixed(1)} GiB`
}

function probe(found: BackendInfo['probe']): Section[] {
  if (found === null) return []
  const { stages, cached, exit, stderr } = found
  const passed = stages.filter(({ ok, unsupported }) => ok && !unsupported)
  const unsupported = stages.filter((stage) => stage.ok && stage.unsupported)
  const failed = stages.filter(({ ok }) => !ok)
  const errors = passed.flatMap(({ error }) => (typeof error === 'number' ? [error] : []))
  return [
    {
      title: 'Trial of the GPU',
      lines: [
        ...wrap(passedStages(passed)),
        ...(errors.length === 0
          ? []
          : [`largest error against the CPU: ${Math.max(...errors).toPrecision(2)}`]),
        ...first(unsupported.map(({ name }) => `${name}: not supported, would run on the CPU`)),
        ...first(
          failed.map(
            ({ name, milliseconds, problem }) =>
              `${name} FAILED after ${milliseconds.toFixed(0)} ms${problem === undefined ? '' : `: ${problem}`}`,
          ),
        ),
        `ended: ${exit}${cached ? '; this is an earlier trial, --refresh tries again' : ''}`,
        ...(exit === 'code 0' ? [] : lastLines(stderr)),
      ],
    },
  ]
}

/** Of stages of one kind, how many are shown. */
const SHOWN = 10

function first(lines: readonly string[]): string[] {
  const more = lines.length - SHOWN
  return more > 0 ? [...lines.slice(0, SHOWN), `and ${more} more: see --json`] : [...lines]
}

/** Each with its time; many operations together. */
function passedStages(passed: readonly ProbeStage[]): string[] {
  const operations = passed.filter(({ error }) => typeof error === 'number')
  const single = operations.length > SHOWN ? passed.filter((stage) => !operations.includes(stage)) : passed
  const time = operations.reduce((sum, { milliseconds }) => sum + milliseconds, 0)
  return [
    ...single.map(({ name, milliseconds }) => `${name} ${milliseconds.toFixed(0)} ms`),
    ...(operations.length > SHOWN ? [`${operations.length} operations ${time.toFixed(0)} ms`] : []),
  ]
}

/** Items with commas, broken into lines. */
function wrap(items: readonly string[]): string[] {
  const lines: string[] = []
  for (const item of items) {
    const last = lines.at(-1)
    if (last === undefined || last.length + item.length > 90) lines.push(item)
    else lines[lines.length - 1] = `${last}, ${item}`
  }
  return lines
}

/** The end of what the trial wrote: a report is for one screen. */
function lastLines(text: string): string[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  return lines.slice(-10).map((line) => `  ${line}`)
}

function notes({ notes: found }: BackendInfo): Section[] {
  if (found.length === 0) return []
  return [
    {
      title: 'Also found',
      lines: found.flatMap(({ reason, message, advice }) => [
        `${reason}: ${message}`,
        ...advice.map((line) => `  - ${line}`),
      ]),
    },
  ]
}

function rocm({ rocm: found, build: report, environment: { WHISPER_HIP_LIBRARY } }: BackendInfo): Section {
  if (found === null) {
    const none = !report?.hip && WHISPER_HIP_LIBRARY === undefined
    return {
      title: 'ROCm',
      lines: [none ? 'not looked for: there is no HIP module' : 'no runtime was found for the HIP module'],
    }
  }
  return {
    title: 'ROCm',
    lines: [
      `version ${found.runtimeVersion ?? 'unknown'}`,
      ...found.libraries.map(({ soname, path }) => `${soname} is ${path}`),
    ],
  }
}

function parts({ components, libraries }: BackendInfo): Section {
  const computed = Object.entries(components).map(([part, backend]) => `${part} ${backend}`)
  return {
    title: 'What computes',
    lines: [
      computed.join(', '),
      `addon ${libraries.addon ?? 'not loaded'}`,
      `CPU module ${libraries.cpu ?? 'not loaded'}`,
      `HIP module ${libraries.hip ?? 'not loaded'}`,
    ],
  }
}

function build({ build: report }: BackendInfo): Section {
  if (report === null) return { title: 'Build', lines: ['unknown: the addon cannot be loaded'] }
  const { hip, hipVersion, gpuTargets, whisperCpp, ggml, compiler, portable } = report
  const targets = gpuTargets.length === 0 ? 'no GPU' : gpuTargets.join(', ')
  return {
    title: 'Build',
    lines: [
      hip ? `with HIP ${hipVersion ?? 'of unknown version'} for ${targets}` : 'without HIP',
      `whisper.cpp ${whisperCpp}, ggml ${ggml}, ${compiler}${portable ? ', portable' : ''}`,
    ],
  }
}

function environment(variables: BackendInfo['environment']): Section {
  const set = Object.entries(variables).map(([name, value]) => `${name}=${value}`)
  return { title: 'Environment', lines: set.length === 0 ? ['no variable that matters is set'] : set }
}
