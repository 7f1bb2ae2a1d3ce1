# The RKE2 node image on Rocky 9 for Harvester: a stock cloud image in QEMU, one uploaded binary, a qcow2 out.
# It is separate from Ubuntu's because another builder makes it; what is done inside is nodeagent's profile in both.
#
#   packer build -var-file=site.pkrvars.hcl packaging/packer/rocky9.pkr.hcl        (docs/building.md)

variable "source_image_url" {
  type        = string
  description = "The stock Rocky 9 GenericCloud qcow2: a URL or a path."
}

variable "source_image_checksum" {
  type        = string
  description = "Its checksum, sha256:... or file:URL of the vendor's list. There is no build without one."
}

variable "seed_directory" {
  type        = string
  description = "Holds user-data (from packaging/cloud-init/build.yaml) and meta-data for the build machine."
}

variable "ssh_private_key_file" {
  type        = string
  description = "The key whose public half is in user-data. Both leave the image at power off."
}

variable "ssh_username" {
  type        = string
  default     = "rocky"
  description = "The account of the stock image that may use sudo."
}

variable "nodeagent" {
  type        = string
  default     = "target/x86_64-unknown-linux-gnu/release/nodeagent"
  description = "The one static binary; make static builds it."
}

variable "files" {
  type        = string
  description = "Directory with the offline artifacts; it is found as /var/tmp/build/files in the build machine."
}

variable "rke2_version" {
  type        = string
  description = "Such as v1.34.2+rke2r1. A new version is a new image."
}

variable "fips_enabled" {
  type        = bool
  default     = false
  description = "Build the FIPS variant."
}

variable "settings" {
  type        = map(string)
  default     = {}
  description = "Further variables of the profile, NAME = VALUE. No secrets: values are recorded in the image."
}

variable "skip" {
  type        = list(string)
  default     = []
  description = "Entries or kinds of the profile to leave out, by id; the manifest and every later audit say so."
}

variable "image_name" {
  type        = string
  default     = ""
  description = "Name of the image; by default rke2-rocky9-golden-DATE."
}

variable "output_directory" {
  type        = string
  default     = "output"
  description = "Where the qcow2 and its manifest are left."
}

variable "max_build_time" {
  type        = string
  default     = "60m"
  description = "Longest time that one step may take; downloads and reboots within it."
}

variable "accelerator" {
  type        = string
  default     = "kvm"
  description = "kvm, or tcg where there is no hardware virtualization."
}

locals {
  image_name = var.image_name != "" ? var.image_name : "rke2-rocky9-golden-${formatdate("YYYYMMDD", timestamp())}"
  settings = merge(var.settings, {
    rke2_version = var.rke2_version
    fips_enabled = var.fips_enabled
  })
  # A quote in a value must not end the shell's.
  set  = join(" ", [for name, value in local.settings : "--set '${replace("${name}=${value}", "'", "'\\''")}'"])
  skip = join(" ", [for id in var.skip : "--skip '${id}'"])
  bake = "/var/tmp/build/nodeagent bake --profile rke2-rocky9 --build-machine ${local.set} ${local.skip}"

  as_root = "sudo -n sh -eu {{ .Path }}"
  # Exit 6 means: reboot, then the same bake again. The shell stays until the reboot ends it, so that the next step
  # cannot begin before; it ends with 0, or the connection is lost first.
  bake_and_reboot = [
    "code=0; ${local.bake} || code=$?",
    "if [ $code != 6 ]; then exit $code; fi",
    "trap 'exit 0' TERM; systemctl reboot; sleep infinity & wait",
  ]
}

source "qemu" "rocky9" {
  iso_url          = var.source_image_url
  iso_checksum     = var.source_image_checksum
  disk_image       = true
  disk_interface   = "virtio-scsi"
  disk_discard     = "unmap"
  disk_compression = true
  format           = "qcow2"
  accelerator      = var.accelerator
  headless         = true
  cpus             = 2
  memory           = 4096
  disk_size        = "20G"
  net_device       = "virtio-net"
  cd_files         = ["${var.seed_directory}/user-data", "${var.seed_directory}/meta-data"]
  cd_label         = "cidata"
  vm_name          = "${local.image_name}.qcow2"
  output_directory = var.output_directory

  ssh_username         = var.ssh_username
  ssh_private_key_file = var.ssh_private_key_file
  ssh_timeout          = var.max_build_time

  # Only power off: nodeagent-close.service removes Packer's key and closes the seal after sshd has stopped.
  shutdown_command = "sudo -n systemctl poweroff"
  shutdown_timeout = "10m"
}

build {
  sources = ["source.qemu.rocky9"]

  # Not /tmp: a bake goes on after a reboot, and /tmp may not survive one.
  provisioner "shell" {
    inline = ["mkdir -m 0700 /var/tmp/build"]
  }
  provisioner "file" {
    source      = var.nodeagent
    destination = "/var/tmp/build/nodeagent"
  }
  provisioner "file" {
    source      = var.files
    destination = "/var/tmp/build"
  }

  # Twice, because FIPS may ask for a reboot of its own after that for a new kernel.
  provisioner "shell" {
    inline            = concat(["chmod 0755 /var/tmp/build/nodeagent"], local.bake_and_reboot)
    execute_command   = local.as_root
    expect_disconnect = true
    skip_clean        = true
    timeout           = var.max_build_time
  }
  provisioner "shell" {
    pause_before        = "20s"
    start_retry_timeout = "15m"
    inline              = local.bake_and_reboot
    execute_command     = local.as_root
    expect_disconnect   = true
    skip_clean          = true
    timeout             = var.max_build_time
  }
  # The proof: nothing is left to be done or to reboot for. A lost connection is a failure here.
  provisioner "shell" {
    pause_before        = "20s"
    start_retry_timeout = "15m"
    inline              = [local.bake, "nodeagent generalize ${local.skip}"]
    execute_command     = local.as_root
    skip_clean          = true
    timeout             = var.max_build_time
  }
  provisioner "file" {
    direction   = "download"
    source      = "/etc/packer-build/image-manifest.json"
    destination = "${local.image_name}.manifest.json"
  }

  # The exported file is what nodes boot from: it is judged, not the machine that it comes from.
  post-processor "shell-local" {
    inline = ["'${path.root}/../verify-image' '${var.output_directory}/${local.image_name}.qcow2' '${var.nodeagent}'"]
  }
}
