#!/bin/sh
# Takes out of a virtual environment what no service ever runs: slim.sh FOLDER. It needs binutils (strip).
#   pip, and what compiles protobuf files (a dependency of the event store's client, which never uses it) with its setuptools
#   the symbols of compiled modules, which debuggers read alone
set -eu
folder=$1
"$folder/bin/python" -m pip uninstall --quiet --yes grpcio-tools setuptools
find "$folder" -type f \( -name '*.so' -o -name '*.so.*' \) -exec strip --strip-unneeded {} +
# A venv brings its pip, and pip can't be asked to take itself out and leave nothing.
rm -rf "$folder"/lib/python*/site-packages/pip "$folder"/lib/python*/site-packages/pip-*.dist-info "$folder"/bin/pip*
