# Everything here is also said in CONTRIBUTING.md; the gate itself is .ci/run.

.PHONY: check test race purego cross fmt vet lint generate fuzz bench size

FUZZCOUNT := 20000x

check: # all that a change must pass
	bash .ci/run

test race purego cross vet lint:
	bash .ci/run $@

fmt:
	gofmt -w .

generate: # assembly of the kernels, protobuf of the manifest
	go generate ./...

fuzz: # every fuzz target for a fixed number of inputs, one after the other
	@set -e; for dir in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
		for name in $$(cat $$dir/*_test.go | sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' | sort -u); do \
			echo "== $$dir $$name"; \
			go test -run='^$$' -fuzz="^$$name\$$" -fuzztime=$(FUZZCOUNT) $$dir; \
		done; \
	done

bench:
	go test -run='^$$' -bench=. -benchmem ./...

size: # lines of Go and assembly written by hand: folder, source, tests
	@find . -name .git -prune -o -name testdata -prune -o \( -name '*.go' -o -name '*.s' \) -print | \
		xargs grep -L '^// Code generated .* DO NOT EDIT\.$$' | xargs awk ' \
		FNR == 1 { split(FILENAME, part, "/"); folder = part[2]; test = FILENAME ~ /_test\.go$$/ } \
		{ if (test) tests[folder]++; else source[folder]++; seen[folder] } \
		END { for (f in seen) { printf "%-10s %7d %7d\n", f, source[f], tests[f]; s += source[f]; t += tests[f] } \
			printf "%-10s %7d %7d\n", "total", s, t }' | sort
