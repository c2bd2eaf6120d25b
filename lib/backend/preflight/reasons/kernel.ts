import type { Advice, ReasonText } from '../reason-text.ts'

/** A device that the process was not given. */
const GIVE_DEVICES: readonly Advice[] = [
  {
    when: ['private devices'],
    text: 'Let the unit {service} see the devices: systemctl edit {service}, and there under [Service] PrivateDevices=no, DeviceAllow=/dev/kfd rw and DeviceAllow=char-drm rw; then restart it',
  },
  {
    when: ['own devices'],
    text: 'Give the sandbox the devices: in bubblewrap --dev-bind /dev/kfd /dev/kfd --dev-bind /dev/dri /dev/dri, in firejail no private-dev',
  },
  { when: ['docker'], text: 'Start the container with: --device /dev/kfd --device /dev/dri' },
  {
    when: ['podman'],
    text: 'Start the container with: --device /dev/kfd --device /dev/dri --group-add keep-groups',
  },
  {
    when: ['kubernetes'],
    text: "Install AMD's device plugin in the cluster and ask for the GPU in the pod: resources.limits: { amd.com/gpu: 1 }",
  },
  {
    when: ['apptainer'],
    text: 'Start the container with --rocm, or with: --bind /dev/kfd --bind /dev/dri',
  },
  {
    when: ['snap'],
    text: 'Run the program outside of its snap, or install the snap with --classic or --devmode',
  },
  { when: ['flatpak'], text: 'Start the application with: flatpak run --device=all' },
  {
    when: ['lxc'],
    text: 'Give the container the GPU and /dev/kfd: lxc config device add CONTAINER gpu gpu; lxc config device add CONTAINER kfd unix-char source=/dev/kfd',
  },
  {
    when: ['nspawn'],
    text: 'Start the container with --bind=/dev/kfd --bind=/dev/dri, and allow the devices in its unit: DeviceAllow=/dev/kfd rw and DeviceAllow=char-drm rw',
  },
  { when: ['unknown container'], text: 'Give the container the devices /dev/kfd and /dev/dri' },
]

/** A device that is there and may not be opened. */
const GIVE_PERMISSION: readonly Advice[] = [
  {
    when: ['device cgroup', 'docker'],
    text: 'Pass the device with --device {path}: a volume (-v) shows the file without the permission to open it',
  },
  {
    when: ['device cgroup', 'podman'],
    text: 'Pass the device with --device {path}: a volume (-v) shows the file without the permission to open it',
  },
  {
    when: ['device cgroup', 'kubernetes'],
    text: "Ask for the GPU through AMD's device plugin instead of mounting /dev into the pod: resources.limits: { amd.com/gpu: 1 }",
  },
  {
    when: ['device cgroup', 'service'],
    text: 'Allow the device in the unit {service}: PrivateDevices=no and DeviceAllow={path} rw, beside what DevicePolicy= closes (systemctl edit {service}, then restart it)',
  },
  {
    when: ['device cgroup', 'seccomp', '!container'],
    text: 'Or a seccomp filter refuses it (this process has one): try without it, in a unit of systemd without SystemCallFilter=',
  },
  {
    when: ['device cgroup', '!docker', '!podman', '!kubernetes', '!service'],
    text: 'Allow the device {path} in the control group of the process',
  },
  {
    when: ['podman', 'rootless', '!device cgroup'],
    text: 'Keep the groups of the user in the container: --group-add keep-groups (needs the runtime crun)',
  },
  {
    when: ['docker', 'rootless', '!device cgroup'],
    text: 'The groups of the user do not reach a rootless Docker: on the host, give the device to the user: sudo setfacl -m u:$USER:rw {path}',
  },
  {
    when: ['docker', '!rootless', 'outside its group'],
    text: 'Start the container with: --group-add {gid}',
  },
  {
    when: ['podman', '!rootless', 'outside its group'],
    text: 'Start the container with: --group-add {gid}',
  },
  {
    when: ['kubernetes', 'outside its group'],
    text: 'Put the group into the security context of the pod: supplementalGroups: [{gid}]',
  },
  {
    when: ['service', 'outside its group'],
    text: 'Put the group into the unit {service}: SupplementaryGroups={group} (systemctl edit {service}, then restart it)',
  },
  {
    when: ['groups of the user', '!service', 'listed in its group'],
    text: 'Log out and in again: {user} is already in the group {group}, but this process was started before that',
  },
  {
    when: ['groups of the user', '!service', 'outside its group', '!listed in its group'],
    text: 'Join the group, then log out and in again: sudo usermod -aG {group} {user}',
  },
  {
    when: ['lxc', 'outside its group'],
    text: 'Give the device to a group of the container: lxc config device set CONTAINER kfd gid=GID mode=0660',
  },
  { when: ['nspawn', 'outside its group'], text: 'Put the user in the container into the group {gid}' },
  {
    when: ['unknown container', 'outside its group'],
    text: 'Let the process in the container have the group {gid}',
  },
  {
    when: ['closed to groups'],
    text: 'Give the device to a group in a udev rule (GROUP="render", MODE="0660"), as the packages of ROCm do, then: sudo udevadm control --reload && sudo udevadm trigger',
  },
  {
    when: ['selinux', 'container'],
    text: 'Allow containers to use devices in SELinux: sudo setsebool -P container_use_devices 1',
  },
  {
    when: ['permitted', 'selinux'],
    text: 'The permission bits would allow it: look for a refusal by SELinux with: sudo ausearch -m avc -ts recent',
  },
  {
    when: ['permitted', '!selinux'],
    text: 'The permission bits would allow it: look for a refusal by AppArmor with: sudo dmesg | grep DENIED',
  },
]

export const kernelReasons = {
  NO_AMD_GPU: {
    meaning: 'The machine has no AMD GPU.',
    cause:
      'The PCI bus shows none: there is no card, it is switched off in the firmware, or a virtual machine was not given it.',
    advice: [
      {
        when: ['hidden sysfs'],
        text: 'Show the process /sys: in bubblewrap --ro-bind /sys /sys, in a container a mount of sysfs, in a unit of systemd no InaccessiblePaths= or TemporaryFileSystem= for it',
      },
      {
        when: ['!hidden sysfs'],
        text: 'If there is a card, see whether the bus shows it: lspci -nn -d 1002:',
      },
      { when: ['host', '!hidden sysfs'], text: 'In a virtual machine, pass the card through to it' },
      { text: "To use the CPU on purpose and without this message, load the model with { backend: 'cpu' }" },
    ],
  },
  UNSUPPORTED_GPU: {
    meaning: 'No ROCm that this library can be built with supports this chip.',
    cause:
      'GPUs before Vega (gfx900), such as Polaris (gfx803: RX 460 to RX 590), Fiji, Tonga and Hawaii, have no code in ROCm 6.1 and newer: neither a build nor a variable changes that.',
    advice: [
      { text: "Run on the CPU: load the model with { backend: 'cpu' }, which also ends this message" },
      {
        text: 'Or use a newer card: of the generation Vega (gfx900) at least, better RDNA 2 (gfx1030) or newer',
      },
    ],
  },
  AMDGPU_DRIVER_NOT_LOADED: {
    meaning: 'The driver amdgpu does not drive the GPU.',
    cause:
      'The module is not loaded (blacklisted, `nomodeset`, refused by Secure Boot, not built for this kernel), or another driver holds the card: `vfio-pci` gives it to a virtual machine.',
    advice: [
      {
        when: ['vfio'],
        text: 'The card is set aside for a virtual machine: run there, or take it out of the configuration of vfio-pci and restart',
      },
      {
        when: ['other driver'],
        text: 'Unbind that driver and bind amdgpu; the old driver radeon has no ROCm',
      },
      {
        when: ['blocked at boot'],
        text: 'Take {block} out of the kernel command line (GRUB_CMDLINE_LINUX in /etc/default/grub, then sudo update-grub or sudo grub2-mkconfig -o /boot/grub2/grub.cfg), and restart',
      },
      {
        when: ['blocked in modprobe.d'],
        text: 'Take the line `{line}` out of {path}, then: sudo update-initramfs -u (or sudo dracut -f), and restart',
      },
      { when: ['driver not loaded', '!not by hand'], text: 'Load the driver: sudo modprobe amdgpu' },
      { text: 'See why the kernel did not take the card: sudo dmesg | grep -i -E "amdgpu|secure boot"' },
      {
        when: ['driver not loaded', 'debian'],
        text: 'Install the firmware of the card: sudo apt install firmware-amd-graphics (Ubuntu: linux-firmware)',
      },
    ],
  },
  KFD_MISSING: {
    meaning: '`/dev/kfd`, the device of GPU computing, does not exist.',
    cause:
      'A container was not given the device, or the kernel was built without `CONFIG_HSA_AMD`. Seeing the GPU in `/sys` or with rocm-smi does not need this device.',
    advice: [
      ...GIVE_DEVICES,
      {
        when: ['host', '!private devices', '!own devices'],
        text: 'Use a kernel with CONFIG_HSA_AMD=y, as the distributions build it',
      },
      {
        when: ['host', '!private devices', '!own devices'],
        text: 'See whether KFD was refused: sudo dmesg | grep -i kfd',
      },
    ],
  },
  KFD_PERMISSION_DENIED: {
    meaning: '`/dev/kfd` may not be opened by this process.',
    cause:
      'The process is not in the group that owns the device (`render` or `video`), a container does not pass the group on, or a security module refuses.',
    advice: GIVE_PERMISSION,
  },
  KFD_OPEN_FAILED: {
    meaning: '`/dev/kfd` cannot be opened for another cause than permission.',
    cause:
      'The driver is in a bad state after a reset of the GPU, kernel and driver do not fit each other, or a container mounts something else in this place.',
    advice: [
      {
        when: ['folder instead of device'],
        text: 'Something else was mounted there: make sure that the host has {path}, and pass it with --device {path} instead of a volume',
      },
      {
        when: ['too many files'],
        text: 'Close files, or allow more of them: ulimit -n 65536 (in a unit of systemd: LimitNOFILE=65536)',
      },
      {
        when: ['!too many files'],
        text: 'Look for what the driver says: sudo dmesg | grep -i -E "kfd|amdgpu"',
      },
      { when: ['!folder instead of device', '!too many files'], text: 'Restart the machine' },
    ],
  },
  GPU_NOT_IN_KFD_TOPOLOGY: {
    meaning: 'The driver knows the GPU but does not offer it for computing.',
    cause:
      'Most often its PCIe slot has no atomic operations (older boards, slots behind the chipset, some virtual machines), or the chip is too old for KFD.',
    advice: [
      {
        when: ['hidden sysfs'],
        text: 'Show the process /sys: in bubblewrap --ro-bind /sys /sys, in a container a mount of sysfs, in a unit of systemd no InaccessiblePaths= or TemporaryFileSystem= for it',
      },
      { when: ['!hidden sysfs'], text: 'See why KFD skipped it: sudo dmesg | grep -i kfd' },
      {
        when: ['!hidden sysfs'],
        text: 'Put the card into a slot that belongs to the processor: it needs PCIe atomics',
      },
      {
        when: ['!hidden sysfs'],
        text: 'Chips before Vega (gfx900) are not offered by current kernels for want of atomics or support',
      },
    ],
  },
  RENDER_NODE_MISSING: {
    meaning: "The GPU's render node below `/dev/dri` does not exist.",
    cause: 'A container was given `/dev/kfd` without `/dev/dri`, or only with other cards.',
    advice: [
      ...GIVE_DEVICES,
      {
        when: ['host', '!private devices', '!own devices'],
        text: 'Let udev make the node again: sudo udevadm trigger --subsystem-match=drm',
      },
    ],
  },
  RENDER_NODE_DENIED: {
    meaning: "The GPU's render node below `/dev/dri` cannot be opened by this process.",
    cause:
      'The same as for `/dev/kfd`; the two can belong to different groups. A device cgroup that denies the node also hides the GPU in the topology.',
    advice: [
      ...GIVE_PERMISSION,
      {
        when: ['too many files'],
        text: 'Close files, or allow more of them: ulimit -n 65536 (in a unit of systemd: LimitNOFILE=65536)',
      },
      {
        when: ['!device cgroup', '!outside its group', '!permitted', '!too many files'],
        text: 'Look for what the driver says: sudo dmesg | grep -i amdgpu',
      },
    ],
  },
} as const satisfies Record<string, ReasonText>
