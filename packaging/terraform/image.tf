# The golden image: one that Harvester has, or one that it downloads.
# It is separate because this is the only file that changes with the way the image gets into Harvester.
#
# A pre-built image is a data source on purpose: Terraform then never replaces or deletes what running nodes boot from.
# With a VM template instead (docs/building.md, option C) machines name the template, and nothing here is needed.

data "harvester_image" "golden" {
  count     = var.golden_image_name == null ? 0 : 1
  name      = var.golden_image_name
  namespace = var.vm_namespace
}

resource "harvester_image" "golden" {
  count              = var.golden_image_url == null ? 0 : 1
  name               = "${var.cluster_name}-rocky9-golden"
  namespace          = var.vm_namespace
  display_name       = "${var.cluster_name}-rocky9-golden"
  source_type        = "download"
  url                = var.golden_image_url
  storage_class_name = var.storage_class_name
}

locals {
  # Exactly one of both, or Terraform says so here.
  golden_image    = one(concat(data.harvester_image.golden[*].name, harvester_image.golden[*].name))
  image_full_name = "${var.vm_namespace}/${local.golden_image}"
}
