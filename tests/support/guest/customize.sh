#!/bin/sh
# Turns a fresh bootstrap (root directory in $1) into the disk of a vendor's cloud image that nobody booted yet.
# Separate from the code because it is an input of the cached disk: change it and the disk is rebuilt.
set -eu
root=$1

: > "$root/etc/machine-id"
rm -f "$root"/etc/ssh/ssh_host_*
ln -sf /etc/machine-id "$root/var/lib/dbus/machine-id"

# Nothing of the machine the bootstrap ran on.
echo localhost > "$root/etc/hostname"
printf '127.0.0.1\tlocalhost\n::1\t\tlocalhost ip6-localhost ip6-loopback\n' > "$root/etc/hosts"
rm -f "$root/etc/resolv.conf" "$root"/etc/apt/sources.list "$root"/etc/apt/sources.list.d/* \
  "$root/etc/apt/apt.conf.d/99mmdebstrap"
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin "$root"/var/cache/apt/archives/*.deb "$root"/var/log/apt
rm -f "$root"/var/log/*.log "$root"/run/*.pid

# One manager of the network: cloud-init takes ifupdown where it finds it.
chroot "$root" dpkg --purge ifupdown > /dev/null 2>&1
chroot "$root" systemctl --quiet enable systemd-networkd.service
echo '/dev/vda / ext4 defaults 0 1' > "$root/etc/fstab"

# Sources are the pool's, and emulation is slow at large primes: the RSA and DSA keys of every boot would cost more than the
# rest of cloud-init.
cat > "$root/etc/cloud/cloud.cfg.d/01_vendor.cfg" <<'END'
apt:
  preserve_sources_list: true
locale: C.UTF-8
ssh_genkeytypes: [ecdsa, ed25519]
datasource_list: [NoCloud, None]
END
# Every package that rebuilds the initramfs would take a minute of emulation; only the kernel's own is ever booted here.
sed -i 's/^update_initramfs=.*/update_initramfs=no/' "$root/etc/initramfs-tools/update-initramfs.conf"
