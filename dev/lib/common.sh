# Functions of the server scripts. Each server has a folder $data/NAME with `port`, `pid` and `log`.

here=${here:?set by the script that sources this}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/connect-dev
data=${CONNECT_SERVERS_DATA:-/var/tmp/connect-servers-$(id -u)-$(printf '%s' "$here" | cksum | cut -d' ' -f1)}
checksum=$(printf '%s' "$data" | cksum | cut -d' ' -f1)

say() { echo "$*" >&2; }
fail() { say "dev: $*"; exit 1; }

need() { # command, what provides it
  command -v "$1" >/dev/null || fail "$1 is missing: $2"
}

# Installs Debian packages if this is Debian and we have the rights; `sudo` prompts on a terminal only.
apt_install() {
  command -v apt-get >/dev/null || return 1
  local as=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || return 1
    as=(sudo); [ -t 0 ] || as=(sudo -n)
  fi
  "${as[@]+"${as[@]}"}" apt-get update -qq
  "${as[@]+"${as[@]}"}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# Only a folder that we created is used, because everybody can write to /var/tmp.
make_data_folder() {
  if [ -e "$data" ]; then
    [ -O "$data" ] || fail "$data belongs to another user: set CONNECT_SERVERS_DATA"
  else
    mkdir -p "$(dirname "$data")"
    mkdir -m 755 "$data"
  fi
  # The marker that `down` requires before it deletes.
  touch "$data/connect-servers"
  "$here/lib/certificates" "$data/tls"
}

# Only one at a time: the same COMMAND of another shell waits. The servers must not inherit the lock.
locked() { # NAME COMMAND…
  local name=$1; shift
  if command -v flock >/dev/null; then
    mkdir -p "$cache"
    exec 9>"$cache/$name.lock"
    flock 9
    "$@"
    exec 9>&-
  else "$@"; fi
}

port_is_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# The port of NAME: its previous one, or the first of COUNT consecutive free ports. Below 32768, because Linux uses higher
# ports for outgoing connections.
port_of() { # NAME COUNT
  local file=$data/$1/port port offset free
  mkdir -p "$data/$1"
  if [ ! -e "$file" ]; then
    while :; do
      port=$((20000 + (RANDOM % 1200) * 10))
      free=yes
      for ((offset = 0; offset < $2; offset++)); do
        if port_is_open $((port + offset)); then free=; fi
      done
      [ -z "$free" ] || break
    done
    echo "$port" >"$file"
  fi
  cat "$file"
}

# A zombie has ended; its parent has not collected it yet.
alive() {
  local state
  state=$(ps -o stat= -p "$1" 2>/dev/null) || return 1
  [ -n "$state" ] && [ "${state:0:1}" != Z ]
}

running() { [ -e "$data/$1/pid" ] && alive "$(cat "$data/$1/pid")"; }

# Starts a program detached from the terminal, so that Ctrl-C for a test does not reach the servers.
launch() { # NAME COMMAND…
  local name=$1; shift
  set -m
  nohup "$@" >>"$data/$name/log" 2>&1 </dev/null 9>&- &
  echo $! >"$data/$name/pid"
  set +m
}

# Waits until COMMAND succeeds, while the server runs and at most a minute.
wait_until() { # NAME COMMAND…
  local name=$1 attempt; shift
  for ((attempt = 0; attempt < 600; attempt++)); do
    if "$@"; then return; fi
    running "$name" || break
    sleep 0.1
  done
  tail -n 20 "$data/$name/log" >&2
  fail "$name did not start, see $data/$name/log"
}

stop_server() { # NAME [SIGNAL]
  local pid signal=${2:-TERM} attempt
  [ -e "$data/$1/pid" ] || return 0
  pid=$(cat "$data/$1/pid")
  # PostgreSQL's fast shutdown: TERM would wait for its clients.
  if [ "$1" = postgres ] && [ "$signal" = TERM ]; then signal=INT; fi
  kill "-$signal" "$pid" 2>/dev/null || true
  for ((attempt = 0; attempt < 600; attempt++)); do
    if ! alive "$pid"; then rm -f "$data/$1/pid"; return; fi
    sleep 0.05
  done
  fail "$1 (pid $pid) does not stop"
}
