#!/bin/sh
# Installs the servers that integration tests start.  Does nothing where they are there already.
set -eu

PACKAGES="git openssh-client openssh-server redis-server mosquitto rabbitmq-server"
missing=""
for package in $PACKAGES; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "Install these servers, which the tests start, with your package manager:$missing" >&2
    exit 1
fi
sudo=""
[ "$(id -u)" -eq 0 ] || sudo="sudo"
echo "Installing test servers:$missing"
# The packages must not start services of their own.
export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
$sudo apt-get update -qq
$sudo apt-get install -qq -y --no-install-recommends $missing >/dev/null
