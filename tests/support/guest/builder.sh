# What is asked of the build machine, one function a step.
# Separate from the code because it runs in the guest, as root, over SSH.
set -eu
bake() {
  nodeagent bake --profile rke2-debian12 --build-machine --json \
    --set build_account=packer --set rke2_artifacts=/var/tmp/rke2-artifacts
}
generalize() { SOURCE_DATE_EPOCH=1700000000 nodeagent generalize --json; }
modules() { cat /proc/modules; }
sysctls() { sysctl --all --ignore 2>/dev/null; }
machine_id() { cat /etc/machine-id; }
host_key() { cat /etc/ssh/ssh_host_ed25519_key; }
host_key_pub() { cat /etc/ssh/ssh_host_ed25519_key.pub; }
iscsi() { cat /etc/iscsi/initiatorname.iscsi; }
