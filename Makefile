# Orchestrates: what to install, what to build, what to run. All logic is in cargo, the tests and the demo.
# Separate from cargo because it also installs distribution packages and fixes how the binary is linked.

TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
TRIPLE := x86_64-unknown-linux-gnu
RELEASE := $(TARGET_DIR)/$(TRIPLE)/release
BINARY := $(RELEASE)/nodeagent
PREFIX := /usr
SHARE = $(DESTDIR)$(PREFIX)/share

# What the build, the tests and the demo call, as Debian 12 packages.
PACKAGES := gcc libc6-dev binutils file ca-certificates \
  mmdebstrap apt-utils gnupg rpm createrepo-c \
  systemd systemd-container util-linux iproute2 procps bsdutils perl-base python3 groff-base \
  packer docker-registry openssl skopeo runc \
  protobuf-compiler nasm autoconf automake libtool

.PHONY: build deps static check test crash demo bench-images bench-route install deb clean

build:
	cargo build --locked

deps:
	@echo "distribution packages: $(strip $(PACKAGES))"
	@missing=$$(for name in $(PACKAGES); do \
	  dpkg-query -W -f '$${db:Status-Status}' $$name 2>/dev/null | grep -qx installed || echo $$name; \
	done); \
	if [ -z "$$missing" ]; then exit 0; fi; \
	echo "missing:" $$missing; \
	if [ "$$(id -u)" != 0 ]; then echo "not root: install them, or run this as root" >&2; exit 1; fi; \
	apt-get -q update && \
	DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $$missing

# Static glibc: no musl target is needed, and the binary runs in any root. The demo's driver comes
# along: its dev-dependencies turn on features, and apart the two would compile half of all crates twice.
static: deps
	RUSTFLAGS="-C target-feature=+crt-static" \
	  cargo build --locked --release --features isal --target $(TRIPLE) --bin nodeagent --example demo
	@file $(BINARY)
	@stat -c '%n: %s bytes' $(BINARY)

check: deps
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items

# The static binary is looked at by a test of its own. It inflates with ISA-L, the tests' own build without.
test: deps check static
	cargo test --locked
	cargo test --locked --features isal --lib -- store::inflate store::layer

# The kills at random instants again, with other instants; NODEAGENT_CRASH_SEED=… gives those of an earlier run.
crash: deps
	cargo test --locked --test tests -- --nocapture killed_at_random_instants

demo: static
	@$(RELEASE)/examples/demo $(BINARY)

# Fills stores with the same images in every way there is, ours with either inflater; BENCH="--runs 5 --generation 2 …".
bench-images: deps
	cargo build --locked --release --bin nodeagent --example bench-images
	cargo build --locked --release --bin nodeagent --features isal --target-dir $(TARGET_DIR)/isal
	@$(TARGET_DIR)/release/examples/bench-images --ours zlib-rs=$(TARGET_DIR)/release/nodeagent \
	  --ours ISA-L=$(TARGET_DIR)/isal/release/nodeagent $(BENCH)

# An address event through the watcher and through the source's script, in the lab of the tests.
bench-route: deps
	cargo build --locked --release --bin nodeagent
	@NODEAGENT_PROGRAM=$(abspath $(TARGET_DIR))/release/nodeagent \
	  cargo test --locked --test tests -- --ignored --nocapture route::bench

install: static
	install -D -m 0755 $(BINARY) $(DESTDIR)$(PREFIX)/bin/nodeagent
	install -d $(addprefix $(SHARE)/,man/man1 bash-completion/completions zsh/site-functions fish/vendor_completions.d)
	$(BINARY) completions --man $(SHARE)/man/man1
	$(BINARY) completions bash > $(SHARE)/bash-completion/completions/nodeagent
	$(BINARY) completions zsh > $(SHARE)/zsh/site-functions/_nodeagent
	$(BINARY) completions fish > $(SHARE)/fish/vendor_completions.d/nodeagent.fish

# The package holds what `install` installs; debhelper has nothing to add for one static binary.
DEB := $(TARGET_DIR)/deb
DEB_COMPRESSION := xz
deb: static
	rm -rf $(DEB)
	$(MAKE) --old-file=static install DESTDIR=$(abspath $(DEB))
	gzip -9n $(DEB)$(PREFIX)/share/man/man1/*.1
	install -D -m 0644 packaging/deb/control $(DEB)/DEBIAN/control
	dpkg-deb -Z$(DEB_COMPRESSION) --root-owner-group --build $(DEB) $(TARGET_DIR)/nodeagent.deb

clean:
	cargo clean
