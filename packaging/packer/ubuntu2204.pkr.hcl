# The RKE2 node image on Ubuntu 22.04 for OpenStack and Cluster API: a build machine in Nova, one uploaded binary, an
# image in Glance. It is separate from Rocky's because another builder makes it; the steps inside are the same.
#
#   . openrc && packer build -var-file=site.pkrvars.hcl packaging/packer/ubuntu2204.pkr.hcl     (docs/building.md)

variable "source_image_name" {
  type        = string
  description = "Name of the stock Ubuntu 22.04 in Glance; for FIPS that of an Ubuntu Pro image."
}

variable "flavor" {
  type        = string
  description = "Flavor of the build machine; its disk holds all pre-pulled images twice."
}

variable "network_id" {
  type        = string
  description = "Network with working DHCP and metadata: a build that hangs in cloud-init has the wrong one."
}

variable "floating_ip_network" {
  type        = string
  default     = ""
  description = "Network to take a floating address from, where the build network cannot be reached directly."
}

variable "security_groups" {
  type        = list(string)
  default     = []
  description = "Security groups of the build machine; SSH must come through."
}

variable "user_data_file" {
  type        = string
  default     = ""
  description = "cloud-init data for the build machine, from packaging/cloud-init/build.yaml; Packer brings its own key."
}

variable "ssh_username" {
  type        = string
  default     = "ubuntu"
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
  description = "Such as v1.28.15+rke2r1. A new version is a new image."
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
  description = "Name of the image; by default rke2-node-vMAJOR.MINOR-DATE, which cluster wizards look for."
}

variable "retention_days" {
  type        = number
  default     = 90
  description = "For how long the image is kept at least: clusters rebuild nodes from the image they began with."
}

variable "max_build_time" {
  type        = string
  default     = "60m"
  description = "Longest time that one step may take; downloads and reboots within it."
}

locals {
  kubernetes = join(".", slice(split(".", var.rke2_version), 0, 2))
  image_name = var.image_name != "" ? var.image_name : "rke2-node-${local.kubernetes}-${formatdate("YYYYMMDD", timestamp())}"
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
  what   = "--profile rke2-ubuntu2204${local.policy} ${local.set} ${local.skip}"
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

source "openstack" "ubuntu2204" {
  image_name = local.image_name
  image_tags = ["rke2-node"]
  metadata = {
    rke2_version = var.rke2_version
    fips_enabled = var.fips_enabled
    retain_until = formatdate("YYYY-MM-DD", timeadd(timestamp(), "${var.retention_days * 24}h"))
  }
  source_image_filter {
    filters {
      name = var.source_image_name
    }
    most_recent = true
  }
  flavor              = var.flavor
  networks            = [var.network_id]
  floating_ip_network = var.floating_ip_network
  security_groups     = var.security_groups
  config_drive        = true
  user_data_file      = var.user_data_file

  ssh_username = var.ssh_username
  ssh_timeout  = var.max_build_time
}

build {
  sources = ["source.openstack.ubuntu2204"]

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

  # The builder stops the machine through Nova, which pulls the plug after a minute. Only power off, here:
  # nodeagent-close.service removes Packer's key and closes the seal after sshd has stopped.
  provisioner "shell" {
    inline            = ["systemctl poweroff"]
    execute_command   = local.as_root
    expect_disconnect = true
    skip_clean        = true
    pause_after       = "60s"
  }
}
