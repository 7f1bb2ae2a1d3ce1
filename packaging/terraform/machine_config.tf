# User data of the nodes: what the image cannot hold because it is the cluster's own.
# It is separate from the image because machine configurations refer to these two locals alone.
#
# rancher2_machine_config_v2 stays as it is: user_data = local.user_data_cp or local.user_data_worker, and
# disk_info with imageName = local.image_full_name.

locals {
  user_data_cp = templatefile("${path.module}/../cloud-init/control-plane.yaml", {
    ssh_authorized_keys = var.ssh_authorized_keys
    package_update      = var.package_update
    ingress_pool_start  = var.ingress_pool_start
    ingress_pool_stop   = var.ingress_pool_stop
    ingress_interface   = var.ingress_interface
  })

  user_data_worker = templatefile("${path.module}/../cloud-init/worker.yaml", {
    ssh_authorized_keys = var.ssh_authorized_keys
    package_update      = var.package_update
  })
}
