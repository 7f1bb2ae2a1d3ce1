# Stands in for the Ubuntu Pro client: its status is what the test says, enabling brings a kernel and an entry for it.
case $1 in
status)
    cat "$ROOT/pro.json"
    ;;
enable)
    [ "$2" = fips-updates ] || exit 2
    touch "$ROOT/boot/vmlinuz-5.15.0-73-fips"
    entry="linux /boot/vmlinuz-5.15.0-73-fips root=LABEL=root ro"
    printf 'menuentry FIPS {\n\t%s fips=1\n}\nmenuentry recovery {\n\t%s single\n}\n' "$entry" "$entry" > "$ROOT/boot/grub/grub.cfg"
    echo "A reboot is required to complete install."
    ;;
*)
    exit 2
    ;;
esac
