// @ts-check
import { spawnSync } from 'node:child_process'
import { BuildError } from './script.mjs'
import { findProgram } from './toolchain.mjs'

/**
 * Mounts, then becomes the command. It runs in a mount namespace of its own: what it mounts is gone when its last process
 * is, however that ends. Arguments: tree, `keep` or `forget` what is changed in it, working directory, number of binds, then source and
 * target of each, command.
 */
const ENTER = `
set -e
tree=$1 changes=$2 directory=$3 binds=$4
shift 4
if [ "$changes" = forget ]; then
  mount -t tmpfs tmpfs "$tree/mnt"
  mkdir "$tree/mnt/changes" "$tree/mnt/work"
  mount -t overlay overlay -o "lowerdir=$tree,upperdir=$tree/mnt/changes,workdir=$tree/mnt/work" "$tree"
fi
mount -t proc proc "$tree/proc"
mount --rbind /dev "$tree/dev"
mount --rbind /sys "$tree/sys"
if [ -e /etc/resolv.conf ]; then cat /etc/resolv.conf > "$tree/etc/resolv.conf"; fi
while [ "$binds" -gt 0 ]; do
  if [ -d "$1" ]; then mkdir -p "$tree$2"; else mkdir -p "$tree$(dirname "$2")"; [ -e "$tree$2" ] || : > "$tree$2"; fi
  mount --bind "$1" "$tree$2"
  shift 2
  binds=$((binds - 1))
done
exec chroot "$tree" /bin/sh -c 'cd "$0" && exec "$@"' "$directory" "$@"
`

/**
 * @typedef {{ from: string, to: string }} Bind a file or folder of this machine, and where it is in the tree
 */

/**
 * The command that runs another one in a tree.
 * @param {string} tree
 * @param {string[]} command
 * @param {object} [where]
 * @param {string} [where.directory] in the tree
 * @param {Bind[]} [where.binds]
 * @param {boolean} [where.forget] leave the tree as it is: what the command changes is gone when it ends
 */
export function insideTree(tree, command, { directory = '/', binds = [], forget = false } = {}) {
  const pairs = binds.flatMap(({ from, to }) => [from, to])
  const words = [tree, forget ? 'forget' : 'keep', directory, String(binds.length), ...pairs]
  const enter = ['sh', '-c', ENTER, 'sh', ...words, ...command]
  return ['unshare', '--mount', '--propagation', 'private', '--', ...enter]
}

/**
 * Whether this process may do what `insideTree` does.
 * @throws {BuildError} when it is not root, or is kept from mounting (as in most containers)
 */
export function requireChroot() {
  if (process.getuid?.() !== 0)
    throw new BuildError('A Debian in a folder can be made and entered by root only: run this with sudo.')
  const path = `${process.env.PATH}:/usr/sbin:/sbin`
  for (const program of ['unshare', 'chroot', 'mount'])
    if (!findProgram(program, { PATH: path }))
      throw new BuildError(`${program} was not found in PATH (packages util-linux, coreutils and mount).`)
  const trial = spawnSync('unshare', ['--mount', '--propagation', 'private', '--', 'chroot', '/', 'true'], {
    encoding: 'utf8',
    env: { ...process.env, PATH: path },
  })
  if (trial.status !== 0)
    throw new BuildError(
      `This machine does not allow to mount and to change the root (${trial.stderr?.trim() || trial.error?.message}): ` +
        'in a container, it takes the capability SYS_ADMIN (docker run --privileged).',
    )
}
