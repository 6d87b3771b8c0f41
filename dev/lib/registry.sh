# A schema registry with Confluent's API (AxonOps, Apache-2.0; built with Go, about a minute), in memory: a restart
# forgets everything, including ids.

registry_install() {
  local home=$cache/registry program=github.com/axonops/axonops-schema-registry version stamp
  stamp=$home/$(cat "$here"/lib/registry/go.* | cksum | cut -d' ' -f1).installed
  [ ! -e "$stamp" ] || return 0
  need go "Go 1.21 or newer, https://go.dev/dl"
  say "registry: building (about a minute)"
  rm -rf "$home"; mkdir -p "$home"
  # `go install PROGRAM@VERSION` requests the list of all versions, which not every proxy has; go.mod and go.sum avoid that.
  version=$(cd "$here/lib/registry" && go list -m -f '{{.Version}}' "$program")
  (cd "$here/lib/registry" && go build -mod=readonly -buildvcs=false -trimpath \
    -ldflags "-X main.version=$version" -o "$home/schema-registry" "$program/cmd/schema-registry")
  touch "$stamp"
}

registry_start() {
  if running registry; then return; fi
  local dir=$data/registry port
  port=$(port_of registry 1)
  cat >"$dir/config.yaml" <<YAML
server: { host: 127.0.0.1, port: $port }
storage: { type: memory }
compatibility: { default_level: BACKWARD }
YAML
  # In an empty folder, because the server looks up a $ref without a reference among the files there.
  mkdir -p "$dir/empty"
  : >"$dir/log"
  cd "$dir/empty"
  launch registry "$cache/registry/schema-registry" -config "$dir/config.yaml"
  cd "$here"
  wait_until registry port_is_open "$port"
  say "registry: http://127.0.0.1:$port"
}

registry_environment() {
  echo "export CONNECT_TEST_REGISTRY=http://127.0.0.1:$(cat "$data/registry/port") CONNECT_TEST_REGISTRY_DATA='$data/registry'"
}
