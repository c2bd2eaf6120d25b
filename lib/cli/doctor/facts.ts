import type { BackendInfo, GpuDevice, ProbeStage, RocmInstallation } from '../../index.ts'
import type { Firmware } from './firmware.ts'
import { list } from './layout.ts'
import type { DeviceNode, Group, Machine } from './machine.ts'
import type { Run } from './run.ts'
import { runSection, stagesTable } from './run-facts.ts'
import type { Section } from './section.ts'
import { stepsOf } from './steps.ts'

/** All that a report is made from. */
export interface Findings {
  info: BackendInfo
  machine: Machine
  /** With `--run`. */
  run: Run | null
}

/** The answer to the question that the command is asked, in a sentence. */
export function verdict({ info: { active, reason, device }, run }: Findings): string {
  if (reason === 'NATIVE_MISSING') return 'whisper-hip does not work here: its addon cannot be loaded'
  if (active === 'cpu') return 'The GPU is not used: transcriptions run on the CPU'
  if (run?.problem?.reason === 'NO_GPU_WORK_DONE')
    return 'The GPU passed its trial, and had nothing to transcribe'
  if (run?.works === false) return 'The GPU passed its trial, and failed at a transcription'
  if (reason !== 'OK') return 'The GPU works in part: transcriptions run on it and on the CPU'
  return device === null
    ? 'The GPU works: transcriptions run on it'
    : `The GPU works: transcriptions run on ${device.name} (${device.gfx ?? 'unknown chip'}, ${device.pciId})`
}

/** Everything that was found, in the order in which a human needs it. Nothing is shown that was not looked at. */
export function sections({ info, machine, run }: Findings): Section[] {
  const steps = stepsOf(info)
  const title = info.reason === 'NATIVE_MISSING' ? 'To use whisper-hip' : 'To use the GPU'
  return [
    ...(steps.length === 0 ? [] : [{ title, steps }]),
    ...(run === null ? [] : [runSection(run)]),
    gpus(info.devices),
    ...trial(info.probe, run !== null),
    ...notes(info, steps.length > 0),
    rocm(info),
    kernel(machine),
    parts(info),
    build(info),
    { title: 'Environment', lines: environment(machine) },
    { title: 'System', lines: system(machine) },
  ]
}

function gpus(devices: BackendInfo['devices']): Section {
  return { title: 'AMD GPUs', lines: devices.length === 0 ? ['none in this machine'] : devices.flatMap(gpu) }
}

function gpu(device: GpuDevice): string[] {
  const { index, name, pciId, memoryTotal, memoryFree, integrated, reason } = device
  const kind = integrated === null ? [] : [integrated ? 'integrated' : 'discrete']
  return [
    `${index}: ${name}, ${reason}`,
    `   ${[chip(device), pciId, ...kind, `${gigabytes(memoryTotal)}, ${gigabytes(memoryFree)} free`].join(', ')}`,
  ]
}

/** What the chip is, and what ROCm takes it for where that differs. */
function chip({ gfx, gfxEffective }: GpuDevice): string {
  if (gfx === null) return gfxEffective === null ? 'unknown chip' : `unknown chip as ${gfxEffective}`
  return gfxEffective === null || gfxEffective === gfx ? gfx : `${gfx} as ${gfxEffective}`
}

function gigabytes(bytes: number | null): string {
  return bytes === null ? '?' : `${(bytes / 2 ** 30).toFixed(1)} GiB`
}

/** @param whole every stage with its error and time */
function trial(found: BackendInfo['probe'], whole: boolean): Section[] {
  if (found === null) return []
  const { stages, cached, exit, stderr } = found
  const passed = stages.filter(({ ok, unsupported }) => ok && !unsupported)
  const unsupported = stages.filter((stage) => stage.ok && stage.unsupported)
  const failed = stages.filter(({ ok }) => !ok)
  const errors = passed.flatMap(({ error }) => (typeof error === 'number' ? [error] : []))
  return [
    {
      title: 'Trial of the GPU',
      ...(whole && stages.length > 0 ? { table: stagesTable(stages) } : {}),
      lines: [
        ...(whole ? [] : list(passedStages(passed))),
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

/** The end of what the trial wrote: a report is for one screen. */
function lastLines(text: string): string[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  return lines.slice(-10).map((line) => `  ${line}`)
}

/** @param told whether the advice is among the steps already */
function notes({ notes: found }: BackendInfo, told: boolean): Section[] {
  if (found.length === 0) return []
  return [
    {
      title: 'Also found',
      lines: found.flatMap(({ reason, message, advice }) => [
        `${reason}: ${message}`,
        ...(told ? [] : advice.map((line) => `  - ${line}`)),
      ]),
    },
  ]
}

function rocm({ rocm: found, installations }: BackendInfo): Section {
  return {
    title: 'ROCm',
    lines: [
      ...(installations.length === 0 ? ['not found'] : installations.map(installation)),
      ...(found === null ? [] : list(found.libraries.map(({ soname }) => soname))),
    ],
  }
}

function installation({ folder, version, chosen, usable, problem }: RocmInstallation): string {
  const state = usable ? 'usable' : `not usable: ${problem}`
  return `${version ?? 'unknown version'} in ${folder}, ${chosen ? 'the one that the loader finds, ' : ''}${state}`
}

function kernel({ driver, firmware, deviceNodes, user, container, rootless, wsl }: Machine): Section {
  return {
    title: 'Driver and devices',
    lines: [
      driver === null ? 'the driver amdgpu is not loaded' : driverOf(driver),
      ...firmware.flatMap(firmwareOf),
      ...deviceNodes.map(node),
      `user ${user.name ?? user.uid}, groups ${user.groups.map(nameOf).join(', ')}`,
      ...(container === null && !rootless
        ? []
        : [`container: ${container ?? 'none'}${rootless ? ', in a user namespace' : ''}`]),
      ...(wsl === null ? [] : [`Windows Subsystem for Linux ${wsl}`]),
    ],
  }
}

function driverOf({ version, origin }: NonNullable<Machine['driver']>): string {
  return `driver amdgpu ${origin === 'kernel' ? 'of the kernel ' : ''}${version ?? 'of unknown version'}`
}

/** The parts that decide about computing; `--json` has all. */
const COMPUTING = /^(mec2?|mes(_kiq)?|rlc|sdma2?|smc|sos)$/

function firmwareOf({ pciId, vbios, versions }: Firmware): string[] {
  const parts = Object.entries(versions).flatMap(([part, version]) =>
    COMPUTING.test(part) ? [`${part} ${version}`] : [],
  )
  return list([`firmware of ${pciId}: VBIOS ${vbios ?? 'unknown'}`, ...parts])
}

function node({ path, mode, owner, group, member }: DeviceNode): string {
  if (mode === null || group === null) return `${path} does not exist`
  return `${path} ${mode}, ${owner}:${nameOf(group)}, which this process is ${member ? '' : 'not '}in`
}

function nameOf({ gid, name }: Group): string {
  return name ?? String(gid)
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

function environment({ variables }: Machine): string[] {
  const set = Object.entries(variables).map(([name, value]) => `${name}=${value}`)
  return set.length === 0 ? ['no variable that matters is set'] : set
}

function system({ os, kernel, architecture, node, packages, cache }: Machine): string[] {
  return [
    `${os.name ?? 'unknown system'}, Linux ${kernel ?? 'of unknown version'}, ${architecture}`,
    `whisper-hip ${packages['whisper-hip']}, Node ${node}`,
    `cache ${cache.folder ?? 'unknown'}, ${cache.writable ? 'writable' : `NOT WRITABLE: ${cache.problem}`}`,
  ]
}
