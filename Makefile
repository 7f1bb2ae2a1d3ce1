# Orchestrates: what to install, what to build, what to run. All logic is in cargo, the tests and the demo.
# Separate from cargo because it also installs distribution packages and fixes how the binary is linked.

TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
TRIPLE := x86_64-unknown-linux-gnu
RELEASE := $(TARGET_DIR)/$(TRIPLE)/release
BINARY := $(RELEASE)/nodeagent
# A binary that is given (BINARY=…) is taken as it is, else one is built.
GIVEN := $(filter command environment,$(firstword $(origin BINARY)))
BUILT := $(if $(GIVEN),,static)
PREFIX := /usr
SHARE = $(DESTDIR)$(PREFIX)/share

# What the build, the tests and the demo call, as Debian 12 packages.
PACKAGES := gcc libc6-dev binutils file ca-certificates \
  mmdebstrap apt-utils gnupg rpm createrepo-c \
  systemd systemd-container util-linux iproute2 procps bsdutils perl-base python3 groff-base openssh-client e2fsprogs \
  packer docker-registry openssl skopeo runc \
  protobuf-compiler nasm autoconf automake libtool

.PHONY: build deps static check test test-vm test-packer crash demo bench-boot bench-images bench-route fuzz install deb rpm clean

build:
	cargo build --locked

deps:
	@echo "distribution packages: $(strip $(PACKAGES))"
	@if ! command -v dpkg-query > /dev/null; then echo "not a Debian: what these are called here has to be there"; exit 0; fi; \
	missing=$$(for name in $(PACKAGES); do \
	  dpkg-query -W -f '$${db:Status-Status}' $$name 2>/dev/null | grep -qx installed || echo $$name; \
	done); \
	if [ -z "$$missing" ]; then exit 0; fi; \
	echo "missing:" $$missing; \
	if [ "$$(id -u)" != 0 ]; then echo "not root: install them, or run this as root" >&2; exit 1; fi; \
	apt-get -q update && \
	DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $$missing

# Static glibc: no musl target is needed, and the binary runs in any root. Nothing unwinds (panic = "abort"), so the
# tables for it stay out, and relative relocations are packed: together an eighth of the file.
STATIC := -C target-feature=+crt-static -C force-unwind-tables=no \
  -C link-arg=-Wl,-z,pack-relative-relocs -C link-arg=-Wl,-T,packaging/no-unwind.ld

# The demo's driver comes along: its dev-dependencies turn on features, and apart the two would compile half of all
# crates twice.
static: deps
	RUSTFLAGS="$(STATIC)" \
	  cargo build --locked --release --features isal --target $(TRIPLE) --bin nodeagent --example demo
	@file $(BINARY)
	@stat -c '%n: %s bytes' $(BINARY)

check: deps
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items

# The static binary is looked at by a test of its own. It inflates with ISA-L, the tests' own build without.
test: deps check static
	cargo test --locked -- --skip vm::
	cargo test --locked --features isal --lib -- store::inflate store::layer
	$(MAKE) test-vm

# An image baked in a VM, with the static binary, and then clones of it. One test at a time: emulation takes every processor
# there is.
test-vm: deps static
	cargo test --locked --test tests -- --test-threads 1 vm::

# A real `packer build` in QEMU: ten minutes or more where there is no hardware virtualization. BINARY=… as above.
test-packer: deps $(BUILT)
	@NODEAGENT_PROGRAM=$(abspath $(BINARY)) \
	  cargo test --locked --test tests -- --ignored --nocapture packaging::for_real

# The kills at random instants again, with other instants; NODEAGENT_CRASH_SEED=… gives those of an earlier run.
crash: deps
	cargo test --locked --test tests -- --nocapture killed_at_random_instants

demo: static
	@$(RELEASE)/examples/demo $(BINARY)

# A worker from power-on to RKE2 in QEMU, provisioned at boot and from the golden image, by turns (docs/bench-boot.md).
ROUNDS := 3
bench-boot: deps static
	@NODEAGENT_ROUNDS=$(ROUNDS) cargo test --locked --test tests -- --ignored --nocapture vm::bench

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

# Fuzzes what reads what strangers wrote, each target for so many seconds; wants a nightly toolchain (fuzz/README.md).
# No search for leaks: what a thread holds that is just ending is taken for one.
FUZZ_SECONDS := 60
FUZZ_TARGETS := $(shell sed -n '/^\[\[bin/,$$s/^name = "\(.*\)"/\1/p' fuzz/Cargo.toml)
FUZZ_FLAGS := --cfg fuzzing -Zsanitizer=address -Cpasses=sancov-module $(addprefix -Cllvm-args=-sanitizer-coverage-, \
  level=4 inline-8bit-counters pc-table trace-compares)
fuzz:
	cd fuzz && RUSTFLAGS="$(FUZZ_FLAGS)" cargo +nightly build --locked --release --target-dir target --target $(TRIPLE)
	@cd fuzz && mkdir -p artifacts && for name in $(FUZZ_TARGETS); do \
	  echo "== $$name" && mkdir -p corpus/$$name && TMPDIR=/dev/shm target/$(TRIPLE)/release/$$name -max_len=8192 -detect_leaks=0 \
	    -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=artifacts/$$name- corpus/$$name seeds/$$name || exit 1; \
	done

# Everything that a package installs, under DESTDIR.
# Of the policy the binary has its own copy: these are to read, and to start a site's fragments from.
DOC = $(SHARE)/doc/nodeagent
UNITS := $(wildcard units/*.service)
install: $(BUILT)
	install -D -m 0755 $(BINARY) $(DESTDIR)$(PREFIX)/bin/nodeagent
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/lib/systemd/system $(UNITS)
	install -D -m 0644 packaging/systemd/nodeagent.preset $(DESTDIR)$(PREFIX)/lib/systemd/system-preset/80-nodeagent.preset
	install -D -m 0644 packaging/systemd/nodeagent.tmpfiles $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/nodeagent.conf
	install -d $(addprefix $(SHARE)/,man/man1 bash-completion/completions zsh/site-functions fish/vendor_completions.d)
	$(BINARY) completions --man $(SHARE)/man/man1
	gzip -9nf $(SHARE)/man/man1/nodeagent*.1
	$(BINARY) completions bash > $(SHARE)/bash-completion/completions/nodeagent
	$(BINARY) completions zsh > $(SHARE)/zsh/site-functions/_nodeagent
	$(BINARY) completions fish > $(SHARE)/fish/vendor_completions.d/nodeagent.fish
	install -D -m 0644 -t $(DOC) README.md CHANGELOG.md packaging/THIRD-PARTY
	install -D -m 0644 -t $(DOC)/docs docs/*.md
	cd policy && find . -type f -exec install -D -m 0644 {} $(abspath $(DOC))/policy/{} \;

# Packages of one source are the same bytes: the times in them are that of the release, not of the build.
VERSION := $(shell sed -n '/^version = /{s/.*"\(.*\)"/\1/p;q}' Cargo.toml)
RELEASED := $(shell sed -n 's/^ -- .*>  //p;T;q' packaging/deb/changelog)
EPOCH := $(or $(SOURCE_DATE_EPOCH),$(shell date --utc --date='$(RELEASED)' +%s))
# Where the packages are left.
PACKAGES_DIR := $(TARGET_DIR)/packages

DEB := $(TARGET_DIR)/deb
DEB_ARCHITECTURE := amd64
DEB_COMPRESSION := xz
deb: $(BUILT)
	rm -rf $(DEB)
	mkdir -p $(PACKAGES_DIR)
	$(MAKE) install BINARY=$(BINARY) DESTDIR=$(abspath $(DEB))
	VERSION=$(VERSION) ARCHITECTURE=$(DEB_ARCHITECTURE) COMPRESSION=$(DEB_COMPRESSION) SOURCE_DATE_EPOCH=$(EPOCH) \
	  packaging/deb/build $(DEB) $(PACKAGES_DIR)/nodeagent_$(VERSION)_$(DEB_ARCHITECTURE).deb

# rpmbuild calls `install`; RPM_FLAGS="--define …" for what else it should know.
RPM := $(TARGET_DIR)/rpm
rpm: $(BUILT)
	rm -rf $(RPM)
	mkdir -p $(PACKAGES_DIR)
	SOURCE_DATE_EPOCH=$(EPOCH) rpmbuild --quiet -bb --build-in-place --define '_topdir $(abspath $(RPM))' \
	  --define '_rpmdir $(abspath $(PACKAGES_DIR))' --define '_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm' \
	  --define 'nodeagent_binary $(abspath $(BINARY))' --define 'nodeagent_version $(VERSION)' $(RPM_FLAGS) rpm.spec

clean:
	cargo clean
