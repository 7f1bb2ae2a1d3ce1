# What a real build VM has gathered when the bake begins: the traces an image must not carry.
# Separate from the code because it runs in the build machine. Every line must succeed.
set -eu
name=$(hostname)

# People and their tools.
printf 'export TOKEN=builder-secret\nssh %s\n' "$name" | tee /root/.bash_history > /home/packer/.bash_history
mkdir -p -m 0700 /root/.ssh /home/packer/.ssh
ssh-keygen -q -t ed25519 -N '' -C "root@$name" -f /root/.ssh/id_ed25519
echo "$name ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBuilder" > /root/.ssh/known_hosts
echo "$name" > /root/.viminfo
echo "$name" > /root/.wget-hsts
chown -R packer:packer /home/packer

# Logs, the journal on disk among them.
logger "provisioning on $name"
echo "provisioned by packer on $name" >> /var/log/provision.log
mkdir -p /var/log/installer
echo "installer on $name" > /var/log/installer/syslog
journalctl --flush
journalctl --sync

# Network leftovers.
mkdir -p /var/lib/dhcp /var/lib/NetworkManager
printf 'lease {\n  interface "eth0";\n  fixed-address 198.51.100.7;\n  option host-name "%s";\n}\n' "$name" \
  > /var/lib/dhcp/dhclient.eth0.leases
printf '[lease]\nADDRESS=198.51.100.7\nHOSTNAME=%s\n' "$name" \
  > /var/lib/NetworkManager/internal-0badcafe-eth1.lease
echo 'nameserver 198.51.100.1' > /etc/resolv.conf
printf '127.0.1.1\t%s.build.example %s\n' "$name" "$name" >> /etc/hosts

# A swap line, scratch files, secrets of systemd, the seed a real boot would have left.
echo '/swapfile none swap sw 0 0' >> /etc/fstab
echo "$name" > /tmp/packer-shell.sh
echo "$name" > /var/tmp/artifact.tmp
systemd-creds setup > /dev/null
head -c 512 /dev/urandom > /var/lib/systemd/random-seed

# Package lists and archives.
apt-get -q update
echo left > /var/cache/apt/archives/left-over_1_amd64.deb

# What cloud-init and an installer write on a real cloud: profiles by MAC, password-free sudo, an open SSH login.
mkdir -p /etc/netplan /etc/NetworkManager/system-connections /etc/sudoers.d /etc/cloud/cloud.cfg.d
echo "# $name" > /etc/netplan/50-cloud-init.yaml
printf '# %s\n[connection]\nid=cloud-init eth9\ntype=ethernet\ninterface-name=eth9\n' "$name" \
  > /etc/NetworkManager/system-connections/cloud-init-eth9.nmconnection
chmod 0600 /etc/NetworkManager/system-connections/cloud-init-eth9.nmconnection
printf '# %s\npacker ALL=(ALL) NOPASSWD:ALL\n' "$name" > /etc/sudoers.d/90-cloud-init-users
echo "# $name" > /etc/ssh/sshd_config.d/50-cloud-init.conf
echo "# $name" > /etc/cloud/cloud.cfg.d/99-installer.cfg

# Identifiers of storage and network, backups of accounts, more shells, crashes, mail, a half-written file.
mkdir -p /etc/iscsi /etc/nvme /var/crash /home/packer/.local/share/fish
echo "InitiatorName=iqn.1993-08.org.debian:01:$name" > /etc/iscsi/initiatorname.iscsi
echo "nqn.2014-08.org.nvmexpress:uuid:$name" > /etc/nvme/hostnqn
echo "$name" > /etc/nvme/hostid
echo "$name" > /etc/mailname
for file in passwd- shadow- group-; do echo "$name" > "/etc/$file"; done
echo "- cmd: ssh $name" > /home/packer/.local/share/fish/fish_history
echo "ssh $name" | tee /root/.zsh_history > /root/.python_history
echo "$name" > /var/crash/dump
echo "$name" > /var/mail/root
echo "$name" > /etc/.hosts.nodeagent
echo "$name" > "/tmp/$(printf '\377')"
echo "$name" > "/var/log/$name.log.1"
