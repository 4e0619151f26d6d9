# Usher: verbs only.  The work is done in extension/, listener/ and test/.
#
#	make demo	see it work: PostgreSQL, a Django site and usherd, privately
#	make check	install what is missing, build, run every test
#
# Both work from a clean clone on Debian 12, as root or with sudo.

PG_CONFIG ?= pg_config
export PG_CONFIG

all:
	$(MAKE) -C extension PG_CONFIG=$(PG_CONFIG)
	$(MAKE) -C listener all PG_CONFIG=$(PG_CONFIG)

demo:
	@test/deps.sh demo
	@$(MAKE) --no-print-directory all >/dev/null
	@exec /usr/bin/python3 test/demo.py

check:
	@test/deps.sh check
	@test/check.sh

# The tests on PostgreSQL 17 and 18, as root: Debian trixie and sid.
check-matrix:
	@test/matrix.sh

# Timed figures; nothing here passes or fails.
bench:
	@test/deps.sh bench
	@$(MAKE) --no-print-directory all >/dev/null
	@/usr/bin/python3 test/bench/bench.py

# Durable groups under every kind of failure: SECONDS (300) from seed SEED (a
# random one, printed), or SEEDS=10 one after another.  Network faults need
# root.  The reports are left in build/torture.
torture:
	@test/deps.sh torture
	@$(MAKE) --no-print-directory all >/dev/null
	@exec /usr/bin/python3 test/torture/torture.py \
		--seconds $(or $(SECONDS),300) --seeds $(or $(SEEDS),1) \
		$(if $(SEED),--seed $(SEED)) $(TORTURE)

# Each fuzz target for SECONDS (60).
fuzz:
	@test/deps.sh check
	@$(MAKE) -C test/fuzz run

# Into the system's PostgreSQL and /usr/local/sbin; see README, Installing.
install:
	$(MAKE) -C extension install PG_CONFIG=$(PG_CONFIG)
	$(MAKE) -C listener install PG_CONFIG=$(PG_CONFIG)

# The SQL tests against an installed extension and a running server.
installcheck:
	$(MAKE) -C extension installcheck PG_CONFIG=$(PG_CONFIG)

lint:
	@/usr/bin/python3 test/lint.py

format:
	clang-format -i extension/*.[ch] listener/*.[ch] test/unit/*.[ch] \
		test/fuzz/*.[ch] test/vectors/*.[ch] test/bench/*.[ch]

clean:
	-$(MAKE) -C extension clean PG_CONFIG=$(PG_CONFIG)
	$(MAKE) -C listener clean PG_CONFIG=$(PG_CONFIG)
	rm -rf build demo-data

.PHONY: all demo check check-matrix bench torture fuzz install installcheck \
	lint format clean
