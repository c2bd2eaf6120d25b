import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { findRecorder } from '../../../../lib/cli/listen/find-recorder.ts'
import { recorders } from '../../../../lib/cli/listen/recorders.ts'
import { WhisperHipError } from '../../../../lib/errors.ts'

const folder = mkdtempSync(join(tmpdir(), 'whisper hip path '))
afterAll(() => rmSync(folder, { recursive: true }))

/** A folder for the PATH with programs that do nothing. */
function pathWith(name: string, ...programs: string[]): string {
  const path = join(folder, name)
  mkdirSync(path)
  for (const program of programs) writeFileSync(join(path, program), '#!/bin/sh\n', { mode: 0o755 })
  return path
}

describe('command lines', () => {
  const recording = { sampleRate: 16_000, channels: 1, device: undefined }

  it('are those of each program', () => {
    expect(recorders['pw-record'].commandLine(recording, '')).toEqual({
      args: ['--rate=16000', '--channels=1', '--format=s16', '--latency=50ms', '-'],
    })
    expect(recorders.parec.commandLine(recording, '')).toEqual({
      args: ['--raw', '--rate=16000', '--channels=1', '--format=s16le', '--latency-msec=50'],
    })
    expect(recorders.arecord.commandLine(recording, '')).toEqual({
      args: ['-q', '-t', 'raw', '-f', 'S16_LE', '--rate=16000', '--channels=1'],
      env: { LC_ALL: 'C' },
    })
    expect(recorders.sox.commandLine(recording, '').args.join(' ')).toBe(
      '-q --buffer 2048 -d -t raw -e signed-integer -b 16 -L -r 16000 -c 1 -',
    )
  })

  it('ask newer versions of pw-record for samples without a header', () => {
    const { commandLine } = recorders['pw-record']
    expect(commandLine(recording, '  -q  --quality\n  -a, --raw      RAW mode\n').args[0]).toBe('--raw')
    expect(commandLine(recording, '  -q  --quality\n').args).not.toContain('--raw')
  })

  it.each(['-V', '--help', '; reboot', ''])('take %j for a device and nothing else', (device) => {
    for (const { commandLine } of Object.values(recorders)) {
      const plain = commandLine(recording, '')
      const { args, env } = commandLine({ ...recording, device }, '')
      const added = args.filter((arg) => !plain.args.includes(arg))
      if (added.length > 0) expect(added).toEqual([expect.stringMatching(/^--(target|device)=/)])
      else expect(env).toMatchObject({ AUDIODEV: device })
    }
  })
})

describe('the program', () => {
  it('is the first that is installed', async () => {
    const path = pathWith('several', 'sox', 'arecord')
    expect(await findRecorder(undefined, `/none:${path}`)).toEqual({
      name: 'arecord',
      path: join(path, 'arecord'),
      others: ['sox'],
    })
  })

  it('can be chosen', async () => {
    const path = pathWith('chosen', 'pw-record', 'sox')
    expect(await findRecorder('sox', path)).toMatchObject({ name: 'sox', others: ['pw-record'] })
  })

  it('has to be a program, in a folder that the PATH names', async () => {
    const path = pathWith('no programs')
    mkdirSync(join(path, 'parec'))
    writeFileSync(join(path, 'arecord'), '')
    chmodSync(join(path, 'arecord'), 0o644)
    symlinkSync('/none', join(path, 'sox'))
    await expect(findRecorder(undefined, path)).rejects.toThrow('none of')
    const here = process.cwd()
    process.chdir(pathWith('here', 'sox'))
    try {
      await expect(findRecorder(undefined, ':.')).rejects.toThrow('none of')
    } finally {
      process.chdir(here)
    }
  })

  it('that is missing is told with the packages that have it', async () => {
    const error = await findRecorder(undefined, '').catch((error) => error)
    expect(error).toBeInstanceOf(WhisperHipError)
    expect(error).toMatchObject({
      code: 'ERR_AUDIO_UNSUPPORTED',
      message: 'Cannot record from a microphone: none of pw-record, parec, arecord, sox is installed',
      advice: [
        'Install one (Debian, Ubuntu): apt install pipewire-bin (pw-record), apt install pulseaudio-utils (parec), apt install alsa-utils (arecord), apt install sox (sox)',
        expect.stringContaining('whisper-hip listen -'),
      ],
    })
    await expect(findRecorder('parec', pathWith('other', 'sox'))).rejects.toMatchObject({
      message: 'Cannot record from a microphone: parec is not installed',
      advice: [
        'Use sox, which is installed: --source sox',
        'Install one (Debian, Ubuntu): apt install pulseaudio-utils (parec)',
        expect.any(String),
      ],
    })
  })
})
