# Stands in for fips-mode-setup(8) of EL 9: policy, dracut's configuration, initramfs, boot entries; idempotent.
[ "$*" = "--enable" ] || exit 2
mkdir -p "$ROOT/etc/dracut.conf.d"
echo FIPS > "$ROOT/etc/crypto-policies/config"
echo FIPS > "$ROOT/etc/crypto-policies/state/current"
echo 'add_dracutmodules+=" fips "' > "$ROOT/etc/dracut.conf.d/40-fips.conf"
touch "$ROOT"/boot/initramfs-*.img
for entry in "$ROOT"/boot/loader/entries/*.conf; do
    grep -q "fips=1" "$entry" || sed -i 's/^options .*/& fips=1 boot=UUID=2/' "$entry"
done
echo "Please reboot the system for the setting to take effect."
