# The plugins that Packer 1.7 and later must be told of; `packer init packaging/packer/plugins` installs them.
# It is a folder of its own because Packer 1.6 has both builders built in and does not know this block.
packer {
  required_plugins {
    qemu = {
      source  = "github.com/hashicorp/qemu"
      version = "~> 1"
    }
    openstack = {
      source  = "github.com/hashicorp/openstack"
      version = "~> 1"
    }
  }
}
