// Administers a Kafka. One command from the command line, or many from standard input, one JSON object a line, each
// answered by one line {"ok":true,…} or {"ok":false,"error":…} (`serve`: a JVM start costs a second, a command 10 ms).
//
//   command line                                   serve: {"cmd":"<name>", …}
//   create-topic NAME PARTITIONS [K=V]...          "topic","partitions","replicas"?,"config"?:{K:V}
//   delete-topic NAME                              "topic"          (returns when the broker no longer lists it)
//   add-partitions NAME TOTAL                      "topic","partitions"
//   delete-records NAME PARTITION BEFORE           "topic","partition","before"   (-1: all there is)
//   alter-config NAME K=V...                       "topic","config":{K:V or null to unset}
//   describe NAME                                  "topic"  -> topic_id, partitions:[{partition,leader,replicas,isr,begin,end}]
//   list-topics                                    -> topics:[…]
//   list-groups                                    -> groups:[{group,state}]
//   describe-group GROUP                           "group"  -> state, members:[{id,instance,host,partitions:[[topic,p]]}]
//   group-offsets GROUP                            "group"  -> offsets:[{topic,partition,offset,metadata}]
//   set-group-offset GROUP TOPIC P OFFSET [META]   "group","topic","partition","offset","metadata"?
//   delete-group GROUP                             "group"
//   add-scram-user NAME PASSWORD                   "user","password"   (SCRAM-SHA-256 and -512)
//   cluster                                        -> cluster_id, controller, brokers:[{id,host,port}]
//   only serve:
//     produce    "lines":[…] as Produce reads them, "offsets"?:true  -> sent, offsets:[[partition,offset]…]
//     dump       "topic","file","uncommitted"?:true,"partition"? as Dump writes them into the file -> messages
//     lead       "topic","partition","broker"        (that replica becomes the leader: reassigned to the front, elected)
//     set-quota  "client","rate"?                    (bytes a second that this client id may fetch; absent: none)
//     allow, revoke  "user","topic"|"group"|neither  (all operations on it or, with neither, on the cluster)

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedOutputStream;
import java.io.BufferedReader;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.AdminClient;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.ScramCredentialInfo;
import org.apache.kafka.clients.admin.ScramMechanism;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.admin.UserScramCredentialAlteration;
import org.apache.kafka.clients.admin.UserScramCredentialUpsertion;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.ElectionNotNeededException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;

final class Admin implements AutoCloseable {
  private static final long PATIENCE_MS = 30_000;

  private final Properties client;
  private final AdminClient admin;
  private final List<RecordMetadata> acknowledged = new ArrayList<>();
  private Produce produce = null;

  private Admin(Properties client) {
    this.client = client;
    Properties properties = new Properties();
    properties.put("request.timeout.ms", "15000");
    properties.put("default.api.timeout.ms", "30000");
    properties.put("reconnect.backoff.max.ms", "500");
    properties.putAll(client);
    this.admin = AdminClient.create(properties);
  }

  static int run(KafkaTools.Options options) throws IOException {
    if (options.words.isEmpty()) throw new KafkaTools.UsageError("admin needs a command; see Admin.java");
    try (Admin admin = new Admin(options.client)) {
      if (options.words.get(0).equals("serve")) return admin.serve();
      ObjectNode answer = admin.answer(fromWords(options.words));
      System.out.println(answer);
      return answer.get("ok").asBoolean() ? 0 : 1;
    }
  }

  private int serve() throws IOException {
    var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8), 1 << 16);
    PrintStream out = new PrintStream(new FileOutputStream(java.io.FileDescriptor.out), false, StandardCharsets.UTF_8);
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      ObjectNode answer;
      try {
        answer = answer(Json.parse(line));
      } catch (IOException error) {
        answer = Json.object().put("ok", false).put("error", error.toString());
      }
      out.println(answer);
      out.flush();
    }
    return 0;
  }

  private ObjectNode answer(JsonNode command) {
    try {
      ObjectNode answer = Json.object().put("ok", true);
      apply(command, answer);
      return answer;
    } catch (Exception error) {
      return Json.object().put("ok", false).put("error", Produce.reason(error));
    }
  }

  // "create-topic prices 3 retention.ms=-1" as the object that `serve` reads.
  private static JsonNode fromWords(List<String> words) {
    Map<String, List<String>> names = Map.ofEntries(
        Map.entry("create-topic", List.of("topic", "partitions")), Map.entry("delete-topic", List.of("topic")),
        Map.entry("add-partitions", List.of("topic", "partitions")), Map.entry("alter-config", List.of("topic")),
        Map.entry("delete-records", List.of("topic", "partition", "before")), Map.entry("describe", List.of("topic")),
        Map.entry("list-topics", List.of()), Map.entry("list-groups", List.of()), Map.entry("cluster", List.of()),
        Map.entry("describe-group", List.of("group")), Map.entry("group-offsets", List.of("group")),
        Map.entry("set-group-offset", List.of("group", "topic", "partition", "offset", "metadata")),
        Map.entry("delete-group", List.of("group")), Map.entry("add-scram-user", List.of("user", "password")));
    List<String> fields = names.get(words.get(0));
    if (fields == null) throw new KafkaTools.UsageError("unknown command '" + words.get(0) + "'");
    ObjectNode command = Json.object().put("cmd", words.get(0));
    ObjectNode config = Json.object();
    int position = 0;
    for (String word : words.subList(1, words.size())) {
      String field = position < fields.size() ? fields.get(position++) : null;
      if (field != null && List.of("partitions", "partition", "before", "offset").contains(field)) {
        command.put(field, Long.parseLong(word));
      } else if (field != null) {
        command.put(field, word);
      } else if (word.indexOf('=') > 0) {
        config.put(word.substring(0, word.indexOf('=')), word.substring(word.indexOf('=') + 1));
      } else {
        throw new KafkaTools.UsageError("'" + word + "' is one word too many");
      }
    }
    return command.set("config", config);
  }

  private void apply(JsonNode command, ObjectNode answer) throws Exception {
    switch (Json.text(command, "cmd")) {
      case "create-topic" -> createTopic(command);
      case "delete-topic" -> deleteTopic(Json.text(command, "topic"));
      case "add-partitions" -> addPartitions(command);
      case "delete-records" -> deleteRecords(command);
      case "alter-config" -> alterConfig(command);
      case "describe" -> describe(Json.text(command, "topic"), answer);
      case "list-topics" -> answer.set("topics", Json.MAPPER.valueToTree(admin.listTopics().names().get()));
      case "list-groups" -> listGroups(answer.putArray("groups"));
      case "describe-group" -> describeGroup(Json.text(command, "group"), answer);
      case "group-offsets" -> groupOffsets(Json.text(command, "group"), answer.putArray("offsets"));
      case "set-group-offset" -> setGroupOffset(command);
      case "delete-group" -> admin.deleteConsumerGroups(List.of(Json.text(command, "group"))).all().get();
      case "add-scram-user" -> addScramUser(Json.text(command, "user"), Json.text(command, "password"));
      case "cluster" -> cluster(answer);
      case "produce" -> produce(command, answer);
      case "dump" -> dump(command, answer);
      case "lead" -> lead(command);
      case "set-quota" -> setQuota(command);
      case "allow" -> admin.createAcls(List.of(acl(command))).all().get();
      case "revoke" -> admin.deleteAcls(List.of(acl(command).toFilter())).all().get();
      default -> throw new IllegalArgumentException("unknown command " + command.get("cmd"));
    }
  }

  private void createTopic(JsonNode command) throws Exception {
    String topic = Json.text(command, "topic");
    int partitions = (int) Json.number(command, "partitions");
    Optional<Short> replicas =
        command.hasNonNull("replicas") ? Optional.of((short) Json.number(command, "replicas")) : Optional.empty();
    NewTopic wanted = new NewTopic(topic, Optional.of(partitions), replicas).configs(Json.strings(command.get("config")));
    admin.createTopics(List.of(wanted)).all().get();
    awaitLeaders(topic, partitions);
  }

  // Created means: every partition has a leader, and that broker answers as one (it learns of it some milliseconds after
  // the metadata tell), so that a client that comes now needs no retry. listOffsets asks until each does.
  private void awaitLeaders(String topic, int partitions) throws Exception {
    await("leaders of " + topic, () -> {
      TopicDescription seen = description(topic);
      return seen != null && seen.partitions().size() >= partitions
          && seen.partitions().stream().allMatch(p -> p.leader() != null && !p.leader().isEmpty());
    });
    Map<TopicPartition, OffsetSpec> ends = new HashMap<>();
    for (int p = 0; p < partitions; p++) ends.put(new TopicPartition(topic, p), OffsetSpec.latest());
    admin.listOffsets(ends).all().get();
  }

  private void deleteTopic(String topic) throws Exception {
    admin.deleteTopics(List.of(topic)).all().get();
    await("end of " + topic, () -> description(topic) == null);
  }

  private void addPartitions(JsonNode command) throws Exception {
    String topic = Json.text(command, "topic");
    int total = (int) Json.number(command, "partitions");
    admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(total))).all().get();
    awaitLeaders(topic, total);
  }

  private void deleteRecords(JsonNode command) throws Exception {
    var partition = new TopicPartition(Json.text(command, "topic"), (int) Json.number(command, "partition"));
    admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(Json.number(command, "before")))).all().get();
  }

  private void alterConfig(JsonNode command) throws Exception {
    List<AlterConfigOp> changes = new ArrayList<>();
    command.get("config").properties().forEach(entry -> {
      boolean isUnset = entry.getValue().isNull();
      changes.add(new AlterConfigOp(new ConfigEntry(entry.getKey(), isUnset ? "" : entry.getValue().asText()),
          isUnset ? AlterConfigOp.OpType.DELETE : AlterConfigOp.OpType.SET));
    });
    var resource = new ConfigResource(ConfigResource.Type.TOPIC, Json.text(command, "topic"));
    Map<ConfigResource, Collection<AlterConfigOp>> request = Map.of(resource, changes);
    admin.incrementalAlterConfigs(request).all().get();
  }

  private void describe(String topic, ObjectNode answer) throws Exception {
    TopicDescription seen = description(topic);
    if (seen == null) throw new UnknownTopicOrPartitionException(topic);
    Map<TopicPartition, OffsetSpec> first = new HashMap<>();
    Map<TopicPartition, OffsetSpec> last = new HashMap<>();
    for (var partition : seen.partitions()) {
      first.put(new TopicPartition(topic, partition.partition()), OffsetSpec.earliest());
      last.put(new TopicPartition(topic, partition.partition()), OffsetSpec.latest());
    }
    var begins = admin.listOffsets(first).all().get();
    var ends = admin.listOffsets(last).all().get();
    answer.put("topic", topic).put("topic_id", seen.topicId().toString());
    ArrayNode rows = answer.putArray("partitions");
    for (var partition : seen.partitions()) {
      var key = new TopicPartition(topic, partition.partition());
      ObjectNode row = rows.addObject().put("partition", partition.partition());
      row.put("leader", partition.leader() == null ? -1 : partition.leader().id());
      row.set("replicas", Json.MAPPER.valueToTree(partition.replicas().stream().map(node -> node.id()).toList()));
      row.set("isr", Json.MAPPER.valueToTree(partition.isr().stream().map(node -> node.id()).toList()));
      row.put("begin", begins.get(key).offset()).put("end", ends.get(key).offset());
    }
  }

  private void listGroups(ArrayNode groups) throws Exception {
    for (var group : admin.listConsumerGroups().all().get()) {
      groups.addObject().put("group", group.groupId()).put("state", group.groupState().map(Object::toString).orElse(""));
    }
  }

  private void describeGroup(String group, ObjectNode answer) throws Exception {
    var seen = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
    answer.put("group", group).put("state", seen.groupState().toString());
    ArrayNode members = answer.putArray("members");
    for (var member : seen.members()) {
      ObjectNode row = members.addObject().put("id", member.consumerId()).put("host", member.host());
      row.put("instance", member.groupInstanceId().orElse(null));
      ArrayNode partitions = row.putArray("partitions");
      member.assignment().topicPartitions().forEach(tp -> partitions.addArray().add(tp.topic()).add(tp.partition()));
    }
  }

  private void groupOffsets(String group, ArrayNode rows) throws Exception {
    admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().forEach((tp, committed) -> {
      if (committed == null) return;
      rows.addObject().put("topic", tp.topic()).put("partition", tp.partition()).put("offset", committed.offset())
          .put("metadata", committed.metadata());
    });
  }

  private void setGroupOffset(JsonNode command) throws Exception {
    var partition = new TopicPartition(Json.text(command, "topic"), (int) Json.number(command, "partition"));
    var committed = new OffsetAndMetadata(Json.number(command, "offset"), command.path("metadata").asText(""));
    admin.alterConsumerGroupOffsets(Json.text(command, "group"), Map.of(partition, committed)).all().get();
  }

  private void addScramUser(String user, String password) throws Exception {
    // One request each: the broker refuses to alter a user twice in one.
    for (var mechanism : List.of(ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512)) {
      List<UserScramCredentialAlteration> change =
          List.of(new UserScramCredentialUpsertion(user, new ScramCredentialInfo(mechanism, 4096), password));
      admin.alterUserScramCredentials(change).all().get();
    }
  }

  private void lead(JsonNode command) throws Exception {
    var partition = new TopicPartition(Json.text(command, "topic"), (int) Json.number(command, "partition"));
    int broker = (int) Json.number(command, "broker");
    List<Integer> replicas = new ArrayList<>();
    description(partition.topic()).partitions().get(partition.partition()).replicas().forEach(node -> replicas.add(node.id()));
    if (!replicas.contains(broker)) throw new IllegalArgumentException("broker " + broker + " has no replica");
    Collections.swap(replicas, 0, replicas.indexOf(broker));
    admin.alterPartitionReassignments(Map.of(partition, Optional.of(new NewPartitionReassignment(replicas)))).all().get();
    await("end of the reassignment", () -> admin.listPartitionReassignments(Set.of(partition)).reassignments().get().isEmpty());
    // Elected already is no failure.
    var error = admin.electLeaders(ElectionType.PREFERRED, Set.of(partition)).partitions().get().get(partition);
    if (error != null && error.isPresent() && !(error.get() instanceof ElectionNotNeededException)) throw (Exception) error.get();
  }

  private void setQuota(JsonNode command) throws Exception {
    Double rate = command.hasNonNull("rate") ? Double.valueOf(Json.number(command, "rate")) : null;
    var client = new ClientQuotaEntity(Map.of(ClientQuotaEntity.CLIENT_ID, Json.text(command, "client")));
    var change = new ClientQuotaAlteration(client, List.of(new ClientQuotaAlteration.Op("consumer_byte_rate", rate)));
    admin.alterClientQuotas(List.of(change)).all().get();
  }

  private static AclBinding acl(JsonNode command) {
    ResourcePattern resource = new ResourcePattern(ResourceType.CLUSTER, "kafka-cluster", PatternType.LITERAL);
    if (command.hasNonNull("topic")) {
      resource = new ResourcePattern(ResourceType.TOPIC, Json.text(command, "topic"), PatternType.LITERAL);
    } else if (command.hasNonNull("group")) {
      resource = new ResourcePattern(ResourceType.GROUP, Json.text(command, "group"), PatternType.LITERAL);
    }
    String user = "User:" + Json.text(command, "user");
    return new AclBinding(resource, new AccessControlEntry(user, "*", AclOperation.ALL, AclPermissionType.ALLOW));
  }

  private void cluster(ObjectNode answer) throws Exception {
    var seen = admin.describeCluster();
    answer.put("cluster_id", seen.clusterId().get()).put("controller", seen.controller().get().id());
    ArrayNode brokers = answer.putArray("brokers");
    seen.nodes().get().forEach(
        node -> brokers.addObject().put("id", node.id()).put("host", node.host()).put("port", node.port()));
  }

  // The producers live as long as `serve`, so a transaction may be begun by one command and ended by a later one. After
  // a failure all of them start afresh: an unfinished transaction is then fenced, not continued.
  private void produce(JsonNode command, ObjectNode answer) throws Exception {
    if (produce == null) produce = new Produce(client, where -> acknowledged.add(where));
    acknowledged.clear();
    try {
      for (JsonNode line : command.path("lines")) produce.apply(line);
      produce.settle(0);
    } catch (Exception error) {
      produce.close();
      produce = null;
      throw error;
    }
    answer.put("sent", acknowledged.size());
    if (!command.path("offsets").asBoolean()) return;
    ArrayNode offsets = answer.putArray("offsets");
    for (RecordMetadata where : acknowledged) offsets.addArray().add(where.partition()).add(where.offset());
  }

  private void dump(JsonNode command, ObjectNode answer) throws Exception {
    Integer partition = command.hasNonNull("partition") ? (int) Json.number(command, "partition") : null;
    try (var out = new BufferedOutputStream(new FileOutputStream(Json.text(command, "file")), 1 << 20)) {
      answer.put("messages",
          Dump.dump(client, Json.text(command, "topic"), partition, command.path("uncommitted").asBoolean(), out));
    }
  }

  private interface Condition {
    boolean holds() throws Exception;
  }

  private static void await(String what, Condition condition) throws Exception {
    long end = System.nanoTime() + PATIENCE_MS * 1_000_000;
    while (!condition.holds()) {
      if (System.nanoTime() > end) throw new IllegalStateException("waited " + PATIENCE_MS + " ms for the " + what);
      Thread.sleep(20);
    }
  }

  // Null where the broker knows no such topic.
  private TopicDescription description(String topic) throws Exception {
    try {
      return admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
    } catch (ExecutionException error) {
      if (error.getCause() instanceof UnknownTopicOrPartitionException) return null;
      throw error;
    }
  }

  @Override
  public void close() {
    if (produce != null) produce.close();
    admin.close(java.time.Duration.ofSeconds(5));
  }
}
