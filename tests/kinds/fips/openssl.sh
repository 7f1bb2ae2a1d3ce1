# Stands in for openssl(1): prints the providers that the test put in the tree.
[ "$*" = "list -providers" ] || exit 2
echo "Providers:"
cat "$ROOT/providers"
