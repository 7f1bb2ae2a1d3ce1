#!/bin/sh
# Turns a fresh bootstrap (root directory in $1) into what a vendor's cloud image looks like before anyone booted it.
# Separate from the code because it is an input of the cached root: change it and the root is rebuilt.
set -eu
root=$1

# No identity yet: systemd and cloud-init make them at first boot.
: > "$root/etc/machine-id"
rm -f "$root"/etc/ssh/ssh_host_*
ln -sf /etc/machine-id "$root/var/lib/dbus/machine-id"

# Nothing of the machine the bootstrap ran on.
echo localhost > "$root/etc/hostname"
printf '127.0.0.1\tlocalhost\n::1\t\tlocalhost ip6-localhost ip6-loopback\n' > "$root/etc/hosts"
rm -f "$root/etc/resolv.conf" "$root"/etc/apt/sources.list "$root"/etc/apt/sources.list.d/* \
  "$root/etc/apt/apt.conf.d/99mmdebstrap"
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin "$root"/var/log/apt
rm -f "$root"/var/log/*.log "$root"/run/*.pid

# Machines of the rig have no way out: apt sources are the pool's, and cloud-init must leave them alone.
cat > "$root/etc/cloud/cloud.cfg.d/01_vendor.cfg" <<'END'
apt:
  preserve_sources_list: true
locale: C.UTF-8
END
