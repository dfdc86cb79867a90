import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Named;
import org.apache.kafka.streams.state.Stores;

/**
 * How many pieces of each product were ordered: order events in, the newest total of each product out. The key changes from the
 * order to the product, so Kafka Streams makes a repartition topic, and a changelog of the totals.
 */
public final class ProductTotals {
    private static final ObjectMapper JSON = new ObjectMapper();

    public static void main(String[] arguments) throws Exception {
        KafkaStreams streams = new KafkaStreams(topology(env("MILLRACE_INPUT_TOPICS"), env("MILLRACE_OUTPUT_TOPICS")), settings());
        HttpServer probes = probes(streams);
        CountDownLatch ended = new CountDownLatch(1);
        streams.setStateListener((now, before) -> {
            // Kubernetes starts it anew.
            if (now == KafkaStreams.State.ERROR) ended.countDown();
        });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            streams.close(Duration.ofSeconds(20));
            probes.stop(0);
        }));
        probes.start();
        streams.start();
        ended.await();
        System.exit(1);
    }

    static Topology topology(String input, String output) {
        StreamsBuilder builder = new StreamsBuilder();
        // The parts have names: the internal topics keep theirs when the program changes.
        builder.stream(input, org.apache.kafka.streams.kstream.Consumed.with(Serdes.String(), Serdes.String()))
            .mapValues(ProductTotals::created)
            .filter((id, order) -> order != null)
            .groupBy((id, order) -> order.get("product").asText(), Grouped.with("by-product", Serdes.String(), new JsonSerde()))
            .aggregate(
                () -> 0L,
                (product, order, total) -> total + order.get("quantity").asLong(),
                Named.as("add-up"),
                // In memory, and filled from the changelog: the image needs no RocksDB.
                Materialized.<String, Long>as(Stores.inMemoryKeyValueStore("totals"))
                    .withKeySerde(Serdes.String())
                    .withValueSerde(Serdes.Long()))
            .toStream()
            .mapValues((product, total) -> total.toString())
            .to(output, org.apache.kafka.streams.kstream.Produced.with(Serdes.String(), Serdes.String()));
        return builder.build();
    }

    /** The order of an ORDER_CREATED event; null for everything else, broken records too. */
    private static JsonNode created(String value) {
        try {
            JsonNode event = JSON.readTree(value == null ? "" : value);
            JsonNode order = event.path("order");
            boolean whole = order.path("product").isTextual() && order.path("quantity").isIntegralNumber();
            return event.path("event_type").asText().equals("ORDER_CREATED") && whole ? order : null;
        } catch (IOException broken) {
            return null;
        }
    }

    /** What a StreamApp's pods are told, in Kafka Streams' words. */
    private static Properties settings() {
        Properties settings = new Properties();
        settings.put("application.id", env("MILLRACE_CONSUMER_GROUP"));
        settings.put("client.id", env("MILLRACE_CLIENT_ID"));
        settings.put("bootstrap.servers", env("MILLRACE_BOOTSTRAP_SERVERS"));
        settings.put("state.dir", env("MILLRACE_STATE_DIR"));
        settings.put("processing.guarantee", "exactly_once_v2");
        settings.put("commit.interval.ms", "200");
        settings.put("replication.factor", "-1");
        settings.put("auto.offset.reset", "earliest");
        settings.put("metadata.max.age.ms", "10000");
        // Otherwise Kafka Streams stays a member after its end until its session times out, and a replay waits for that.
        settings.put("main.consumer.internal.leave.group.on.close", "true");
        Map<String, String> login = Map.of(
            "MILLRACE_SECURITY_PROTOCOL", "security.protocol",
            "MILLRACE_SASL_MECHANISM", "sasl.mechanism",
            "MILLRACE_CA_FILE", "ssl.truststore.location");
        login.forEach((variable, setting) -> {
            String value = System.getenv(variable);
            if (value != null && !value.isEmpty()) settings.put(setting, value);
        });
        if (settings.containsKey("ssl.truststore.location")) settings.put("ssl.truststore.type", "PEM");
        String user = System.getenv("MILLRACE_USERNAME");
        if (user != null && !user.isEmpty()) {
            String module = settings.getProperty("sasl.mechanism", "").startsWith("SCRAM") ? "scram.ScramLoginModule" : "plain.PlainLoginModule";
            settings.put("sasl.jaas.config", "org.apache.kafka.common.security." + module + " required username="
                + quoted(user) + " password=" + quoted(System.getenv("MILLRACE_PASSWORD")) + ";");
        }
        return settings;
    }

    private static String quoted(String text) {
        return '"' + (text == null ? "" : text).replace("\\", "\\\\").replace("\"", "\\\"") + '"';
    }

    private static HttpServer probes(KafkaStreams streams) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(port()), 0);
        server.createContext("/", exchange -> {
            boolean ready = !exchange.getRequestURI().getPath().equals("/readyz") || streams.state() == KafkaStreams.State.RUNNING;
            byte[] body = (streams.state() + "\n").getBytes();
            exchange.sendResponseHeaders(ready ? 200 : 503, body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        return server;
    }

    private static int port() {
        String listen = System.getenv("MILLRACE_LISTEN");
        return listen == null ? 8080 : Integer.parseInt(listen.substring(listen.lastIndexOf(':') + 1));
    }

    private static String env(String name) {
        String value = System.getenv(name);
        if (value == null || value.isEmpty()) throw new IllegalStateException(name + " is not set; a StreamApp's pods have it");
        return value;
    }

    private static final class JsonSerde extends Serdes.WrapperSerde<JsonNode> {
        JsonSerde() {
            super((topic, node) -> node == null ? null : node.toString().getBytes(java.nio.charset.StandardCharsets.UTF_8),
                (topic, bytes) -> {
                    try {
                        return bytes == null ? null : JSON.readTree(bytes);
                    } catch (IOException broken) {
                        throw new java.io.UncheckedIOException(broken);
                    }
                });
        }
    }
}
