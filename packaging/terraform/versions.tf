# The provider, and the oldest Terraform that has what is used here.
# It is separate because a site pins versions of its own.

terraform {
  required_version = ">= 1.1"
  required_providers {
    harvester = {
      source = "harvester/harvester"
    }
  }
}
