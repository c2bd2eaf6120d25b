import { rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { afterEach } from 'vitest'
import { type Preflight, preflight } from '../../../../lib/backend/preflight/preflight.ts'
import { Sysroot } from '../../../../lib/backend/preflight/sysroot.ts'
import { type MadeMachine, makeModule } from '../../../fixtures/sysroot.ts'

const machines: MadeMachine[] = []
const modules: string[] = []

afterEach(() => {
  for (const machine of machines.splice(0)) machine.dispose()
  for (const module of modules.splice(0)) rmSync(dirname(module), { recursive: true, force: true })
})

/** Removes a machine after the test. */
export function keep(machine: MadeMachine): MadeMachine {
  machines.push(machine)
  return machine
}

/** A HIP module that is removed after the test. */
export function module(options?: Parameters<typeof makeModule>[0]): string {
  const path = makeModule(options)
  modules.push(path)
  return path
}

export function rootOf(machine: MadeMachine): Sysroot {
  return new Sysroot(keep(machine).folder)
}

export interface LookOptions {
  environment?: Record<string, string>
  device?: number | string
  module?: string | null
  /** That brought the module. */
  package?: string | undefined
  gpuTargets?: readonly string[]
  platform?: string
  arch?: string
}

/** What the preflight says of a machine, with a module that is built for it unless another one is given. */
export function look(machine: MadeMachine, options: LookOptions = {}): Promise<Preflight> {
  const {
    environment = {},
    module: path = module(),
    gpuTargets = [],
    device,
    package: name,
    ...system
  } = options
  const brought = name === undefined ? {} : { package: name }
  return preflight({
    build: { message: 'ROCm was not found.', module: path, hipVersion: '6.4.1', gpuTargets, ...brought },
    device,
    environment: { ...environment, WHISPER_HIP_SYSROOT: keep(machine).folder },
    ...system,
  })
}
