// Prints a topic as an independent consumer sees it (read_committed unless told otherwise), one JSON line per message:
//   {"partition":0,"offset":7,"timestamp":1720000000000,"ts_type":"create","key_b64":null,"value_b64":"…",
//    "headers":[["name","<base64>"],["name",null]]}
// From the first offset up to the end offsets as they are at the start (for read_committed: the last stable offset, so
// what an open transaction holds back is not waited for). ts_type: create, append, none. Messages of one partition come
// in offset order; partitions are interleaved.

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

final class Dump {
  // Longest time without any progress before the dump fails instead of waiting on.
  private static final long PATIENCE_MS = 60_000;

  private final OutputStream out;
  private long messages = 0;

  private Dump(OutputStream out) {
    this.out = out;
  }

  static int run(KafkaTools.Options options) throws IOException {
    if (options.words.size() != 1) throw new KafkaTools.UsageError("dump takes one TOPIC");
    OutputStream out = new BufferedOutputStream(new java.io.FileOutputStream(java.io.FileDescriptor.out), 1 << 20);
    try {
      dump(options.client, options.words.get(0), options.partition, options.isUncommitted, out);
    } catch (RuntimeException error) {
      System.err.println("kafka-dump: " + error);
      return 1;
    } finally {
      out.flush();
    }
    return 0;
  }

  // Returns how many messages it wrote.
  static long dump(Properties client, String topic, Integer partition, boolean isUncommitted, OutputStream out)
      throws IOException {
    Properties properties = new Properties();
    properties.putAll(client);
    properties.put("isolation.level", isUncommitted ? "read_uncommitted" : "read_committed");
    properties.put("enable.auto.commit", "false");
    properties.put("auto.offset.reset", "earliest");
    properties.put("allow.auto.create.topics", "false");
    properties.put("max.poll.records", "20000");
    properties.put("fetch.max.bytes", "33554432");
    properties.put("max.partition.fetch.bytes", "8388608");
    Dump dump = new Dump(out);
    try (var consumer =
        new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      dump.read(consumer, topic, partition);
    }
    return dump.messages;
  }

  private void read(KafkaConsumer<byte[], byte[]> consumer, String topic, Integer partition) throws IOException {
    List<TopicPartition> partitions = new ArrayList<>();
    for (var info : consumer.partitionsFor(topic, Duration.ofSeconds(30))) {
      if (partition == null || partition == info.partition()) {
        partitions.add(new TopicPartition(topic, info.partition()));
      }
    }
    if (partitions.isEmpty()) throw new IllegalArgumentException("no such topic or partition: " + topic);
    consumer.assign(partitions);
    Map<TopicPartition, Long> ends = consumer.endOffsets(partitions, Duration.ofSeconds(30));
    consumer.seekToBeginning(partitions);
    List<TopicPartition> open = new ArrayList<>(partitions);
    open.removeIf(tp -> consumer.position(tp) >= ends.get(tp));
    long last_progress = System.nanoTime();
    while (!open.isEmpty()) {
      var batch = consumer.poll(Duration.ofMillis(200));
      for (ConsumerRecord<byte[], byte[]> message : batch) {
        if (message.offset() < ends.get(new TopicPartition(topic, message.partition()))) write(message);
      }
      List<TopicPartition> done = open.stream().filter(tp -> consumer.position(tp) >= ends.get(tp)).toList();
      if (!done.isEmpty()) consumer.pause(done);
      open.removeAll(done);
      if (!batch.isEmpty() || !done.isEmpty()) last_progress = System.nanoTime();
      if ((System.nanoTime() - last_progress) / 1_000_000 > PATIENCE_MS) {
        throw new IllegalStateException("no progress for " + PATIENCE_MS + " ms; still open: " + open);
      }
    }
  }

  private void write(ConsumerRecord<byte[], byte[]> message) throws IOException {
    StringBuilder line = new StringBuilder(128);
    line.append("{\"partition\":").append(message.partition());
    line.append(",\"offset\":").append(message.offset());
    line.append(",\"timestamp\":").append(message.timestamp());
    line.append(",\"ts_type\":\"").append(
        switch (message.timestampType()) {
          case CREATE_TIME -> "create";
          case LOG_APPEND_TIME -> "append";
          case NO_TIMESTAMP_TYPE -> "none";
        });
    line.append("\",\"key_b64\":");
    appendBytes(line, message.key());
    line.append(",\"value_b64\":");
    appendBytes(line, message.value());
    line.append(",\"headers\":[");
    String comma = "[";
    for (Header header : message.headers()) {
      line.append(comma).append(Json.quoted(header.key())).append(',');
      appendBytes(line, header.value());
      line.append(']');
      comma = ",[";
    }
    line.append("]}\n");
    out.write(line.toString().getBytes(StandardCharsets.UTF_8));
    messages++;
  }

  private static void appendBytes(StringBuilder line, byte[] bytes) {
    if (bytes == null) {
      line.append("null");
    } else {
      line.append('"').append(Base64.getEncoder().encodeToString(bytes)).append('"');
    }
  }
}
