// Sends what its standard input says, one JSON object a line:
//   {"topic":"T","partition":3,"timestamp":1720000000000,"key":"text","value_b64":"AAE=",
//    "headers":[["name","<base64>"],["name",null]]}
//        partition, timestamp, key, value and headers may be absent; absent or null key and value are null, "" is empty
//   {"txn":"a","begin":true}     start a transaction of the transactional id "a"
//   {"txn":"a","topic":…}        a message inside it
//   {"txn":"a","commit":true} | {"txn":"a","abort":true}
//   {"flush":true}
// Prints {"ok":true,"sent":N} at the end; with --report before it one line per message, in the order sent:
//   {"topic":"T","partition":3,"offset":7}   (of an aborted transaction too: those offsets exist)
// Stops with exit 1 and {"ok":false,"error":…} at the first failure. acks=all, idempotent, so it neither loses nor doubles.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.function.Consumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArraySerializer;

final class Produce implements AutoCloseable {
  // Acknowledgements kept back before the oldest is waited for: bounds memory.
  private static final int PENDING_MAX = 20_000;
  private static final int COMMIT_TRIES = 5;

  private final Properties client;
  private final Map<String, KafkaProducer<byte[], byte[]>> producers = new HashMap<>();
  private final ArrayDeque<Future<RecordMetadata>> pending = new ArrayDeque<>();
  private final Consumer<RecordMetadata> acknowledged;
  private long sent = 0;

  // `acknowledged` is told of each message, in the order sent.
  Produce(Properties client, Consumer<RecordMetadata> acknowledged) {
    this.client = client;
    this.acknowledged = acknowledged;
  }

  static int run(KafkaTools.Options options) throws IOException {
    PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    ObjectNode answer = Json.object();
    var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8), 1 << 20);
    Consumer<RecordMetadata> report = where -> out.println("{\"topic\":" + Json.quoted(where.topic())
        + ",\"partition\":" + where.partition() + ",\"offset\":" + where.offset() + "}");
    try (Produce produce = new Produce(options.client, options.isReporting ? report : where -> {})) {
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        if (!line.isBlank()) produce.apply(Json.parse(line));
      }
      produce.settle(0);
      answer.put("ok", true).put("sent", produce.sent);
    } catch (Exception error) {
      answer.put("ok", false).put("error", reason(error));
    }
    out.println(answer);
    out.flush();
    return answer.get("ok").asBoolean() ? 0 : 1;
  }

  static String reason(Throwable error) {
    return error instanceof ExecutionException && error.getCause() != null ? error.getCause().toString() : error.toString();
  }

  // One line of input. Nothing is certain to have arrived before settle(0) or the end of its transaction.
  void apply(JsonNode line) throws Exception {
    String transaction = line.hasNonNull("txn") ? line.get("txn").asText() : null;
    var producer = producer(transaction);
    if (line.path("begin").asBoolean()) {
      producer.beginTransaction();
    } else if (line.path("commit").asBoolean()) {
      commit(producer);
    } else if (line.path("abort").asBoolean()) {
      producer.flush();  // Without it, unsent messages would never get an offset: there would be nothing aborted.
      producer.abortTransaction();
    } else if (line.path("flush").asBoolean()) {
      producer.flush();
      settle(0);
    } else {
      pending.add(producer.send(message(line)));
      sent++;
      settle(PENDING_MAX);
    }
  }

  // A commit whose answer takes longer than max.block.ms may be asked for again, and nothing else: on a busy machine it is.
  private static void commit(KafkaProducer<byte[], byte[]> producer) {
    for (int left = COMMIT_TRIES; ; ) {
      try {
        producer.commitTransaction();
        return;
      } catch (TimeoutException late) {
        if (--left == 0) throw late;
      }
    }
  }

  // Waits until at most `most` messages are unacknowledged.
  void settle(int most) throws ExecutionException, InterruptedException {
    if (most == 0) producers.values().forEach(KafkaProducer::flush);
    while (pending.size() > most) acknowledged.accept(pending.remove().get());
  }

  private KafkaProducer<byte[], byte[]> producer(String transaction) {
    return producers.computeIfAbsent(transaction == null ? "" : transaction, name -> {
      Properties properties = new Properties();
      properties.put("acks", "all");
      properties.put("enable.idempotence", "true");
      properties.put("linger.ms", "5");
      properties.put("batch.size", "262144");
      properties.put("max.request.size", "8388608");
      properties.putAll(client);
      if (transaction != null) properties.put("transactional.id", transaction);
      var fresh = new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
      if (transaction != null) fresh.initTransactions();
      return fresh;
    });
  }

  private static ProducerRecord<byte[], byte[]> message(JsonNode line) {
    Integer partition = line.hasNonNull("partition") ? (int) Json.number(line, "partition") : null;
    Long timestamp = line.hasNonNull("timestamp") ? Json.number(line, "timestamp") : null;
    var message = new ProducerRecord<>(
        Json.text(line, "topic"), partition, timestamp, Json.bytes(line, "key"), Json.bytes(line, "value"));
    for (JsonNode header : line.path("headers")) {
      byte[] value = header.get(1).isNull() ? null : Base64.getDecoder().decode(header.get(1).asText());
      message.headers().add(new RecordHeader(header.get(0).asText(), value));
    }
    return message;
  }

  @Override
  public void close() {
    producers.values().forEach(producer -> producer.close(java.time.Duration.ofSeconds(5)));
  }
}
