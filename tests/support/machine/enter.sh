# Starts systemd-nspawn in namespaces of its own, so that nothing of the machine touches the host.
# Separate from the code because it runs between unshare and nspawn. Arguments: NAME, then nspawn's own.
set -eu
name=$1
shift
# nspawn keeps locks and propagation mounts below /run.
mount -t tmpfs tmpfs /run
# A pure version 2 hierarchy, as Rocky 9, Debian 12 and Ubuntu 22.04 have it, whatever the host has.
umount -R -l /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
# A group per machine: nspawn's own sub-groups have fixed names and would be shared by two machines.
group="/sys/fs/cgroup/nodeagent-rig/$name"
mkdir -p "$group"
echo $$ > "$group/cgroup.procs"
ip link set lo up
exec systemd-nspawn "$@"
