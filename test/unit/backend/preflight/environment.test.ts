import { describe, expect, it } from 'vitest'
import { relevantEnvironment } from '../../../../lib/backend/preflight/environment.ts'
import { gfxOverride } from '../../../../lib/backend/preflight/gfx-override.ts'
import type { KfdGpu } from '../../../../lib/backend/preflight/kfd.ts'
import { pinTo, visibleDevices } from '../../../../lib/backend/preflight/visible-devices.ts'

function gpu(node: number, gfx = 'gfx1100', uniqueId: string | null = null): KfdGpu {
  return {
    node,
    ordinal: node,
    gfx,
    pciId: null,
    deviceId: 0,
    renderNode: null,
    memory: null,
    uniqueId,
    hasProcessor: false,
  }
}

const three = [
  gpu(1, 'gfx1100', '1111aaaa00000000'),
  gpu(2, 'gfx1030', '1111bbbb00000000'),
  gpu(3, 'gfx1036'),
]
const seen = (environment: Record<string, string>) => visibleDevices(environment, three).visible

describe('visibleDevices', () => {
  it.each<[Record<string, string>, number[]]>([
    [{}, [1, 2, 3]],
    [{ ROCR_VISIBLE_DEVICES: '1' }, [2]],
    [{ ROCR_VISIBLE_DEVICES: ' 2 , 0' }, [3, 1]],
    [{ ROCR_VISIBLE_DEVICES: '0x1' }, [2]],
    [{ ROCR_VISIBLE_DEVICES: '' }, []],
    [{ ROCR_VISIBLE_DEVICES: '-1' }, []],
    [{ ROCR_VISIBLE_DEVICES: '3' }, []],
    [{ ROCR_VISIBLE_DEVICES: '0,9,1' }, [1]],
    [{ ROCR_VISIBLE_DEVICES: '0,0,1' }, [1]],
    [{ ROCR_VISIBLE_DEVICES: '0,,1' }, [1]],
    [{ ROCR_VISIBLE_DEVICES: 'GPU-1111BBBB00000000' }, [2]],
    [{ ROCR_VISIBLE_DEVICES: 'gpu-1111b' }, [2]],
    [{ ROCR_VISIBLE_DEVICES: 'GPU-1111' }, []],
    [{ ROCR_VISIBLE_DEVICES: 'GPU-2222' }, []],
    [{ ROCR_VISIBLE_DEVICES: 'nonsense' }, []],
    [{ HIP_VISIBLE_DEVICES: '2,1' }, [3, 2]],
    [{ HIP_VISIBLE_DEVICES: '1,1,0' }, [2, 1]],
    [{ HIP_VISIBLE_DEVICES: '0,' }, [1]],
    [{ HIP_VISIBLE_DEVICES: '-1' }, []],
    [{ HIP_VISIBLE_DEVICES: '' }, []],
    [{ HIP_VISIBLE_DEVICES: '01' }, []],
    [{ HIP_VISIBLE_DEVICES: ' 1' }, []],
    [{ HIP_VISIBLE_DEVICES: 'GPU-1111bbbb00000000' }, [2]],
    [{ HIP_VISIBLE_DEVICES: 'GPU-1111BBBB00000000' }, []],
    [{ CUDA_VISIBLE_DEVICES: '1' }, [2]],
    [{ CUDA_VISIBLE_DEVICES: '1', HIP_VISIBLE_DEVICES: '0' }, [1]],
    [{ GPU_DEVICE_ORDINAL: '2' }, [3]],
    [{ GPU_DEVICE_ORDINAL: '-1' }, []],
    [{ ROCR_VISIBLE_DEVICES: '1,2', HIP_VISIBLE_DEVICES: '1' }, [3]],
    [{ ROCR_VISIBLE_DEVICES: '1', HIP_VISIBLE_DEVICES: '1' }, []],
  ])('%j leaves %j', (environment, nodes) => {
    expect(seen(environment)).toEqual(nodes)
  })

  it('names the variable that hides', () => {
    const { hiddenBy } = visibleDevices({ ROCR_VISIBLE_DEVICES: '0,1', HIP_VISIBLE_DEVICES: '1' }, three)
    expect([...hiddenBy]).toEqual([
      [3, { variable: 'ROCR_VISIBLE_DEVICES', value: '0,1' }],
      [1, { variable: 'HIP_VISIBLE_DEVICES', value: '1' }],
    ])
  })
})

describe('pinTo', () => {
  it('leaves one GPU whatever was set before', () => {
    const environment = { ROCR_VISIBLE_DEVICES: '1,2', HIP_VISIBLE_DEVICES: '1', GPU_DEVICE_ORDINAL: '2' }
    const [, , third] = three as [KfdGpu, KfdGpu, KfdGpu]
    const pin = pinTo(environment, three, third)
    expect(pin).toEqual({ ROCR_VISIBLE_DEVICES: '2', HIP_VISIBLE_DEVICES: '0', GPU_DEVICE_ORDINAL: '0' })
    expect(seen({ ...environment, ...pin })).toEqual([3])
  })

  it('sets nothing that was not set', () => {
    expect(pinTo({}, three, three[0] as KfdGpu)).toEqual({ ROCR_VISIBLE_DEVICES: '0' })
  })
})

describe('gfxOverride', () => {
  const of = (value: string, chip = 'gfx1031') =>
    gfxOverride({ HSA_OVERRIDE_GFX_VERSION: value }, gpu(1, chip))

  it('reads three decimal numbers', () => {
    expect(of('10.3.0')).toMatchObject({ gfx: 'gfx1030', crossesFamilies: false })
    expect(of('9.0.10', 'gfx90c')).toMatchObject({ gfx: 'gfx90a' })
    expect(of('11.0.0')).toMatchObject({ gfx: 'gfx1100', crossesFamilies: true })
    expect(gfxOverride({}, gpu(1))).toBeNull()
  })

  it.each(['10.3', '10.3.0 ', '10.3.0.0', 'gfx1030', '9.0.a', '64.0.0', '10.256.0', '-1.0.0', '10.3.999'])(
    'takes %j for malformed',
    (value) => {
      expect(of(value)).toMatchObject({ variable: 'HSA_OVERRIDE_GFX_VERSION', value, gfx: null })
    },
  )

  it.each(['', ' ', '\t\n'])('takes %j for not set', (value) => {
    expect(of(value)).toBeNull()
    const environment = { HSA_OVERRIDE_GFX_VERSION: '11.0.0', HSA_OVERRIDE_GFX_VERSION_1: value }
    expect(gfxOverride(environment, gpu(1, 'gfx1103'))).toMatchObject({ gfx: 'gfx1100' })
  })

  it('prefers the variable of the node', () => {
    const environment = { HSA_OVERRIDE_GFX_VERSION: '11.0.0', HSA_OVERRIDE_GFX_VERSION_1: '10.3.0' }
    expect(gfxOverride(environment, gpu(1, 'gfx1031'))).toMatchObject({
      variable: 'HSA_OVERRIDE_GFX_VERSION_1',
      gfx: 'gfx1030',
    })
    expect(gfxOverride(environment, gpu(2, 'gfx1103'))).toMatchObject({ gfx: 'gfx1100' })
  })
})

describe('relevantEnvironment', () => {
  it('keeps what changes the outcome, as it is set', () => {
    const environment = {
      HOME: '/root',
      HSA_OVERRIDE_GFX_VERSION_2: '10.3.0',
      ROCR_VISIBLE_DEVICES: '',
      WHISPER_HIP_LIBRARY: '/x.so',
      WHISPER_HIP_SYSROOT: '/tree',
    }
    const { HOME, ...expected } = environment
    expect(HOME).toBe('/root')
    expect(relevantEnvironment(environment)).toEqual(expected)
  })
})
