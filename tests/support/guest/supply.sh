# Brings into the build machine what a build has at hand: nodeagent's package, a package repository, a release of RKE2.
# Separate from the code because it runs in the guest, as root, over SSH. The disk with all of it is the third one.
set -eu
mkdir -p /media/supply /srv/apt /var/tmp/rke2-artifacts
mount -o ro /dev/vdc /media/supply
# As an upload: generalize has to remove it.
cp /media/supply/nodeagent.deb /var/tmp/nodeagent.deb
dpkg --install /var/tmp/nodeagent.deb
cp /media/supply/apt/* /srv/apt/
cp /media/supply/rke2-artifacts/* /var/tmp/rke2-artifacts/
umount /media/supply
rmdir /media/supply
printf 'Types: deb\nURIs: file:/srv/apt\nSuites: ./\nSigned-By: /srv/apt/pool.asc\n' > /etc/apt/sources.list.d/pool.sources
