# SPDX-License-Identifier: GPL-2.0
# Entry points, see README.md. Each goal does the set-up that it needs, and only
# what has changed since. What can be chosen is listed there, too.

FLAVOR ?= vswap
torture: FLAVOR := $(if $(filter file,$(origin FLAVOR)),debug,$(FLAVOR))
SCRIPTS := scripts

# Scripts find their own way; only what make itself may be given is passed on.
export BUILD FLAVOR SRC KERNEL_SOURCE VSWAP_CACHE JOBS PARALLEL TESTS
export TIME SEED CPUS WITHOUT

.PHONY: help run test test-all torture cram shell kernel tree refresh series check bisect bench clean

help:
	@sed -n 's/^| `make \([^`]*\)` | \(.*\) |$$/make \1\n	\2/p' README.md

run:
	@$(SCRIPTS)/run.sh

test:
	@$(SCRIPTS)/test.sh

test-all:
	@$(SCRIPTS)/test.sh --all

torture:
	@$(SCRIPTS)/torture.sh

cram:
	@$(SCRIPTS)/cram.sh "$(FLAVOR)"

shell:
	@$(SCRIPTS)/prepare.sh "$(FLAVOR)"
	@$(SCRIPTS)/guest.sh "$(FLAVOR)" shell

kernel:
	@$(SCRIPTS)/prepare.sh --kernel "$(FLAVOR)"

tree:
	@$(SCRIPTS)/devtree.sh

refresh:
	@$(SCRIPTS)/refresh.sh

series:
	@$(SCRIPTS)/mail.sh

check:
	@$(SCRIPTS)/check.sh

bisect:
	@$(SCRIPTS)/bisect.sh

bench:
	@$(SCRIPTS)/bench.sh

clean:
	@$(SCRIPTS)/clean.sh
