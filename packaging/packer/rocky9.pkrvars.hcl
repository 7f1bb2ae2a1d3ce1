# Rocky 9 for Harvester, from the vendor's GenericCloud image.
# It is separate from the template because nothing else of it differs between distributions.
profile      = "rke2-rocky9"
ssh_username = "rocky"
image_prefix = "rke2-rocky9-golden"
