#!/usr/bin/env bash
# Formatting, types and static analysis; `make lint` calls it with the compiler's flags in
# CHECK_FLAGS and a folder for the result. Every check runs, also after one has failed.
set -u
results=$1
tools=.venv/bin
node_tools=tests/lint/node_modules/.bin
passed=0 failed=0

check() {
    local name=$1
    shift
    if output=$("$@" 2>&1); then
        printf 'ok   %s\n' "$name"
        passed=$((passed + 1))
    else
        printf '%s\nFAIL %s\n' "$output" "$name"
        failed=$((failed + 1))
    fi
}

c_files() {
    find csrc tests/c tests/fuzz tests/conformance tests/bench -name '*.[ch]' 2>/dev/null | sort
}

js_files() {
    find frappe_rt tests -name node_modules -prune -o -name '*.[cm]js' -print -o -name '*.js' -print
}

format_c() {
    c_files | xargs "$tools/clang-format" --dry-run -Werror
}

tidy() {
    # Two at a time; -w leaves the compiler's warnings to the build, which has them as errors.
    find csrc -name '*.c' | sort |
        xargs -P "$(nproc)" -n 4 sh -c "$tools/clang-tidy --quiet \"\$@\" -- $CHECK_FLAGS -w" tidy
}

js_syntax() {
    local file status=0
    while read -r file; do
        case $file in
        # Node takes a .js file for CommonJS; read from standard input it can be told otherwise.
        *.js) node --check --input-type=module - <"$file" ;;
        *) node --check "$file" ;;
        esac || { echo "in $file" && status=1; }
    done < <(js_files)
    return $status
}

types() {
    # Under another name, since beside realtime.d.ts the compiler never reads realtime.js.
    mkdir -p build/lint
    ln -sf ../../frappe_rt/client/realtime.js build/lint/source.js
    ln -sf ../../frappe_rt/client/realtime.d.ts build/lint/realtime.d.ts
    "$node_tools/tsc" --project tests/lint
}

check 'clang-format' format_c
check 'clang-tidy' tidy
check 'ruff check' "$tools/ruff" check frappe_rt setup.py tests
check 'ruff format' "$tools/ruff" format --check frappe_rt setup.py tests
check 'mypy --strict' "$tools/mypy" --strict frappe_rt
check 'node --check' js_syntax
check 'eslint' "$node_tools/eslint" --config tests/lint/eslint.config.mjs frappe_rt tests
check 'tsc --strict' types

mkdir -p "$results"
echo "$passed passed, $failed failed" | tee "$results/lint"
[ "$failed" = 0 ]
