# Packages; see CONTRIBUTING.md. Each goes to .build/packages, from the programs of `make release` and a clean copy of
# the tree.
PACKAGES := .build/packages
WORK := .build/packaging

.PHONY: deb
deb: release
	@tools/install-dependencies packages
	@packaging/build-deb $(VERSION) $(WORK)/deb $(PACKAGES) $(BUILD)
