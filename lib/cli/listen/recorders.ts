/** Programs that write a microphone as raw samples to their standard output, the preferred ones first. */
export const recorderNames = ['pw-record', 'parec', 'arecord', 'sox'] as const

export type RecorderName = (typeof recorderNames)[number]

/** What is to be recorded: samples of 16 bits. */
export interface Recording {
  sampleRate: number
  channels: number
  /** As the program calls it; undefined: its default. */
  device: string | undefined
}

/** How a program is run. No shell is involved, and a device never stands where an option could. */
export interface CommandLine {
  args: string[]
  env?: Readonly<Record<string, string>>
}

/** A program says that it records something else than it was asked for, and goes on. */
export interface Refusal {
  said: RegExp
  advice: string
}

interface Recorder {
  /** Of Debian and Ubuntu. */
  readonly package: string
  /** @param help what `--help` says, where {@link asksHelp} */
  commandLine(recording: Recording, help: string): CommandLine
  /** What it can do depends on its version. */
  readonly asksHelp?: true
  readonly refusal?: Refusal
}

/** Short, for the sake of live text. */
const latency = 50

export const recorders: Readonly<Record<RecorderName, Recorder>> = {
  'pw-record': {
    package: 'pipewire-bin',
    asksHelp: true,
    commandLine: ({ sampleRate, channels, device }, help) => ({
      args: [
        // Without it newer versions write the header of a file first; older ones do not know it.
        ...(/^.*--raw\b/m.test(help) ? ['--raw'] : []),
        ...[`--rate=${sampleRate}`, `--channels=${channels}`, '--format=s16', `--latency=${latency}ms`],
        ...(device === undefined ? [] : [`--target=${device}`]),
        '-',
      ],
    }),
  },
  parec: {
    package: 'pulseaudio-utils',
    commandLine: ({ sampleRate, channels, device }) => ({
      args: [
        ...['--raw', `--rate=${sampleRate}`, `--channels=${channels}`, '--format=s16le'],
        // Its own choice is two seconds.
        `--latency-msec=${latency}`,
        ...(device === undefined ? [] : [`--device=${device}`]),
      ],
    }),
  },
  arecord: {
    package: 'alsa-utils',
    refusal: {
      said: /rate is not accurate/,
      advice:
        'Name a rate that the device has, e.g. --rate 48000, or let ALSA convert: --microphone plughw:…',
    },
    commandLine: ({ sampleRate, channels, device }) => ({
      args: [
        ...['-q', '-t', 'raw', '-f', 'S16_LE', `--rate=${sampleRate}`, `--channels=${channels}`],
        ...(device === undefined ? [] : [`--device=${device}`]),
      ],
      // The refusal is read in English.
      env: { LC_ALL: 'C' },
    }),
  },
  sox: {
    package: 'sox',
    commandLine: ({ sampleRate, channels, device }) => ({
      args: [
        ...['-q', '--buffer', '2048', '-d', '-t', 'raw', '-e', 'signed-integer', '-b', '16', '-L'],
        ...['-r', String(sampleRate), '-c', String(channels), '-'],
      ],
      ...(device === undefined ? {} : { env: { AUDIODEV: device } }),
    }),
  },
}
