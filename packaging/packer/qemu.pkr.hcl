# An RKE2 node image as a qcow2, for Harvester and whatever else starts VMs: a stock cloud image in QEMU, nodeagent uploaded.
# It is separate from Ubuntu's because another builder makes it; what is done inside is nodeagent's profile in both.
#
#   packer build -var-file=packaging/packer/rocky9.pkrvars.hcl -var-file=site.pkrvars.hcl packaging/packer/qemu.pkr.hcl
#   packer build -var-file=packaging/packer/debian12.pkrvars.hcl -var-file=site.pkrvars.hcl packaging/packer/qemu.pkr.hcl

variable "profile" {
  type        = string
  description = "The profile of nodeagent that fits the stock image."
}

variable "source_image_url" {
  type        = string
  description = "The stock cloud image, a qcow2: a URL or a path."
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
  description = "The account of the stock image that may use sudo; it is removed when the machine powers off."
}

variable "nodeagent" {
  type        = string
  default     = "target/x86_64-unknown-linux-gnu/release/nodeagent"
  description = "The one static binary; make static builds it."
}

variable "package" {
  type        = string
  default     = ""
  description = "A .deb or .rpm of it (make deb, make rpm) to be installed instead; empty: the bare binary installs itself."
}

variable "files" {
  type        = string
  description = "A directory named files, with RKE2's release files in files/rke2; it is /var/tmp/build/files in the build machine."
}

variable "policy" {
  type        = string
  default     = ""
  description = "A directory with the site's own fragments of the policy, added to the shipped ones; empty: none."
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
  description = "Entries or kinds of the profile to leave out, by id, if the image meets them without; every later audit says so."
}

variable "image_name" {
  type        = string
  default     = ""
  description = "Name of the image; by default the prefix and the date."
}

variable "image_prefix" {
  type        = string
  description = "What the names of all images of this kind begin with."
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

variable "disk_size" {
  type        = string
  default     = "20G"
  description = "Size of the disk; the stock image's own at least. Nodes grow it to theirs."
}

variable "qemuargs" {
  type        = list(list(string))
  default     = []
  description = "More arguments of QEMU, such as [[\"-cpu\", \"host\"]]; one that Packer gives too is replaced."
}

locals {
  image_name = var.image_name != "" ? var.image_name : "${var.image_prefix}-${formatdate("YYYYMMDD", timestamp())}"
  settings = merge({ rke2_artifacts = "/var/tmp/build/files/rke2" }, var.settings, {
    rke2_version  = var.rke2_version
    fips_enabled  = var.fips_enabled
    build_account = var.ssh_username
  })
  # A quote in a value must not end the shell's.
  set  = join(" ", [for name, value in local.settings : "--set '${replace("${name}=${value}", "'", "'\\''")}'"])
  skip = join(" ", [for id in var.skip : "--skip '${id}'"])
  # Not /run: programs cannot be run there on Debian with an initramfs. Not /tmp: it may not survive a reboot.
  upload  = var.package != "" ? var.package : var.nodeagent
  file    = "/var/tmp/build/${basename(local.upload)}"
  program = var.package != "" ? "/usr/bin/nodeagent" : local.file
  install = var.package == "" ? "chmod 0755 '${local.file}'" : (
    reverse(split(".", var.package))[0] == "deb" ? "dpkg --install '${local.file}'" : "rpm --upgrade --replacepkgs '${local.file}'"
  )
  policy = var.policy != "" ? " --policy '/var/tmp/build/${basename(var.policy)}'" : ""
  what   = "--profile ${var.profile}${local.policy} ${local.set} ${local.skip}"
  bake   = "${local.program} bake --build-machine ${local.what}"

  as_root = "sudo -n sh -eu {{ .Path }}"
  # Exit 6 means: reboot, then the same bake again. The shell stays until the reboot ends it, so that the next step
  # cannot begin before; it ends with 0, or the connection is lost first.
  bake_and_reboot = [
    "code=0; ${local.bake} || code=$?",
    "if [ $code != 6 ]; then exit $code; fi",
    "trap 'exit 0' TERM; systemctl reboot; sleep infinity & wait",
  ]
}

source "qemu" "node" {
  iso_url          = var.source_image_url
  iso_checksum     = var.source_image_checksum
  disk_image       = true
  disk_interface   = "virtio"
  disk_discard     = "unmap"
  disk_compression = true
  format           = "qcow2"
  accelerator      = var.accelerator
  headless         = true
  qemuargs         = var.qemuargs
  cpus             = 2
  memory           = 4096
  disk_size        = var.disk_size
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
  sources = ["source.qemu.node"]

  provisioner "shell" {
    inline = ["mkdir -m 0700 /var/tmp/build"]
  }
  provisioner "file" {
    source      = local.upload
    destination = "/var/tmp/build/"
  }
  provisioner "file" {
    sources     = compact([var.files, var.policy])
    destination = "/var/tmp/build"
  }

  # The files become root's: what others may change is not installed.
  # Twice, because FIPS may ask for a reboot of its own after that for a new kernel.
  provisioner "shell" {
    inline            = concat(["chown -R root:root /var/tmp/build", local.install], local.bake_and_reboot)
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
    inline              = [local.bake, "${local.program} plan ${local.what}", "nodeagent generalize ${local.skip}"]
    execute_command     = local.as_root
    skip_clean          = true
    timeout             = var.max_build_time
  }
  provisioner "file" {
    direction   = "download"
    source      = "/etc/packer-build/image-manifest.json"
    destination = "${local.image_name}.manifest.json"
  }

  # The exported file is what nodes boot from: it is judged, not the machine that it comes from. Its manifest takes the place
  # of the downloaded one, which the closing unit has completed since.
  post-processor "shell-local" {
    inline = ["'${path.root}/../verify-image' '${var.output_directory}/${local.image_name}.qcow2' '${var.nodeagent}' '${local.image_name}.manifest.json'"]
  }
}
