# How frappe_rt is built and tested. `make help` lists the targets; docs/development.md explains.
#
# setup.py alone knows where the libraries come from: `setup.py native_flags` writes
# build/native.mk, which is included below. Sources are found by wildcard: a new file in
# csrc/<layer>/ or tests/c/<layer>/ needs no change here.

PYTHON ?= python3
CC = gcc
CLANG ?= clang
FUZZ_SECONDS ?= 60

# One build directory per variant, so that switching back and forth recompiles nothing.
ifdef SANITIZE
VARIANT := $(if $(filter thread,$(SANITIZE)),tsan,asan)
SAN := $(if $(filter thread,$(SANITIZE)),-O1 -fsanitize=thread -fno-omit-frame-pointer, \
         -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
SITE := $(CURDIR)/build/$(VARIANT)/site
PY := $(CURDIR)/tests/sanitize/python
export FRAPPE_RT_VARIANT := $(VARIANT)
else
VARIANT := plain
SAN :=
SITE := $(CURDIR)
PY := $(CURDIR)/.venv/bin/python
endif
B := build/$(VARIANT)
EXTENSION := $(SITE)/frappe_rt/_rt.abi3.so
RESULTS := $(B)/results
CONFORMANCE := $(if $(SAN),$(B),build)/conformance

# All cores, unless -j was given.
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc)
endif
.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := build

.PHONY: help deps build demo test test-c test-fuzz test-py test-threads test-client lint format \
        bench bench-compare bench-accept profile guard fuzz conformance clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14
	@echo
	@echo 'SANITIZE=1        any test target, with AddressSanitizer and UndefinedBehaviorSanitizer'
	@echo 'LAYER=json        test-c: the tests of one layer only'
	@echo 'PYTEST="-k name"  test-py: more options for pytest'
	@echo 'FUZZ_SECONDS=60   fuzz: how long each target runs;  FUZZ=name: only that one'

deps: ## install what is missing on Debian (needs root, else says what to install)
	@.ci/deps all

demo: ## build what the demo needs, then start it and print its address
	@.ci/deps run
	@$(MAKE) --no-print-directory build
	@.venv/bin/python -m frappe_rt demo $(DEMO)

clean: ## remove everything that was built (but not .venv)
	rm -rf build frappe_rt/_rt.abi3.so

# ---- flags ---------------------------------------------------------------------------------------

# These targets run others in turn, and must work before there is a compiler.
ifneq ($(filter-out help deps demo test clean,$(or $(MAKECMDGOALS),build)),)
include build/native.mk
endif

build/native.mk: setup.py pyproject.toml csrc/python/exports.map | .venv/run.stamp
	@.venv/bin/python setup.py --quiet native_flags

WARNINGS := -Wall -Wextra -Wstrict-prototypes -Wpointer-arith -Werror
CPPFLAGS_OWN := -iquote csrc -iquote tests/c $(LIB_CFLAGS)
COMPILE = $(CC) -g -MMD -MP $(if $(filter build/third_party/%,$<),-w,$(WARNINGS)) \
          $(EXT_CFLAGS) -fPIC $(CPPFLAGS_OWN) $(SAN) $(CFLAGS)

# A program may use what its layer's link line names, so a test of json/ cannot lean on wire/.
# Included is less (tests/py/test_layers.py holds that table); this is its transitive closure.
LINK_base := base
LINK_json := json base
LINK_wire := wire base
LINK_engineio := engineio $(LINK_json) wire
LINK_socketio := socketio $(LINK_engineio)
LINK_frappe := frappe $(LINK_socketio)
LINK_net := net $(LINK_engineio)
LINK_config := config $(LINK_json)
LINK_hosts := hosts $(LINK_frappe)
LINK_publish := publish net $(LINK_frappe)
LINK_server := server config net $(LINK_hosts)
LINK_process := process publish $(LINK_server)
LAYERS := base json wire engineio socketio frappe net config hosts publish server process

sources = $(wildcard csrc/$(1)/*.c)
objects = $(patsubst %.c,$(1)/%.o,$(2))

# ---- the extension -------------------------------------------------------------------------------

build: $(EXTENSION) .venv/run.stamp ## compile the extension and make .venv (the default)

EXT_OBJECTS := $(call objects,$(B)/ext,$(foreach l,$(LAYERS) python,$(call sources,$(l))) $(LIB_SOURCES))

$(B)/ext/csrc/python/%.o: CPPFLAGS_OWN += $(PYTHON_CPPFLAGS)
$(B)/ext/%.o: %.c Makefile build/native.mk
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(COMPILE) -c $< -o $@

$(EXTENSION): $(EXT_OBJECTS) csrc/python/exports.map
	@mkdir -p $(@D)
	@echo "  LINK  $(patsubst $(CURDIR)/%,%,$@)"
	@$(CC) -shared $(SAN) $(EXT_OBJECTS) $(EXT_LDFLAGS) $(LIB_LDFLAGS) $(LDFLAGS) -o $@
	@! nm -D --undefined-only $@ | grep ' U rt_' # the linker lets a shared object lack symbols

# The sanitized module has its own copy of the package, made of links, so that neither variant can
# be imported in place of the other.
.PHONY: site
site: $(EXTENSION)
ifdef SANITIZE
build: site
	@find $(SITE) -type l -delete
	@ln -s $(filter-out %.so %__pycache__,$(wildcard $(CURDIR)/frappe_rt/*)) $(SITE)/frappe_rt/
	@ln -s $(CURDIR)/tests/sanitize/sitecustomize.py $(SITE)/
endif

# ---- the virtual environment ---------------------------------------------------------------------

# The checkout itself is on the path, through a .pth file: Python files need no installing.
.venv/run.stamp: pyproject.toml
	@echo "  VENV  .venv"
	@$(PYTHON) -m venv .venv
	@.venv/bin/pip install --quiet --disable-pip-version-check 'setuptools>=77'
	@.venv/bin/python setup.py --quiet requirements > .venv/run.txt
	@.venv/bin/pip install --quiet --disable-pip-version-check -r .venv/run.txt
	@echo '$(CURDIR)' > "$$(.venv/bin/python -c 'import site; print(site.getsitepackages()[0])')/frappe_rt.pth"
	@touch $@

.venv/%.stamp: pyproject.toml .venv/run.stamp
	@echo "  PIP   $*"
	@.venv/bin/python setup.py --quiet requirements --extra $* > .venv/$*.txt
	@.venv/bin/pip install --quiet --disable-pip-version-check -r .venv/$*.txt
	@touch $@

# ---- tests ---------------------------------------------------------------------------------------

SUITES := test-c test-fuzz test-py test-client

test: ## everything: install what is missing, build, run all the tests
	@.ci/deps all
	@rm -rf $(RESULTS) && mkdir -p $(RESULTS)
	@$(MAKE) --no-print-directory build
	@failed=; for suite in $(SUITES); do \
	    $(MAKE) --no-print-directory $$suite && continue; \
	    failed="$$failed $$suite"; result=$(RESULTS)/$${suite#test-}; \
	    ls $$result* > /dev/null 2>&1 || echo '0 passed, 1 failed' > $$result; \
	 done; \
	 .venv/bin/python tests/summary.py $(RESULTS) && test -z "$$failed" || \
	 { echo "failed:$$failed"; exit 1; }

# C tests link against archives in which the n-th allocation can be made to fail.
TEST_SOURCES := $(wildcard $(foreach l,$(or $(LAYER),*),tests/c/$(l)/test_*.c))
TEST_PROGRAMS := $(patsubst tests/c/%.c,$(B)/tests/%,$(TEST_SOURCES))
SUPPORT_OBJECTS := $(call objects,$(B)/test,$(wildcard tests/c/support/*.c))

$(B)/test/%.o: %.c Makefile build/native.mk
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(COMPILE) -DRT_ALLOC_FAULTS -c $< -o $@

define ARCHIVE # variant directory, name, objects
$(1)/lib$(2).a: $(3)
	@mkdir -p $$(@D)
	@rm -f $$@
	@ar rcs $$@ $(3)
endef
$(foreach l,$(LAYERS),$(eval $(call ARCHIVE,$(B)/test,$(l),$(call objects,$(B)/test,$(call sources,$(l))))))
$(eval $(call ARCHIVE,$(B)/test,third_party,$(call objects,$(B)/ext,$(LIB_SOURCES))))

# A test that counts calls has functions that stand in front of these.
WRAPPED_test_leaving := rt_map_get rt_map_put rt_map_del rt_map_next rt_sio_room_member
# So has one that takes a library away.
WRAPPED_test_no_libcurl := dlopen dlerror

define TEST_PROGRAM # program, source, layer
$(1): $(call objects,$(B)/test,$(2)) $(SUPPORT_OBJECTS) $(patsubst %,$(B)/test/lib%.a,$(or $(LINK_$(3)),$(LAYERS)) third_party)
	@mkdir -p $$(@D)
	@echo "  LINK  $$@"
	@$(CC) $(SAN) -Wl,--start-group $$^ -Wl,--end-group $(LIB_LDFLAGS) -lcmocka $(LDFLAGS) $$(WRAPPED_$$(@F):%=-Wl,--wrap=%) -o $$@
endef
layer_of = $(word 3,$(subst /, ,$(1)))
$(foreach s,$(TEST_SOURCES),$(eval $(call TEST_PROGRAM,$(patsubst tests/c/%.c,$(B)/tests/%,$(s)),$(s),$(call layer_of,$(s)))))

test-c: $(TEST_PROGRAMS) ## the C unit tests
	@mkdir -p $(RESULTS)
	@$(PYTHON) tests/run_programs.py --results $(RESULTS)/c $(TEST_PROGRAMS)

BENCH_PROGRAMS := build/bench/load build/bench/web build/bench/floor # their honesty is tested, too
test-py: build conformance $(BENCH_PROGRAMS) .venv/test.stamp ## the Python tests
	@mkdir -p $(RESULTS)
	FRAPPE_RT_CONFORMANCE=$(CURDIR)/$(CONFORMANCE) \
	$(PY) -m pytest --junitxml=$(RESULTS)/py.xml $(PYTEST)

# What several threads and a fork meet, under ThreadSanitizer: a report anywhere is a failure. It
# cannot start threads in a forked child, so the tests of that are left out.
THREAD_LAYERS := process publish server
THREAD_TESTS := $(addprefix tests/py/test_,bench_forks.py loading.py server.py stop.py)
THREAD_REPORTS := build/tsan/reports
ifeq ($(SANITIZE),thread)
test-threads: build .venv/test.stamp
	@mkdir -p $(RESULTS) && rm -rf $(THREAD_REPORTS) && mkdir -p $(THREAD_REPORTS)
	@$(MAKE) --no-print-directory test-c LAYER="$(THREAD_LAYERS)"
	TSAN_OPTIONS=log_path=$(CURDIR)/$(THREAD_REPORTS)/report \
	$(PY) -m pytest --junitxml=$(RESULTS)/py.xml $(THREAD_TESTS) -k "not may_start_its_own and not start_with_handlers"
	@cat $(THREAD_REPORTS)/* 2>/dev/null || true
	@test -z "$$(ls $(THREAD_REPORTS))"
else
test-threads: ## the tests of threads and forks under ThreadSanitizer
	@$(MAKE) --no-print-directory test-threads SANITIZE=thread
endif

# The Socket.IO clients from npm under Node, and a real Chromium.
NODE_MODULES := tests/client/node_modules/.stamp
$(NODE_MODULES): $(wildcard tests/client/package.json tests/client/package-lock.json)
	cd tests/client && npm ci --no-audit --no-fund
	@touch $@

test-client: build conformance $(NODE_MODULES) ## the tests with real clients and a browser
	@mkdir -p $(RESULTS) $(B)/artifacts
	FRAPPE_RT_PYTHON=$(PY) FRAPPE_RT_ARTIFACTS=$(CURDIR)/$(B)/artifacts \
	FRAPPE_RT_CONFORMANCE=$(CURDIR)/$(CONFORMANCE) \
	timeout 1200 node --test --test-reporter=spec --test-reporter-destination=stdout \
	    --test-reporter=tap --test-reporter-destination=$(RESULTS)/client.tap \
	    $(wildcard tests/client/*.test.mjs)

# ---- fuzzing -------------------------------------------------------------------------------------

# libFuzzer drives what does no I/O, compiled with clang and its sanitizers. Each target links the
# archive of all layers, of which only the objects it needs come along.
FUZZ_TARGETS := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_$(or $(FUZZ),*).c))
FUZZ_FLAGS := -g -O1 -std=gnu11 -w -fno-sanitize-recover=all
FUZZ_LIBRARY := build/fuzz/libfuzz.a

build/fuzz/obj/%.o: %.c Makefile build/native.mk
	@mkdir -p $(@D)
	@$(CLANG) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link,address,undefined -MMD -MP $(CPPFLAGS_OWN) -c $< -o $@

build/fuzz/fuzz_%: build/fuzz/obj/tests/fuzz/fuzz_%.o $(FUZZ_LIBRARY)
	@echo "  FUZZ  $@"
	@$(CLANG) -fsanitize=fuzzer,address,undefined $^ $(LIB_LDFLAGS) -o $@

$(FUZZ_LIBRARY): $(call objects,build/fuzz/obj,$(foreach l,$(LAYERS),$(call sources,$(l))) $(LIB_SOURCES))
	@rm -f $@
	@ar rcs $@ $^

fuzz: $(FUZZ_TARGETS:%=build/fuzz/fuzz_%) ## run each fuzz target for FUZZ_SECONDS
	@for name in $(FUZZ_TARGETS); do \
	    mkdir -p build/fuzz/corpus/$$name build/fuzz/crashes/$$name; \
	    echo "$$name, $(FUZZ_SECONDS) s"; \
	    build/fuzz/fuzz_$$name -max_total_time=$(FUZZ_SECONDS) -timeout=10 -print_final_stats=1 \
	        -artifact_prefix=build/fuzz/crashes/$$name/ build/fuzz/corpus/$$name \
	        $$(ls -d tests/fuzz/corpus/$$name 2>/dev/null) > build/fuzz/$$name.log 2>&1 || \
	        { tail -n 60 build/fuzz/$$name.log; exit 1; }; \
	    grep -E 'number_of_executed_units|new_units_added' build/fuzz/$$name.log; \
	 done

# The seeds, and whatever a fuzzer once found, as an ordinary test: always under the sanitizers.
REPLAYS := $(FUZZ_TARGETS:%=$(B)/replay/%)
ifdef SANITIZE
$(B)/replay/%: $(B)/test/tests/fuzz/fuzz_%.o $(B)/test/tests/fuzz/replay.o \
               $(LAYERS:%=$(B)/test/lib%.a) $(B)/test/libthird_party.a
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(CC) $(SAN) -Wl,--start-group $^ -Wl,--end-group $(LIB_LDFLAGS) $(LDFLAGS) -o $@

test-fuzz: $(REPLAYS) ## replay the fuzz corpora under the sanitizers
	@mkdir -p $(or $(REPLAY_RESULTS),$(RESULTS))
	@$(PYTHON) tests/run_programs.py --results $(or $(REPLAY_RESULTS),$(RESULTS))/fuzz \
	    $(foreach f,$(FUZZ_TARGETS),"$(B)/replay/$(f) tests/fuzz/corpus/$(f)")
else
test-fuzz:
	@$(MAKE) --no-print-directory test-fuzz SANITIZE=1 REPLAY_RESULTS=$(RESULTS)
endif

# ---- programs and checks -------------------------------------------------------------------------

# A Socket.IO server without Frappe and without Python: proof that those layers stand alone.
CONFORMANCE_SOURCES := $(wildcard tests/conformance/*.c)
conformance: $(CONFORMANCE) ## the bare Socket.IO server for the public protocol suites
$(CONFORMANCE): $(call objects,$(B)/ext,$(CONFORMANCE_SOURCES) $(foreach l,socketio $(LINK_net),$(call sources,$(l))) $(LIB_SOURCES))
	@echo "  LINK  $@"
	@$(CC) $(SAN) $^ $(LIB_LDFLAGS) $(LDFLAGS) -o $@

# ---- benchmarks ----------------------------------------------------------------------------------

# The load generator, the web process and the floor know nothing of csrc/. The other contenders are
# installed where they can be; the table says which is not there, and why.
build/bench/load: $(wildcard tests/bench/load/*.c tests/bench/load/*.h)
build/bench/web: tests/bench/web.c
build/bench/floor: tests/bench/peers/floor.c
$(BENCH_PROGRAMS): Makefile
	@mkdir -p $(@D)
	@echo "  CC    $@"
	@$(CC) -std=gnu11 -D_GNU_SOURCE -O2 -g $(WARNINGS) $(filter %.c,$^) -o $@

PEER_MODULES := tests/bench/peers/node_modules/.stamp
$(PEER_MODULES): tests/bench/peers/package.json tests/bench/peers/package-lock.json
	cd tests/bench/peers && npm ci --no-audit --no-fund
	@touch $@

.PHONY: bench-peers
bench-peers:
	@$(MAKE) --no-print-directory -k .venv/peers.stamp $(PEER_MODULES) || \
	    echo 'not every contender can be installed here'

OTHER_BENCHMARKS := $(filter-out %/bench_server.py,$(wildcard tests/bench/bench_*.py))
bench: build $(BENCH_PROGRAMS) bench-peers .venv/test.stamp .venv/bench.stamp ## speed and memory beside the peers; BENCH="--quick", "--only fanout"
	@$(PY) tests/bench/bench_server.py $(BENCH)
ifeq ($(BENCH),)
	@for bench in $(OTHER_BENCHMARKS); do $(PY) $$bench || exit 1; done
endif

bench-compare: ## the last `make bench` against docs/bench.json
	@$(PYTHON) tests/bench/compare.py docs/bench.json build/bench.json

bench-accept: .venv/run.stamp ## keep the last `make bench`: docs/bench.json, and the table of docs/performance.md
	@$(PY) tests/bench/accept.py

profile: build $(BENCH_PROGRAMS) ## where the CPU goes under the same loads: build/profile/*.txt
	@$(PY) tests/bench/profile_server.py $(PROFILE)

guard: build $(BENCH_PROGRAMS) build/bench/marks.so .venv/test.stamp ## instructions per delivery, connect and publish; GUARD=--record
	@$(PY) tests/bench/guard.py $(GUARD)

build/bench/marks.so: tests/bench/marks.c Makefile
	@mkdir -p $(@D)
	@echo "  CC    $@"
	@$(CC) -std=gnu11 -O2 $(WARNINGS) -shared -fPIC $< -o $@

LINT_MODULES := tests/lint/node_modules/.stamp
$(LINT_MODULES): tests/lint/package.json tests/lint/package-lock.json
	cd tests/lint && npm ci --no-audit --no-fund
	@touch $@

lint: export CHECK_FLAGS = -std=gnu11 -DRT_ALLOC_FAULTS $(CPPFLAGS_OWN) $(PYTHON_CPPFLAGS)
lint: .venv/lint.stamp .venv/test.stamp $(LINT_MODULES) build/native.mk ## formatting, types and static analysis
	@tests/lint.sh $(RESULTS)

format: .venv/lint.stamp ## format C and Python files in place, with the versions lint uses
	@find csrc tests -name node_modules -prune -o -name '*.[ch]' -print | xargs .venv/bin/clang-format -i
	@.venv/bin/ruff format --quiet frappe_rt setup.py tests

-include $(shell find build -name '*.d' 2>/dev/null)
