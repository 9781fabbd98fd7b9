# Packages; see CONTRIBUTING.md. Each goes to .build/packages, made from the programs of `make release` and a clean copy
# of the tree.
PACKAGES := .build/packages
WORK := .build/packaging

.PHONY: deb rpm dist bindist packages check-packages check-reproducible release-check
deb: release
	@tools/install-dependencies packages
	@packaging/build-deb $(VERSION) $(WORK)/deb $(PACKAGES) $(BUILD)

rpm: release dist
	@tools/install-dependencies packages
	@packaging/build-rpm $(VERSION) $(WORK)/rpm $(PACKAGES) $(PACKAGES)/ksmtuned-$(VERSION).tar.gz $(BUILD)

dist:
	@packaging/build-dist $(VERSION) $(PACKAGES)

bindist: release
	@packaging/build-bindist $(VERSION) $(WORK)/bindist $(PACKAGES) $(BUILD)

packages: deb rpm dist bindist

# What they need is installed here where that can be done, and otherwise this part of `make check` is skipped.
check-packages: release
	@tools/install-dependencies packages
	@for program in dpkg-buildpackage:dpkg-dev dh:debhelper dh_apparmor:dh-apparmor rpmbuild:rpm; do \
	    command -v $${program%:*} > /dev/null || { \
	        echo "SKIP packages: no $${program%:*} here (package $${program#*:})"; exit 0; }; \
	done; \
	$(MAKE) --no-print-directory packages && Tests/host/run packages $(ARGS)

# A second build of everything, from nothing.
check-reproducible: packages
	@tools/check-reproducible $(VERSION) $(PACKAGES)

# TRIAL=1: also where not all is in a version yet.
release-check:
	@tools/release-check $(if $(TRIAL),--trial) $(VERSION) $(PACKAGES)
