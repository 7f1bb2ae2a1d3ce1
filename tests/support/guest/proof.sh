# What a node tells of itself once its boot is over and reported, without anybody logging in.
# Separate from the code because it runs in the guest, started by its user data. It writes to a port of the VM.
systemctl is-system-running --wait > /run/proof.state
# The report is no part of the boot: wait for its end.
systemctl start --wait nodeagent-report.service
part() {
  echo "=== $1"
  shift
  "$@" 2>&1
  echo "=== exit $?"
}
times() { systemctl show "$1" --property ActiveState --property InactiveExitTimestampMonotonic --property ActiveEnterTimestampMonotonic; }
keys() { for key in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -l -f "$key"; done; }
routes() { ip rule; ip route show table 21001; }
{
  part state cat /run/proof.state
  part failed systemctl --failed --plain --no-legend
  part machine_id cat /etc/machine-id
  part host_keys keys
  part iscsi cat /etc/iscsi/initiatorname.iscsi
  part firstboot cat /run/nodeagent/firstboot.json
  part gate times nodeagent-firstboot.service
  part rke2 times rke2-agent.service
  part routes routes
  part route nodeagent route show --json
  part verify nodeagent verify --json
  part report cat /run/nodeagent/report.json
  part metrics cat /var/lib/prometheus/node-exporter/nodeagent.prom
  part motd cat /run/motd.d/50-nodeagent
  part journal journalctl --boot --no-pager --output cat --unit nodeagent-firstboot --unit nodeagent-report --unit nodeagent-route --unit rke2-agent
  part blame systemd-analyze blame --no-pager
  part end true
} > /dev/virtio-ports/proof
