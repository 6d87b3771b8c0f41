# The machine's PostgreSQL as a private cluster on 127.0.0.1 with its default durability (fsync on), TLS and
# scram-sha-256 passwords; superuser postgres / postgres-secret.

# The folder of initdb, pg_ctl and postgres: pg_config's, or the newest known one.
postgres_programs() {
  local folder
  for folder in "$(pg_config --bindir 2>/dev/null || true)" \
    $(printf '%s\n' /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql@*/bin /usr/local/opt/postgresql@*/bin | sort -rV) \
    /usr/local/bin /usr/bin; do
    if [ -x "$folder/initdb" ] && [ -x "$folder/pg_ctl" ] && [ -x "$folder/postgres" ]; then echo "$folder"; return; fi
  done
  return 1
}

postgres_install() {
  if postgres_programs >/dev/null; then return; fi
  say "postgres: installing"
  if command -v apt-get >/dev/null; then
    # Without this setting the package would create and start its own cluster.
    if [ "$(id -u)" = 0 ] && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
      mkdir -p /etc/postgresql-common
      echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
    fi
    apt_install postgresql || fail "postgres: cannot be installed here: apt-get install postgresql"
  elif command -v brew >/dev/null; then
    brew install --quiet postgresql@17 >&2
  fi
  postgres_programs >/dev/null || fail "postgres: install PostgreSQL 14 or newer, or put its pg_config on PATH"
}

# PostgreSQL refuses to run as root.
postgres_as() {
  if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

postgres_start() {
  if running postgres; then return; fi
  local dir=$data/postgres port programs options attempt
  programs=$(postgres_programs) || fail "postgres: not installed: dev/servers up"
  port=$(port_of postgres 1)
  cp "$data/tls/server.crt" "$data/tls/server.key" "$data/tls/ca.crt" "$dir"
  chmod 600 "$dir/server.key"
  printf 'postgres-secret' >"$dir/password"
  if [ "$(id -u)" = 0 ]; then chown -R postgres "$dir"; fi
  if [ ! -e "$dir/data/PG_VERSION" ]; then
    (cd "$dir" && postgres_as "$programs/initdb" -D "$dir/data" -U postgres -E UTF8 --locale=C \
      --auth=scram-sha-256 --pwfile="$dir/password" >"$dir/initdb.log" 2>&1) \
      || { cat "$dir/initdb.log" >&2; fail "postgres: initdb failed"; }
  fi
  options="-p $port -c unix_socket_directories='' -c listen_addresses=127.0.0.1 -c max_connections=300"
  options+=" -c ssl=on -c ssl_cert_file=$dir/server.crt -c ssl_key_file=$dir/server.key -c ssl_ca_file=$dir/ca.crt"
  # After kill -9 the old server's children take a moment to end.
  for ((attempt = 0; ; attempt++)); do
    if (cd "$dir" && postgres_as "$programs/pg_ctl" -s -w -t 60 -D "$dir/data" -l "$dir/log" -o "$options" start \
      >"$dir/pg_ctl.log" 2>&1 9>&-); then break; fi
    if ((attempt == 10)); then cat "$dir/pg_ctl.log" "$dir/log" >&2; fail "postgres did not start"; fi
    sleep 0.5
  done
  head -n 1 "$dir/data/postmaster.pid" >"$dir/pid"
  say "postgres: 127.0.0.1:$port, $("$programs/postgres" --version)"
}

postgres_environment() {
  local port
  port=$(cat "$data/postgres/port")
  echo "export CONNECT_TEST_POSTGRES=postgres://postgres:postgres-secret@127.0.0.1:$port/postgres CONNECT_TEST_POSTGRES_DATA='$data/postgres'"
}
