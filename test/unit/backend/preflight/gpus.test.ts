import { describe, expect, it } from 'vitest'
import {
  decodeTargetVersion,
  genericTarget,
  gfxDotted,
  gfxName,
  parseGfx,
  runsOn,
  similarGfx,
} from '../../../../lib/backend/preflight/gfx.ts'
import { listGpus } from '../../../../lib/backend/preflight/gpus.ts'
import { readKfdTopology } from '../../../../lib/backend/preflight/kfd.ts'
import { listPciGpus } from '../../../../lib/backend/preflight/pci.ts'
import { emptyMachine, GB, type MadeMachine } from '../../../fixtures/sysroot.ts'
import { rootOf } from './made.ts'

function gpusOf(machine: MadeMachine) {
  const root = rootOf(machine)
  return listGpus(root, listPciGpus(root), readKfdTopology(root).gpus)
}

describe('names of chips', () => {
  it.each([
    [90010, 'gfx90a'],
    [90012, 'gfx90c'],
    [90402, 'gfx942'],
    [100300, 'gfx1030'],
    [110001, 'gfx1101'],
    [110501, 'gfx1151'],
    [120001, 'gfx1201'],
  ])('decodes %i as %s', (version, name) => {
    expect(gfxName(decodeTargetVersion(version))).toBe(name)
    expect(gfxName(parseGfx(name) as never)).toBe(name)
  })

  it('writes them as HSA_OVERRIDE_GFX_VERSION takes them', () => {
    expect(gfxDotted('gfx90a')).toBe('9.0.10')
    expect(gfxDotted('gfx1151')).toBe('11.5.1')
    expect(gfxDotted('gfx11-generic')).toBeNull()
  })

  it('knows which code runs on which chip', () => {
    expect(runsOn('gfx1100', 'gfx1100')).toBe(true)
    expect(runsOn('gfx90a:xnack-', 'gfx90a')).toBe(true)
    expect(runsOn('gfx1100', 'gfx1101')).toBe(false)
    expect(runsOn('gfx12-generic', 'gfx1201')).toBe(true)
    expect(runsOn('gfx12-generic', 'gfx1100')).toBe(false)
    expect(runsOn('amdgcnspirv', 'gfx1036')).toBe(true)
    expect(genericTarget('gfx803')).toBeNull()
  })

  it('suggests a similar chip only where there is code for it', () => {
    expect(similarGfx('gfx1103', (gfx) => gfx === 'gfx1102')).toBe('gfx1102')
    expect(similarGfx('gfx1103', () => false)).toBeNull()
    expect(similarGfx('gfx1012', () => true)).toBeNull()
  })
})

describe('listGpus', () => {
  it('brings PCI and KFD together', () => {
    const machine = emptyMachine()
      .processorNode(0)
      .gpu({ pciId: '0000:03:00.0', name: 'Big', uniqueId: 0xabcn })
      .gpu({
        pciId: '0000:0d:00.0',
        device: '0x164e',
        gfx: 100306,
        node: 2,
        minor: 129,
        memory: GB / 2,
        name: 'Small',
      })
    const [big, small, ...rest] = gpusOf(machine)
    expect(rest).toEqual([])
    expect(big).toMatchObject({
      index: 0,
      name: 'Big',
      pciId: '0000:03:00.0',
      integrated: false,
      renderNode: '/dev/dri/renderD128',
      memoryTotal: 24 * GB,
      memoryFree: 23 * GB,
      kfd: { node: 1, ordinal: 1, gfx: 'gfx1100', uniqueId: '0000000000000abc' },
    })
    expect(small).toMatchObject({ index: 1, integrated: true, kfd: { gfx: 'gfx1036' } })
  })

  it('counts the memory that the driver lends to an integrated GPU', () => {
    const pci = '/sys/bus/pci/devices/0000:c5:00.0'
    const machine = emptyMachine()
      .gpu({ pciId: '0000:c5:00.0', gfx: 110501, memory: 64 * GB })
      .file(`${pci}/mem_info_vram_total`, `${GB / 2}\n`)
      .file(`${pci}/mem_info_gtt_total`, `${64 * GB}\n`)
      .file(`${pci}/mem_info_gtt_used`, `${4 * GB}\n`)
    expect(gpusOf(machine)).toMatchObject([{ integrated: true, memoryTotal: 64 * GB, memoryFree: 60 * GB }])
  })

  it('finds accelerators, which are no display devices, and leaves sound and other makers out', () => {
    const machine = emptyMachine()
      .gpu({ pciId: '0002:00:00.0', device: '0x74a1', gfx: 90402 })
      .file('/sys/bus/pci/devices/0002:00:00.0/class', '0x120000\n')
      .file('/sys/bus/pci/devices/0000:03:00.1/vendor', '0x1002\n')
      .file('/sys/bus/pci/devices/0000:03:00.1/class', '0x040300\n')
      .file('/sys/bus/pci/devices/0000:04:00.0/vendor', '0x10de\n')
      .file('/sys/bus/pci/devices/0000:04:00.0/class', '0x030000\n')
      .file('/sys/bus/pci/devices/not-an-address/vendor', '0x1002\n')
    expect(gpusOf(machine)).toMatchObject([{ pciId: '0002:00:00.0', kfd: { gfx: 'gfx942' } }])
  })

  it('lists each partition of a card', () => {
    const machine = emptyMachine().gpu({ node: 2, minor: 128 })
    const partition = (node: number, minor: number) =>
      machine.file(
        `/sys/class/kfd/kfd/topology/nodes/${node}/properties`,
        `simd_count 152\ngfx_target_version 90402\nlocation_id ${((node << 28) | 0x300) >>> 0}\ndomain 0\ndrm_render_minor ${minor}\n`,
      )
    partition(2, 128)
    partition(10, 129)
    expect(gpusOf(machine)).toMatchObject([
      { index: 0, pciId: '0000:03:00.0', kfd: { node: 2 } },
      { index: 1, pciId: '0000:03:00.0', kfd: { node: 10 }, renderNode: '/dev/dri/renderD129' },
    ])
  })

  it('lists what only one of the two shows', () => {
    const hidden = emptyMachine().gpu({ name: 'x' }).remove('/sys/bus/pci')
    expect(gpusOf(hidden)).toMatchObject([{ pci: null, pciId: '0000:03:00.0', memoryFree: null }])
    expect(gpusOf(emptyMachine().gpu({ gfx: null, name: 'x' }))).toMatchObject([
      { kfd: null, integrated: null },
    ])
  })

  it('takes the name from libdrm when the board has none', () => {
    const table =
      '# List\n1.0.0\n744C,\tC8,\tAMD Radeon RX 7900 XTX\n744C,\tCC,\tAMD Radeon RX 7900 XT\n73BF,\tC1,\tAMD Radeon RX 6900 XT\n'
    const machine = emptyMachine().gpu().file('/usr/share/libdrm/amdgpu.ids', table)
    expect(gpusOf(machine)[0]?.name).toBe('AMD Radeon RX 7900 XTX')
    expect(gpusOf(emptyMachine().gpu())[0]?.name).toBe('AMD GPU 1002:744c')
  })
})

describe('readKfdTopology', () => {
  it('counts nodes that may not be read neither as GPUs nor for the variables', () => {
    const machine = emptyMachine().processorNode(0).gpu({ node: 1 }).gpu({ node: 2, pciId: '0000:04:00.0' })
    machine.fails('/sys/class/kfd/kfd/topology/nodes/1/properties', 'EPERM')
    expect(readKfdTopology(rootOf(machine))).toMatchObject({
      present: true,
      gpus: [{ node: 2, ordinal: 1 }],
      denied: ['/sys/class/kfd/kfd/topology/nodes/1/properties'],
    })
  })

  it('orders nodes by number', () => {
    const machine = emptyMachine()
      .gpu({ node: 10, pciId: '0000:0a:00.0' })
      .gpu({ node: 9, pciId: '0000:09:00.0' })
    expect(readKfdTopology(rootOf(machine)).gpus.map(({ node }) => node)).toEqual([9, 10])
  })
})
