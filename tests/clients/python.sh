# Sourced by the tests that use the Python OpenTelemetry SDK: installs it, as requirements.txt pins it, into a virtual
# environment under target/clients/venv and keeps it there. Knows nothing of who uses it.

# Sets `python` to the environment's interpreter; where there can be none, fails with the reason in `python_missing`.
# Packages that cannot be had end the script.
install_python() {
    local folder stamp requirements
    requirements=$root/tests/clients/requirements.txt
    folder=$target/clients/venv
    python=$folder/bin/python
    python_missing="python3 3.10 or newer is not there"
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || return 1
    stamp=$(cksum <"$requirements")
    [ "$(cat "$folder/stamp" 2>/dev/null)" = "$stamp" ] && return
    echo "installing the Python OpenTelemetry SDK"
    python_missing="python3 has no venv (Debian: python3-venv)"
    python3 -m venv --clear "$folder" || return 1
    "$python" -m pip install --quiet --disable-pip-version-check --no-deps -r "$requirements" || exit 1
    echo "$stamp" >"$folder/stamp"
}
