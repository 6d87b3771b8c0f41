# Apache Kafka: one KRaft broker from its Maven artifacts (JDK 17 or newer, Maven). Four listeners on 127.0.0.1:
# PORT plaintext, PORT+1 controller, PORT+2 SASL_SSL (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512; alice / alice-secret),
# PORT+3 SSL with client certificates. After a crash it takes about 9 s longer to start, because its registration must expire first.

kafka_install() {
  local home=$cache/kafka stamp
  stamp=$home/$(cksum <"$here/lib/kafka/pom.xml" | cut -d' ' -f1).installed
  [ ! -e "$stamp" ] || return 0
  need java "a JDK, 17 or newer (apt-get install openjdk-17-jdk-headless)"
  need mvn "Maven (apt-get install maven)"
  say "kafka: fetching (about 55 MB)"
  rm -rf "$home"; mkdir -p "$home"
  mvn -q -B -f "$here/lib/kafka/pom.xml" dependency:copy-dependencies -DincludeScope=runtime \
    -DoutputDirectory="$home/lib" >&2
  touch "$stamp"
}

kafka_java() { # log configuration, arguments…
  local log=$1; shift
  kafka=(java -Dlog4j2.configurationFile="$here/lib/kafka/$log" -cp "$cache/kafka/lib/*" "$@")
}

kafka_start() {
  if running kafka; then return; fi
  local dir=$data/kafka port kafka
  port=$(port_of kafka 4)
  cat >"$dir/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$((port + 1))
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1)),SASL_SSL://127.0.0.1:$((port + 2)),SSL://127.0.0.1:$((port + 3))
advertised.listeners=PLAINTEXT://127.0.0.1:$port,SASL_SSL://127.0.0.1:$((port + 2)),SSL://127.0.0.1:$((port + 3))
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL
log.dirs=$dir/data
num.partitions=1
# Off, so that a missing topic is noticed.
auto.create.topics.enable=false
# One node, without the waits that only clusters need.
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
ssl.keystore.type=PEM
ssl.keystore.location=$data/tls/server.pem
ssl.truststore.type=PEM
ssl.truststore.location=$data/tls/ca.crt
listener.name.ssl.ssl.client.auth=required
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="alice-secret";
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
PROPERTIES
  # The tool takes a cluster id that begins with a hyphen for an option, which failed one start in 64.
  if [ ! -e "$dir/data/meta.properties" ]; then
    kafka_java server.properties kafka.tools.StorageTool format -c "$dir/server.properties" \
      -t "$(openssl rand -base64 16 | tr '+/' '__' | cut -c1-22)" \
      --add-scram 'SCRAM-SHA-256=[name=alice,password=alice-secret]' \
      --add-scram 'SCRAM-SHA-512=[name=alice,password=alice-secret]'
    "${kafka[@]}" >"$dir/format.log" 2>&1 || { cat "$dir/format.log" >&2; fail "kafka: cannot format its storage"; }
  fi
  : >"$dir/log"
  kafka_java server.properties -Xms256m -Xmx"${KAFKA_HEAP:-512m}" -XX:+UseG1GC kafka.Kafka "$dir/server.properties"
  launch kafka "${kafka[@]}"
  wait_until kafka grep -q 'Kafka Server started' "$dir/log"
  say "kafka: 127.0.0.1:$port"
}

kafka_environment() {
  local port
  port=$(cat "$data/kafka/port")
  echo "export KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:$port CONNECT_TEST_KAFKA=127.0.0.1:$port CONNECT_TEST_KAFKA_DATA='$data/kafka'"
  echo "export CONNECT_TEST_KAFKA_SASL_SSL=127.0.0.1:$((port + 2)) CONNECT_TEST_KAFKA_SSL=127.0.0.1:$((port + 3)) CONNECT_TEST_TLS='$data/tls'"
}

kafka_tool() { # CLASS ARGUMENTS…
  local class=$1 kafka; shift
  kafka_java tool.properties -Xmx256m "org.apache.kafka.tools.$class" "$@"
  exec "${kafka[@]}"
}
