# SPDX-License-Identifier: GPL-2.0
# Entry points, see README.md. Each goal does the set-up that it needs, and only
# what has changed since. What can be chosen is listed there, too.

FLAVOR ?= vswap
torture: FLAVOR := $(if $(filter file,$(origin FLAVOR)),debug,$(FLAVOR))
SCRIPTS := scripts

# Scripts find their own way; only what make itself may be given is passed on.
export BUILD FLAVOR SRC KERNEL_SOURCE VSWAP_CACHE JOBS PARALLEL TESTS
export TIME SEED CPUS WITHOUT

# What a goal would ignore is a mistake. Where the environment has it, it may be meant
# for another one.
takes-FLAVOR := torture cram shell kernel
takes-TESTS := test test-all
takes-TIME := torture test test-all
takes-SEED := $(takes-TIME)
takes-CPUS := $(takes-TIME)
takes-WITHOUT := $(takes-TIME)
refuse = $(foreach g,$(or $(MAKECMDGOALS),help),$(if $(filter $(g),$(takes-$(1))),,\
	$(error make $(g) takes no $(1); it is for: $(takes-$(1)))))
$(foreach v,FLAVOR TESTS TIME SEED CPUS WITHOUT,\
	$(if $(filter command,$(origin $(v))),$(call refuse,$(v))))

.PHONY: help run quick test test-all torture cram shell kernel tree refresh series check bisect bench clean

help:
	@sed -n 's/^| `make \([^`]*\)` | \(.*\) |$$/make \1\n	\2/p' README.md | tr -d '`'
	@echo 'README.md has the variables, too.'

run:
	@$(SCRIPTS)/run.sh

quick:
	@TESTS="check uml" $(SCRIPTS)/test.sh

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
