# What a site decides: where the image is, who may log in, which addresses the cluster announces.
# It is separate because nothing else here has to be edited.

variable "cluster_name" {
  type        = string
  description = "Name of the cluster."
}

variable "vm_namespace" {
  type        = string
  description = "Harvester namespace of the image and the machines."
}

variable "golden_image_name" {
  type        = string
  default     = null
  description = "Name of an image that Harvester already has, such as rke2-rocky9-golden-v1. This or golden_image_url."
}

variable "golden_image_url" {
  type        = string
  default     = null
  description = "Where Harvester downloads the qcow2 from. This or golden_image_name."
}

variable "storage_class_name" {
  type        = string
  default     = "harvester-longhorn"
  description = "Storage class of a downloaded image."
}

variable "ssh_authorized_keys" {
  type        = list(string)
  description = "Public keys of those who may log in to nodes. They change more often than images."
}

variable "ingress_pool_start" {
  type        = string
  description = "First address of the range that this cluster announces."
}

variable "ingress_pool_stop" {
  type        = string
  description = "Last address of the range that this cluster announces."
}

variable "ingress_interface" {
  type        = string
  default     = "eth1"
  description = "The ingress NIC: the name that the profile's role gives it, so that routing and announcements agree."
}

variable "package_update" {
  type        = bool
  default     = false
  description = "Patch each node at its first boot: fresher, and about half a minute slower."
}
