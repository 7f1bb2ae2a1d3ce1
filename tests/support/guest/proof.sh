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
moments() { systemctl show "$1" --property ActiveState --property InactiveExitTimestampMonotonic --property ActiveEnterTimestampMonotonic --property CPUUsageNSec; }
keys() { for key in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -l -f "$key"; done; }
# The most that a program ever held, in KiB: the fifth field of getrusage(RUSAGE_CHILDREN), which perl has no name for.
memory() { perl -e 'system(@ARGV) == 0 or exit 1; $b = "\0" x 144; syscall(98, -1, $b); open(O, ">&=3"); print O ((unpack("q*", $b))[4], "\n")' "$@" 3>&1 > /dev/null; }
# What the emulation costs: the same work is timed on the host.
speed() { for i in 1 2 3; do a=$(date +%s%N); nodeagent policy show --profile rke2-debian12 > /dev/null; b=$(date +%s%N); echo $(((b - a) / 1000)); done; }
routes() { ip rule; ip route show table 21001; }
{
  part state cat /run/proof.state
  part failed systemctl --failed --plain --no-legend
  part machine_id cat /etc/machine-id
  part host_keys keys
  part iscsi cat /etc/iscsi/initiatorname.iscsi
  part firstboot cat /run/nodeagent/firstboot.json
  part gate moments nodeagent-firstboot.service
  part rke2 moments rke2-agent.service
  part cloud-network moments cloud-init.service
  part cloud-final moments cloud-final.service
  part routes routes
  part route nodeagent route show --json
  part verify nodeagent verify --json
  part report cat /run/nodeagent/report.json
  part metrics cat /var/lib/prometheus/node-exporter/nodeagent.prom
  part motd cat /run/motd.d/50-nodeagent
  part journal journalctl --boot --no-pager --output cat --unit nodeagent-firstboot --unit nodeagent-report --unit nodeagent-route --unit rke2-agent
  part memory memory nodeagent firstboot --json
  part speed speed
  part cloud cloud-init analyze blame
  part end true
} > /dev/virtio-ports/proof
