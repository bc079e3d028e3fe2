#!/bin/sh
# Takes out of a virtual environment what no service ever runs: slim.sh FOLDER. It needs binutils (strip).
#   pip, and what compiles protobuf files (a dependency of the event store's client, which never uses it) with its setuptools
#   what litestar's own command and its test data ask for; what colours source code on terminals
#   lxml, with which pyHanko reads lists of trusted authorities of the European Union; we are given our authorities as files
#   flask, of whose page for OpenAPI documents we serve the files alone
#   what describes modules to compilers and type checkers; the symbols of compiled modules, which debuggers read alone
set -eu
folder=$1
"$folder/bin/python" -m pip uninstall --quiet --yes \
  grpcio-tools setuptools faker polyfactory rich-click pygments markdown-it-py mdurl lxml \
  flask werkzeug itsdangerous blinker
find "$folder" -type f \( -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.c' -o -name '*.h' \) -delete
find "$folder" -type f \( -name '*.so' -o -name '*.so.*' \) -exec strip --strip-unneeded {} +
# A venv brings its pip, and pip can't be asked to take itself out and leave nothing.
rm -rf "$folder"/lib/python*/site-packages/pip "$folder"/lib/python*/site-packages/pip-*.dist-info "$folder"/bin/pip*
