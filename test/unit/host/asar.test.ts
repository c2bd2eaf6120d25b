import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { isOfArchive, onDisk, unpackAllAdvice } from '../../../lib/host/asar.ts'

let resources: string
beforeEach(() => {
  resources = mkdtempSync(join(tmpdir(), 'resources '))
})
afterEach(() => {
  rmSync(resources, { recursive: true })
})

/** Makes an empty file. */
function touch(...parts: string[]): string {
  const path = join(resources, ...parts)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, '')
  return path
}

const inPackage = ['node_modules', 'whisper-hip', 'build', 'Release', 'whisper_hip.node']

/** What is thrown, as an object that `toMatchObject` takes. */
function thrownBy(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  throw new Error('Nothing was thrown')
}

describe('a path in the archive of an Electron application', () => {
  it('becomes that of the unpacked file, or folder', () => {
    const unpacked = touch('app.asar.unpacked', ...inPackage)
    // As Electron's `fs` shows it. This folder is an imitation: the archive itself is a file.
    const packed = touch('app.asar', ...inPackage)
    expect(onDisk(packed)).toBe(unpacked)
    expect(onDisk(dirname(packed))).toBe(dirname(unpacked))
    expect(onDisk(unpacked)).toBe(unpacked)
  })

  it('without an unpacked file is an error that says what to unpack', () => {
    const packed = touch('app.asar', ...inPackage)
    const unpacked = join(resources, 'app.asar.unpacked', ...inPackage)
    for (const path of [packed, unpacked]) {
      expect(thrownBy(() => onDisk(path))).toMatchObject({
        name: 'WhisperHipError',
        code: 'ERR_NATIVE_MISSING',
        message: expect.stringContaining(unpacked),
        advice: [
          expect.stringContaining(
            'asarUnpack: ["node_modules/whisper-hip/**", "node_modules/@whisper-hip/**"]',
          ),
          expect.stringContaining(
            "packagerConfig.asar.unpack: '**/node_modules/{whisper-hip,@whisper-hip}/**'",
          ),
        ],
      })
    }
  })

  it('of which another part was unpacked is one as well', () => {
    touch('app.asar.unpacked', ...inPackage)
    const packed = touch('app.asar', 'node_modules', 'whisper-hip', 'build', 'Release', 'libggml-cpu.so')
    expect(thrownBy(() => onDisk(packed))).toMatchObject({ code: 'ERR_NATIVE_MISSING' })
  })

  it('counts the innermost, where the application lies in a folder of that name', () => {
    const unpacked = touch('app.asar', 'my-app', 'resources', 'app.asar.unpacked', ...inPackage)
    expect(onDisk(join(resources, 'app.asar', 'my-app', 'resources', 'app.asar', ...inPackage))).toBe(
      unpacked,
    )
    const inner = touch('app.asar.unpacked', 'my-app', 'resources', 'app.asar.unpacked', ...inPackage)
    expect(
      onDisk(join(resources, 'app.asar.unpacked', 'my-app', 'resources', 'app.asar', ...inPackage)),
    ).toBe(inner)
  })

  it('names the packages that a process of its own needs, where it is about one', () => {
    const advice = thrownBy(() => onDisk(touch('app.asar', 'dist', 'child.js'), unpackAllAdvice))
    expect(advice).toMatchObject({
      advice: [
        expect.stringContaining('"node_modules/yauzl/**"'),
        expect.stringContaining('**/node_modules/{whisper-hip,@whisper-hip,bindings,'),
      ],
    })
  })
})

describe('a path that has to do with no archive', () => {
  it.each([
    [['node_modules', 'whisper-hip', 'package.json']],
    [['my-app.asar-files', 'whisper_hip.node']],
    [['app.asar.bak', 'whisper_hip.node']],
    [['myapp.asar', 'whisper_hip.node']],
    [['app.asar.unpacked.old', 'whisper_hip.node']],
    [['app', 'app.asar']],
  ])('%j is left alone, whether it is there or not', (parts) => {
    const path = join(resources, ...parts)
    expect(onDisk(path)).toBe(path)
    expect(isOfArchive(path)).toBe(false)
  })

  it('may have any other name that ends in .asar, but not in Electron', () => {
    const packed = join(resources, 'modules.asar', 'whisper_hip.node')
    const unpacked = touch('modules.asar.unpacked', 'whisper_hip.node')
    expect(onDisk(packed)).toBe(packed)
    const { versions } = process
    Object.defineProperty(process, 'versions', { value: { ...versions, electron: '39.0.0' } })
    try {
      expect(onDisk(packed)).toBe(unpacked)
    } finally {
      Object.defineProperty(process, 'versions', { value: versions })
    }
  })
})
