#!/usr/bin/env bash
# The Redis and RabbitMQ that tests/jobs talks to and the Chromium of tests/page, from Debian's packages; does nothing where they are installed already.
# Debian would start both at once as services of the machine: the tests start their own, on loopback and free ports.
set -euo pipefail
missing=()
command -v chromium >/dev/null || missing+=(chromium)
command -v redis-server >/dev/null || missing+=(redis-server)
[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || command -v rabbitmq-server >/dev/null || missing+=(rabbitmq-server)
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "the tests need ${missing[*]}: install them, or run tests/install_servers.sh as root on Debian or Ubuntu." >&2
  exit 0 # the tests that need them say so and fail
fi
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
