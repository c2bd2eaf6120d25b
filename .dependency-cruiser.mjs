/**
 * The house: `lib/` is a row of rooms, and a room knows only those before it. `npm run lint` holds it to that, for imports of types too.
 *
 * @type {string[]} paths of folders and files of lib/, as regular expressions, in order
 */
const rooms = [
  // What every room uses: errors, checks of arguments, the mirror of the addon. They will not grow.
  '(abort|cache-folder|check|errors|finish-task|guard-callback|kinds|log|native|nearest|out-of-memory-kills|pacer|system-reasons|tail|unless-aborted|warnings)\\.ts',
  // The program that this process is, and those that it starts.
  'host/',
  'audio/',
  'backend/',
  'vad/',
  'model/',
  'isolation/',
  'transcribe/',
  'stream/',
  'output/',
  // The roof, which composes the rooms to what a user calls.
  '(load-model|model|transcribe-once)\\.ts',
  'index\\.ts',
  'cli/',
]

const inRoom = (/** @type {string[]} */ names) => `^lib/(${names.join('|')})`

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    {
      name: 'no-circle',
      comment: 'Give what both files need a file of its own',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    ...rooms.slice(0, -1).map((room, at) => ({
      name: 'only-rooms-before',
      comment: `${room} comes before what it imports: see the order in .dependency-cruiser.mjs`,
      severity: /** @type {const} */ ('error'),
      from: { path: inRoom([room]) },
      to: { path: inRoom(rooms.slice(at + 1)) },
    })),
    {
      name: 'in-a-room',
      comment: 'A file in lib/ belongs to a room: name it in .dependency-cruiser.mjs',
      severity: 'error',
      from: { path: '^lib/', pathNot: inRoom(rooms) },
      to: {},
    },
    {
      name: 'not-out-of-the-house',
      comment: 'What is published does not import scripts and tests',
      severity: 'error',
      from: { path: '^lib/' },
      to: { path: '^(bench|examples|scripts|test)/' },
    },
    {
      name: 'resolvable',
      comment: 'What cannot be found cannot be checked',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'types'],
    },
  },
}
