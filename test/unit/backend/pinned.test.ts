import { describe, expect, it } from 'vitest'
import { pinning, unpinned, unpinnedVariables } from '../../../lib/backend/pinned.ts'

/** The environment of a process that starts HIP with this pin. */
function pinned(environment: NodeJS.ProcessEnv, pin: Record<string, string>): NodeJS.ProcessEnv {
  const result = { ...environment }
  for (const [name, value] of Object.entries(pinning(environment, pin))) {
    if (value === null) delete result[name]
    else result[name] = value
  }
  return result
}

const ROCR = { ROCR_VISIBLE_DEVICES: '1' }

describe('a pin', () => {
  it.each<[NodeJS.ProcessEnv, Record<string, string>]>([
    [{ PATH: '/bin' }, ROCR],
    [{ PATH: '/bin', ROCR_VISIBLE_DEVICES: '0,1' }, ROCR],
    [{ ROCR_VISIBLE_DEVICES: '' }, ROCR],
    [
      { HIP_VISIBLE_DEVICES: '1', CUDA_VISIBLE_DEVICES: '' },
      { ...ROCR, HIP_VISIBLE_DEVICES: '0', CUDA_VISIBLE_DEVICES: '0' },
    ],
    [{ GPU_DEVICE_ORDINAL: '1' }, { ...ROCR, GPU_DEVICE_ORDINAL: '0' }],
    [{}, {}],
  ])('of %j with %j is undone', (user, pin) => {
    expect(pinned(user, pin)).toMatchObject(pin)
    expect(unpinned(pinned(user, pin))).toEqual(user)
  })

  it('of a child, and of its child, is undone to what the user set', () => {
    const user = { ROCR_VISIBLE_DEVICES: '0,1', HIP_VISIBLE_DEVICES: '1' }
    const child = pinned(pinned(user, { ...ROCR, HIP_VISIBLE_DEVICES: '0' }), {
      ROCR_VISIBLE_DEVICES: '0',
      HIP_VISIBLE_DEVICES: '0',
    })
    expect(child.ROCR_VISIBLE_DEVICES).toBe('0')
    expect(unpinned(child)).toEqual(user)
    expect(unpinned(pinned(child, ROCR))).toEqual(user)
  })

  it('of a child leaves nothing of the pin of its parent', () => {
    const parent = pinned({ GPU_DEVICE_ORDINAL: '1' }, { ...ROCR, GPU_DEVICE_ORDINAL: '0' })
    const child = pinned(parent, { ROCR_VISIBLE_DEVICES: '0' })
    expect(child).toMatchObject({ ROCR_VISIBLE_DEVICES: '0', GPU_DEVICE_ORDINAL: '1' })
  })

  it('gives way to what the user sets later', () => {
    const set = { ...pinned({ ROCR_VISIBLE_DEVICES: '0,1' }, ROCR), ROCR_VISIBLE_DEVICES: '0' }
    expect(unpinned(set)).toEqual({ ROCR_VISIBLE_DEVICES: '0' })
    const { ROCR_VISIBLE_DEVICES: _, ...unset } = pinned({}, ROCR)
    expect(unpinned(unset)).toEqual({})
  })

  it('leaves the environment that it is asked about as it is', () => {
    const environment = pinned({}, ROCR)
    const before = { ...environment }
    unpinned(environment)
    expect(environment).toEqual(before)
  })

  it('of another thread is seen through in what was read back', () => {
    const other = pinning({ HIP_VISIBLE_DEVICES: '1' }, { ...ROCR, HIP_VISIBLE_DEVICES: '0' })
    expect(unpinnedVariables(other)).toEqual({
      ROCR_VISIBLE_DEVICES: null,
      HIP_VISIBLE_DEVICES: '1',
      WHISPER_HIP_PINNED: null,
    })
    expect(unpinnedVariables({ ROCR_VISIBLE_DEVICES: null })).toEqual({ ROCR_VISIBLE_DEVICES: null })
  })
})

describe('a mark that is none of ours', () => {
  it.each([
    '',
    '{',
    'null',
    '1',
    '[]',
    '{"ROCR_VISIBLE_DEVICES":null}',
    '{"ROCR_VISIBLE_DEVICES":["0"]}',
    '{"ROCR_VISIBLE_DEVICES":["0",1]}',
    '{"ROCR_VISIBLE_DEVICES":[0,null]}',
    '{"ROCR_VISIBLE_DEVICES":{"0":"0","1":null,"length":2}}',
    '{"PATH":["/bin",null],"LD_PRELOAD":["x","/evil.so"]}',
    '{"__proto__":["0",null],"constructor":["0","x"]}',
  ])('changes nothing: %s', (mark) => {
    const user = { PATH: '/bin', ROCR_VISIBLE_DEVICES: '0', LD_PRELOAD: 'x' }
    expect(unpinned({ ...user, WHISPER_HIP_PINNED: mark })).toEqual(user)
  })
})
