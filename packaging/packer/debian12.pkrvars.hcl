# Debian 12, from the vendor's genericcloud image.
# It is separate from the template because nothing else of it differs between distributions.
profile      = "rke2-debian12"
ssh_username = "debian"
image_prefix = "rke2-debian12-golden"
