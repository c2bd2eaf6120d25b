/**
 * While HIP starts, variables leave one GPU visible to it. HIP reads them once, and so they are put back right after. A process
 * that is started meanwhile inherits them all the same, and would believe that a user had hidden the other GPUs: a further
 * variable says what was set and what stood there before.
 */

const MARK = 'WHISPER_HIP_PINNED'
/** Nothing else is put back, whatever the mark says. */
const VISIBILITY = [
  'ROCR_VISIBLE_DEVICES',
  'HIP_VISIBLE_DEVICES',
  'CUDA_VISIBLE_DEVICES',
  'GPU_DEVICE_ORDINAL',
]

/** By name; null for a variable that is not set. */
export type Variables = Readonly<Record<string, string | null>>

/** The variables as the user set them. A value that is not ours any more is the user's later wish, and stays. */
export function unpinned(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { [MARK]: mark, ...result } = environment
  const pins = readMark(mark)
  for (const name of VISIBILITY) {
    const pin = pins.get(name)
    if (pin === undefined || result[name] !== pin.set) continue
    if (pin.before === null) delete result[name]
    else result[name] = pin.before
  }
  return result
}

/**
 * What has to be set so that HIP sees what the pin leaves, with the mark of it.
 * @param environment of this process, maybe with the pin of the process that started it
 */
export function pinning(environment: NodeJS.ProcessEnv, pin: Variables): Variables {
  const users = unpinned(environment)
  const mark: Record<string, [set: string, before: string | null]> = {}
  for (const [name, value] of Object.entries(pin))
    if (value !== null) mark[name] = [value, users[name] ?? null]
  // What another process pinned and this pin does not name holds as the user set it.
  const inherited = VISIBILITY.filter((name) => environment[name] !== users[name])
  return {
    ...Object.fromEntries(inherited.map((name) => [name, users[name] ?? null])),
    ...pin,
    [MARK]: JSON.stringify(mark),
  }
}

/** The same variables as the user set them, where they were those of a pin. */
export function unpinnedVariables(variables: Variables): Variables {
  const set = Object.entries(variables).filter((entry): entry is [string, string] => entry[1] !== null)
  const users = unpinned(Object.fromEntries(set))
  return Object.fromEntries(Object.keys(variables).map((name) => [name, users[name] ?? null]))
}

/** Anybody can write the variable: what is not of its form is not read. */
function readMark(mark: string | undefined): Map<string, { set: string; before: string | null }> {
  const pins = new Map<string, { set: string; before: string | null }>()
  let value: unknown
  try {
    value = JSON.parse(mark ?? '')
  } catch {
    return pins
  }
  if (typeof value !== 'object' || value === null) return pins
  for (const [name, pin] of Object.entries(value)) {
    const [set, before] = Array.isArray(pin) && pin.length === 2 ? pin : []
    if (typeof set === 'string' && (typeof before === 'string' || before === null))
      pins.set(name, { set, before })
  }
  return pins
}
