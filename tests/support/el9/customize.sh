#!/bin/sh
# Turns a fresh bootstrap (root directory in $1) into the test double for Rocky 9: Debian's own dnf and rpm, which are
# of the same generation, under Rocky's os-release, configuration and database path.
# Separate from the code because it is an input of the cached root: change it and the root is rebuilt.
set -eu
root=$1

# What says which family this is.
rm -f "$root/etc/os-release"
cat > "$root/usr/lib/os-release" <<'END'
NAME="Rocky Linux"
VERSION="9.5 (Blue Onyx)"
ID="rocky"
ID_LIKE="rhel centos fedora"
VERSION_ID="9.5"
PLATFORM_ID="platform:el9"
PRETTY_NAME="Rocky Linux 9.5 (Blue Onyx)"
END
ln -s ../usr/lib/os-release "$root/etc/os-release"

# As EL 9 ships them.
mkdir -p "$root/etc/yum.repos.d" "$root/etc/rpm" "$root/etc/pki/rpm-gpg"
echo '%_dbpath /var/lib/rpm' > "$root/etc/rpm/macros"
cat > "$root/etc/dnf/dnf.conf" <<'END'
[main]
gpgcheck=1
installonly_limit=3
clean_requirements_on_remove=True
best=True
skip_if_unavailable=False
END

# No identity yet, nothing of the machine the bootstrap ran on.
: > "$root/etc/machine-id"
echo localhost > "$root/etc/hostname"
printf '127.0.0.1\tlocalhost\n::1\t\tlocalhost\n' > "$root/etc/hosts"
rm -f "$root/etc/resolv.conf" "$root"/var/log/*.log

# What each package of the double stands on.
chroot "$root" sh -c 'rpm --force-debian --nosignature -i /srv/base/*.rpm' 2> "$root/srv/log" || { cat "$root/srv/log" >&2; exit 1; }
rm -rf "$root/srv/base" "$root/srv/log"
